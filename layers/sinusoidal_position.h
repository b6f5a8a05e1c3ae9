#pragma once

#include "layers/position.h"

namespace reckon {

/// Fixed sines and cosines of the distance p from the newest item (Vaswani et al., "Attention Is All
/// You Need", NeurIPS 2017): feature 2i is sin(p / 10000^(2i / D)), feature 2i + 1 its cosine.
class SinusoidalPosition : public Position {
 public:
  struct Options {
    double scale = 1.0;
    static void describe(Schema<Options>& schema);
  };

  SinusoidalPosition(const Options& options, const Deps& deps);
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  torch::Tensor table_;
};

}  // namespace reckon
