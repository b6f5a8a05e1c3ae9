#pragma once

#include "training/optimizer.h"

namespace reckon {

/// Stochastic gradient descent, with momentum (Polyak, 1964; Nesterov, 1983) if asked for.
///
/// The momentum of a sparse table's row moves only in steps that touch the row.
class Sgd : public Optimizer {
 public:
  struct Options {
    double lr = 0.1;
    double momentum = 0.0;
    bool nesterov = false;
    double weight_decay = 0.0;
    static void describe(Schema<Options>& schema);
  };

  Sgd(const Options& options, const Deps& deps) : Optimizer(deps), options_(options) {}
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
