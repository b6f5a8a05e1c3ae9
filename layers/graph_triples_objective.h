#pragma once

#include "layers/fact_sampler.h"
#include "layers/objective.h"

namespace reckon {

/// Edges that are there above edges that are not, by the nodes' vectors and the relations of the model's
/// own propagation: the part of KGAT that learns its attention (Wang, He, Cao, Liu, Chua, "KGAT: Knowledge
/// Graph Attention Network for Recommendation", KDD 2019).
///
/// For each target of the step T edges are drawn from all that the propagation hears, interactions and the
/// other directions among them, and for each of them N corrupted ones:
///   sum_p w_p mean_T( mean_n -log sigmoid(s - s_n) + l2 / 2 (|h|^2 + |t|^2 + mean_n |e_n|^2) )
/// It has no parameters of its own. What is drawn (FactSampler) is a function of seed, step and shard.
class GraphTriplesObjective : public Objective {
 public:
  struct Options {
    int64_t triples = 1;
    int64_t negatives = 1;
    FactSampler::Corrupt corrupt = FactSampler::Corrupt::kTail;
    double l2 = 0.0;
    static void describe(Schema<Options>& schema);
  };

  GraphTriplesObjective(const Options& options, const Deps& deps);
  ObjectiveNeeds needs() const override { return {.graph_facts = true}; }

  /// Throws   c10::Error when the graph has no edges.
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
  FactSampler sampler_;
  std::shared_ptr<TripleScorer>
      scorer_;  // not registered: the propagation's parameters stand there once
};

}  // namespace reckon
