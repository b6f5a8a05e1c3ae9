#pragma once

#include <optional>

#include "layers/objective.h"

namespace reckon {

/// Binary cross-entropy of each target against its negatives, as SASRec is trained (Kang, McAuley,
/// ICDM 2018, with one negative).
///
///   sum_p w_p * ( -log sigmoid(s(u, i)) - sum_n log(1 - sigmoid(s(u, j_n))) )
class BceObjective : public Objective {
 public:
  struct Options {
    int64_t negatives = 1;
    ObjectiveNeeds::Sharing sharing = ObjectiveNeeds::Sharing::kPosition;
    double popularity_exponent = 0.0;
    std::optional<bool> exclude_positives;
    static void describe(Schema<Options>& schema);
  };

  BceObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override;
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
