#pragma once

#include "layers/objective.h"

namespace reckon {

/// Alignment of what belongs together and uniformity of all, on the unit sphere (Wang, Yu, Ma, Zhang,
/// Chen, Liu, Ma, "Towards Representation Alignment and Uniformity in Collaborative Filtering", KDD
/// 2022). Nothing is drawn: the positions of a step are spread against each other.
///
///   sum_p w_p |u_p - i_p|^2 + gamma * (sum_p w_p) * (spread(u) + spread(i)) / 2
///   spread(x) = log mean_(p < q) exp(-2 |x_p - x_q|^2)
/// for u and i divided by their lengths. Looks at vectors and not at scores; a step of one position
/// has no pairs and no spread.
class DirectAuObjective : public Objective {
 public:
  struct Options {
    double gamma = 1.0;
    static void describe(Schema<Options>& schema);
  };

  DirectAuObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override { return {}; }
  Coupling coupling() const override { return Coupling::kBatch; }
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
