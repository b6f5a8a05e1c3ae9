#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/catalog.h"
#include "core/random.h"
#include "layers/embedding_table.h"
#include "layers/fact_sampler.h"
#include "layers/objective.h"
#include "layers/triple_scorer.h"

namespace reckon {

/// Facts that hold above facts that do not: the vectors of items are also vectors of entities, which
/// relations bring together. Beside a ranking objective it is the structural part of CKE (Zhang, Yuan,
/// Lian, Xie, Ma, "Collaborative Knowledge Base Embedding for Recommender Systems", KDD 2016).
///
/// For each target of the step T facts are drawn from all there are, and for each of them N corrupted
/// ones, whose head or tail is another entity:
///   sum_p w_p mean_T( loss(s, s_1 .. s_N) + l2 / 2 (|h|^2 + |t|^2 + mean_n |e_n|^2) )
///   margin:            mean_n max(0, margin - s + s_n)                  (TransE, TransR, DistMult)
///   logistic:          mean_n -log sigmoid(s - s_n)                     (CKE)
///   self_adversarial:  -log sigmoid(margin + s) - sum_n p_n log sigmoid(-s_n - margin), with
///                      p = softmax(temperature * s_n) as a constant     (RotatE)
/// What is drawn (FactSampler) is a function of seed, step and shard.
class TriplesObjective : public Objective {
 public:
  struct Options {
    enum class Loss { kMargin, kLogistic, kSelfAdversarial };
    using Corrupt = FactSampler::Corrupt;
    Component<TripleScorer> scorer;
    Loss loss = Loss::kMargin;
    double margin = 1.0;
    double temperature = 1.0;
    int64_t triples = 1;
    int64_t negatives = 1;
    Corrupt corrupt = Corrupt::kHeadOrTail;
    double l2 = 0.0;
    EmbeddingInit init;
    static void describe(Schema<Options>& schema);
  };

  using Drawn = FactSampler::Drawn;

  TriplesObjective(const Options& options, const Deps& deps);
  ObjectiveNeeds needs() const override { return {.triples = true}; }

  /// Throws   c10::Error when there are no triples.
  LossParts forward(const ObjectiveInput& input) override;

  /// Draws `count` facts and corrupts each.
  Drawn draw(int64_t count, const RandomKey& key) const { return sampler_.draw(count, key); }

  /// The loss of each fact, without l2.   Shapes   holds [n], corrupted [n, N] -> [n]
  torch::Tensor losses(const torch::Tensor& holds, const torch::Tensor& corrupted) const;

 private:
  // The items' own rows, and those of the other entities behind them.
  torch::Tensor entity_rows(const torch::Tensor& entities, const ObjectiveInput& input) const;

  Options options_;
  int64_t num_items_;
  FactSampler sampler_;
  std::shared_ptr<TripleScorer> scorer_;
  EmbeddingTable entities_{nullptr};  // those that are no items
};

template <>
struct EnumNames<TriplesObjective::Options::Loss> {
  using Loss = TriplesObjective::Options::Loss;
  static std::vector<std::pair<std::string, Loss>> all() {
    return {{"margin", Loss::kMargin},
            {"logistic", Loss::kLogistic},
            {"self_adversarial", Loss::kSelfAdversarial}};
  }
};

}  // namespace reckon
