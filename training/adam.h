#pragma once

#include <array>

#include "training/optimizer.h"

namespace reckon {

/// Adam (Kingma, Ba, ICLR 2015); `weight_decay` is an L2 term of the gradient.
///
/// Rows of tables that ask for it (`sparse`) are updated lazily, as in torch's SparseAdam; in all other tables every
/// row makes every step.
class Adam : public Optimizer {
 public:
  struct Options {
    double lr = 1e-3;
    std::array<double, 2> betas = {0.9, 0.999};
    double eps = 1e-8;
    double weight_decay = 0.0;
    static void describe(Schema<Options>& schema);
  };

  Adam(const Options& options, const Deps& deps);
  double lr() const override { return options_.lr; }

 protected:
  std::vector<StateSpec> state_specs(bool is_sparse) const override;
  double weight_decay() const override { return options_.weight_decay; }
  void update(const DensePieces& pieces) const override;
  void update_rows(const RowPieces& pieces) const override;

 private:
  Options options_;
};

/// Adam whose weight decay is a shrinking of the weights beside the step (Loshchilov, Hutter,
/// "Decoupled Weight Decay Regularization", ICLR 2019).
class AdamW : public Optimizer {
 public:
  struct Options {
    double lr = 1e-3;
    std::array<double, 2> betas = {0.9, 0.999};
    double eps = 1e-8;
    double weight_decay = 0.01;
    static void describe(Schema<Options>& schema);
  };

  AdamW(const Options& options, const Deps& deps);
  double lr() const override { return options_.lr; }

 protected:
  std::vector<StateSpec> state_specs(bool is_sparse) const override;
  bool is_decay_decoupled() const override { return true; }
  double weight_decay() const override { return options_.weight_decay; }
  void update(const DensePieces& pieces) const override;
  void update_rows(const RowPieces& pieces) const override;

 private:
  Options options_;
};

}  // namespace reckon
