#pragma once

#include <optional>

#include "layers/objective.h"

namespace reckon {

/// Agreement of two views of one graph (Wu, Wang, Feng, He, Chen, Lian, Xie, "Self-supervised Graph
/// Learning for Recommendation", SIGIR 2021, with `edge_dropout`; Yu et al., SimGCL, SIGIR 2022, with
/// `noise`), or of the graph and what is left of it after a truncated singular value decomposition (Cai,
/// Huang, Xia, Ren, "LightGCL: Simple Yet Effective Graph Contrastive Learning for Recommendation",
/// ICLR 2023, with `svd`; the paper compares layer by layer, its authors' program the sums of layers, as
/// here): each of the step's distinct users is to be nearest to itself in the other view, and so is each
/// item, negatives among them.
///
///   P * (mean_u -log softmax_v(cos(a_u, b_v) / temperature)[u] + the same over items)
///
/// for P targets, so that the mean over targets holds both means once.
class GraphContrastiveObjective : public Objective {
 public:
  struct Options {
    ViewNeeds::Kind view = ViewNeeds::Kind::kNoise;
    std::optional<double> amount;
    std::optional<int64_t> rank;
    double temperature = 0.2;
    static void describe(Schema<Options>& schema);
  };

  GraphContrastiveObjective(const Options& options, const Deps&) : options_(options) {}
  ObjectiveNeeds needs() const override;
  Coupling coupling() const override { return Coupling::kBatch; }
  LossParts forward(const ObjectiveInput& input) override;

 private:
  Options options_;
};

}  // namespace reckon
