#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"

namespace reckon {

/// Turns numbers into rows of an embedding table and the weights of those rows.
///
/// standardize: the row 0, times z = (x - mean) / deviation, both of the numbers it was fitted to
/// (population deviation). log: the same of log(1 + x). buckets: the row of the quantile that x falls
/// into, times 1; with boundaries b_1 < b_2 < ..., row i holds b_i < x <= b_{i+1}. The j-th of K - 1
/// boundaries is the smallest fitted number with at least j / K of all at or below it; equal ones and
/// those with no fitted number above are one bucket. Numbers that never differ give z = 0, or one
/// bucket. NaN stands for a missing number: kUnknownId, times 1.
/// Shapes   numbers [n] float64 -> rows [n] int64 in {kUnknownId, 0 .. num_rows() - 1}, weights [n]
class NumberTransformImpl : public torch::nn::Module {
 public:
  enum class Kind { kStandardize, kLog, kBuckets };

  /// What numbers become; rows and weights have the same shape.
  struct Weighted {
    torch::Tensor rows;
    torch::Tensor weights;
  };

  /// Fits to those of `numbers` [n] that are not NaN; of none, mean 0, deviation 1 and one bucket.
  /// Throws   c10::Error when Kind::kLog meets a negative number.
  NumberTransformImpl(Kind kind, int64_t num_buckets, const torch::Tensor& numbers);

  int64_t num_rows() const;
  Weighted forward(const torch::Tensor& numbers) const;

 private:
  Kind kind_;
  torch::Tensor mean_;        // [] float64
  torch::Tensor deviation_;   // [] float64, never 0
  torch::Tensor boundaries_;  // [K - 1] float64, ascending
};
TORCH_MODULE(NumberTransform);

template <>
struct EnumNames<NumberTransformImpl::Kind> {
  static std::vector<std::pair<std::string, NumberTransformImpl::Kind>> all() {
    return {{"standardize", NumberTransformImpl::Kind::kStandardize},
            {"log", NumberTransformImpl::Kind::kLog},
            {"buckets", NumberTransformImpl::Kind::kBuckets}};
  }
};

}  // namespace reckon
