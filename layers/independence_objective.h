#pragma once

#include <string>
#include <utility>
#include <vector>

#include "layers/objective.h"

namespace reckon {

/// How much intents of a propagation say the same, which is to be little (Wang, Huang, Wang, Yuan, Liu, He,
/// Chua, "Learning Intents behind Interactions with Knowledge Graph for Recommendation", WWW 2021). Of K
/// intents e:
///
///   distance:    sum over pairs of dCor(e_p, e_q), dCor = dCov / sqrt(dVar dVar), whose samples are the D
///                coordinates (Szekely, Rizzo, Bakirov, Annals of Statistics 2007); the paper's default
///   cosine:      sum over pairs of cos(e_p, e_q)^2
///   information: sum_p -log softmax_q(cos(e_p, e_q) / temperature)[p]
///
/// times P for P targets, so that the mean over targets holds it once. Each pair counts once.
class IndependenceObjective : public Objective {
 public:
  struct Options {
    enum class Measure { kDistance, kCosine, kInformation };
    Measure measure = Measure::kDistance;
    double temperature = 0.2;
    static void describe(Schema<Options>& schema);
  };

  IndependenceObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override { return {.intents = true}; }
  LossParts forward(const ObjectiveInput& input) override;

  /// Shapes   intents [K, D] -> []
  torch::Tensor dependence(const torch::Tensor& intents) const;

 private:
  Options options_;
};

template <>
struct EnumNames<IndependenceObjective::Options::Measure> {
  using Measure = IndependenceObjective::Options::Measure;
  static std::vector<std::pair<std::string, Measure>> all() {
    return {{"distance", Measure::kDistance},
            {"cosine", Measure::kCosine},
            {"information", Measure::kInformation}};
  }
};

}  // namespace reckon
