#pragma once

#include "training/optimizer.h"

namespace reckon {

/// Adagrad (Duchi, Hazan, Singer, JMLR 2011): steps shrink with the squares of past gradients.
///
/// Sparse and dense gradients give the same weights, unless `row_wise` keeps one accumulator for each
/// row of a sparse table (the mean of its squares) in place of one for each number.
class Adagrad : public Optimizer {
 public:
  struct Options {
    double lr = 1e-2;
    double eps = 1e-10;
    double weight_decay = 0.0;
    double initial_accumulator = 0.0;
    bool row_wise = false;
    static void describe(Schema<Options>& schema);
  };

  Adagrad(const Options& options, const Deps& deps) : Optimizer(deps), options_(options) {}
  double lr() const override { return options_.lr; }

 protected:
  std::vector<StateSpec> state_specs(bool is_sparse) const override;
  double weight_decay() const override { return options_.weight_decay; }
  void update(const DensePieces& pieces) const override;
  void update_rows(const RowPieces& pieces) const override;

 private:
  Options options_;
};

}  // namespace reckon
