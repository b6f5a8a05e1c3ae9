#pragma once

#include "layers/sequence_encoder.h"

namespace reckon {

/// The mean of the items up to each step; with `decay` below 1 older ones weigh less.
///
///   state[t] = sum_(s <= t) decay^(n(t) - n(s)) x[s] / sum_(s <= t) decay^(n(t) - n(s))
/// over valid s, n(t) being the number of valid items up to t.
class MeanPoolingEncoder : public SequenceEncoder {
 public:
  struct Options {
    double decay = 1.0;
    static void describe(Schema<Options>& schema);
  };

  MeanPoolingEncoder(const Options& options, const Deps& deps)
      : options_(options), width_(deps.width) {}

  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid) override;
  bool is_sum_of_steps() const override { return true; }
  torch::Tensor summands(const torch::Tensor& x, const torch::Tensor& values,
                         const torch::Tensor& valid) override;
  OutputSpec output_spec() const override { return {.width = width_}; }

 private:
  Options options_;
  int64_t width_;
};

}  // namespace reckon
