#pragma once

#include "layers/triple_scorer.h"

namespace reckon {

/// A relation turns the head towards the tail in the complex plane (RotatE: Sun, Deng, Nie, Tang,
/// "RotatE: Knowledge Graph Embedding by Relational Rotation in Complex Space", ICLR 2019).
///
///   score = -sum_d |h_d e^(i phase_rd) - t_d|
/// The first half of a vector are the real parts of its D / 2 complex numbers, the second the imaginary
/// ones.
class RotateScorer : public TripleScorer {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };

  /// Throws   std::invalid_argument when the width is odd.
  RotateScorer(const Options& options, const Deps& deps);
  torch::Tensor forward(const torch::Tensor& heads, const torch::Tensor& relations,
                        const torch::Tensor& tails) override;

 private:
  torch::Tensor phases_;  // [R, D / 2]
};

}  // namespace reckon
