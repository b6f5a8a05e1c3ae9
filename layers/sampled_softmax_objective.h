#pragma once

#include <optional>

#include "layers/objective.h"

namespace reckon {

/// Cross-entropy of each target among sampled negatives (Jean et al., ACL 2015; for SASRec:
/// Klenitskiy, Vasilev, RecSys 2023).
///
///   sum_p w_p * ( log(exp z(u, i) + sum_n exp z(u, j_n)) - z(u, i) )
///   z(u, j) = s(u, j) / temperature, less log q(j) with `log_q`, q being how often j is drawn
/// A negative that is the target itself does not count.
class SampledSoftmaxObjective : public Objective {
 public:
  struct Options {
    int64_t negatives = 256;
    ObjectiveNeeds::Sharing sharing = ObjectiveNeeds::Sharing::kStep;
    double popularity_exponent = 0.0;
    std::optional<bool> exclude_positives;
    bool log_q = false;
    double temperature = 1.0;
    static void describe(Schema<Options>& schema);
  };

  SampledSoftmaxObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override;
  LossParts forward(const ObjectiveInput& input) override;

 private:
  // Negatives of each position, read from the table of all items: [P, N, D] is never made.
  LossParts loss_from_table(const ObjectiveInput& input);

  Options options_;
};

}  // namespace reckon
