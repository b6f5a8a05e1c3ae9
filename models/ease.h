#pragma once

#include "models/item_weights.h"

namespace reckon {

/// Embarrassingly shallow autoencoder: the linear model that restores each user's items from the
/// others, in closed form (Steck, WWW 2019), with a dropout of the input that no item can escape
/// (EDLAE, Steck, NeurIPS 2020).
///
///   P = (X^T X + regularization I + dropout / (1 - dropout) diag(X^T X))^-1
///   weight[i, j] = -P[i, j] / P[j, j] for i != j, and 0 on the diagonal
///
/// X is users by items, one where there is an interaction. A fit holds one matrix [I, I] of float32
/// and takes I^3 operations; of each column of the weights the `keep` largest by magnitude are kept, or all,
/// which then take the place of that matrix.
class Ease : public ItemWeightsModel {
 public:
  struct Options {
    double regularization = 500.0;
    double dropout = 0.0;
    int64_t keep = 200;
    static void describe(Schema<Options>& schema);
  };

  Ease(const Options& options, const Deps& deps);

  /// Throws   std::invalid_argument when the system is singular.
  double fit(const Interactions& train, const Context& context) override;

 private:
  Options options_;
};

}  // namespace reckon
