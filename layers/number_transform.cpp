#include "layers/number_transform.h"

#include <torch/utils.h>

#include <algorithm>
#include <vector>

#include "core/ids.h"

namespace reckon {
namespace {

torch::Tensor quantiles(const torch::Tensor& numbers, int64_t num_buckets) {
  const auto sorted = std::get<0>(numbers.contiguous().sort());  // [n]
  const auto count = sorted.numel();
  const auto* value = sorted.data_ptr<double>();
  std::vector<double> out;
  for (int64_t j = 1; j < num_buckets && count > 0; ++j) {
    const auto place = (j * count + num_buckets - 1) / num_buckets - 1;
    const auto boundary = value[std::max<int64_t>(place, 0)];
    // Above the largest number there is nothing to learn a bucket from.
    if (boundary < value[count - 1] && (out.empty() || boundary > out.back()))
      out.push_back(boundary);
  }
  return torch::tensor(out, torch::kDouble);  // [K - 1]
}

}  // namespace

NumberTransformImpl::NumberTransformImpl(Kind kind, int64_t num_buckets,
                                         const torch::Tensor& numbers)
    : kind_(kind) {
  TORCH_CHECK(numbers.dim() == 1 && numbers.scalar_type() == torch::kDouble,
              "NumberTransform: expected numbers [n] of float64, got ", numbers.scalar_type(), " ",
              numbers.sizes());
  auto known = numbers.masked_select(numbers.isnan().logical_not());  // [m]
  if (kind == Kind::kLog) {
    TORCH_CHECK(known.numel() == 0 || known.min().item<double>() >= 0.0,
                "NumberTransform: log needs numbers of at least 0, got ",
                known.numel() == 0 ? 0.0 : known.min().item<double>());
    known = known.log1p();  // [m]
  }
  auto mean = torch::zeros({}, torch::kDouble), deviation = torch::ones({}, torch::kDouble);  // []
  auto boundaries = torch::empty({0}, torch::kDouble);  // [K - 1]
  if (kind == Kind::kBuckets) {
    boundaries = quantiles(known, num_buckets);
  } else if (known.numel() > 0) {
    // Equal numbers have a mean beside them and a deviation that is not 0, by rounding alone.
    const auto lowest = known.min(), highest = known.max();  // []
    const bool is_constant = lowest.item<double>() == highest.item<double>();
    mean = is_constant ? lowest : known.mean();
    const auto measured = (known - mean).square().mean().sqrt();  // []
    if (!is_constant && measured.item<double>() > 0.0) deviation = measured;
  }
  mean_ = register_buffer("mean", mean);                    // []
  deviation_ = register_buffer("deviation", deviation);     // []
  boundaries_ = register_buffer("boundaries", boundaries);  // [K - 1]
}

int64_t NumberTransformImpl::num_rows() const {
  return kind_ == Kind::kBuckets ? boundaries_.size(0) + 1 : 1;
}

NumberTransformImpl::Weighted NumberTransformImpl::forward(const torch::Tensor& numbers) const {
  const auto missing = numbers.isnan();  // [n]
  torch::Tensor rows, weights;
  if (kind_ == Kind::kBuckets) {
    rows = numbers.unsqueeze(1).gt(boundaries_).sum(1);  // [n]
    weights = torch::ones_like(numbers);                 // [n]
  } else {
    const auto scaled = kind_ == Kind::kLog ? numbers.log1p() : numbers;  // [n]
    rows = torch::zeros_like(numbers, torch::kLong);                      // [n]
    weights = ((scaled - mean_) / deviation_).masked_fill(missing, 1.0);  // [n]
  }
  return {.rows = rows.masked_fill(missing, kUnknownId), .weights = weights.to(torch::kFloat)};
}

}  // namespace reckon
