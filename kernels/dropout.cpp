#include "kernels/dropout.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <limits>

#include "kernels/cpu_features.h"
#include "kernels/dropout_loops.h"
#include "kernels/has_loop.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

using dropout_detail::Mask;

constexpr int64_t kGrainElements = 1 << 15;
constexpr double kRandomRange = 1 << 24;
// Stands where the number of a shard does, which is never negative.
constexpr uint64_t kRowStream = ~uint64_t{0};

thread_local uint64_t scope_key = 0;
thread_local uint64_t scope_row_key = 0;
thread_local uint64_t scope_calls = 0;
thread_local bool scope_active = false;

// The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

template <class Scalar>
void apply_run(const Scalar* x, Scalar* y, int64_t count, uint32_t first, Mask mask, Scalar scale) {
  return for_active_simd<void(const Scalar*, Scalar*, int64_t, uint32_t, Mask, Scalar)>(
      dropout_detail::apply_portable, dropout_detail::apply_avx2,
      dropout_detail::apply_avx512)(x, y, count, first, mask, scale);
}

torch::Tensor apply_mask(const torch::Tensor& x, Mask mask, double scale) {
  const auto from = x.contiguous();   // [...]
  auto to = torch::empty_like(from);  // [...]
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dropout", [&] {
    const auto* source = from.const_data_ptr<scalar_t>();
    auto* target = to.data_ptr<scalar_t>();
    at::parallel_for(0, from.numel(), kGrainElements, [&](int64_t begin, int64_t end) {
      apply_run<scalar_t>(source + begin, target + begin, end - begin, static_cast<uint32_t>(begin),
                          mask, static_cast<scalar_t>(scale));
    });
  });
  return to;
}

Mask to_mask(int64_t key, int64_t threshold) {
  const auto bits = static_cast<uint64_t>(key);
  return {static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32),
          static_cast<int32_t>(threshold)};
}

// Element d of the row of an id is number id * D + d of the table.
torch::Tensor apply_row_mask(const torch::Tensor& x, const torch::Tensor& ids, Mask mask,
                             double scale) {
  const int64_t width = x.size(-1);
  const auto from = x.contiguous(), named = ids.contiguous();  // [..., D], [...]
  auto to = torch::empty_like(from);                           // [..., D]
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dropout_rows", [&] {
    const auto* source = from.const_data_ptr<scalar_t>();
    const auto* id = named.const_data_ptr<int64_t>();
    auto* target = to.data_ptr<scalar_t>();
    const int64_t grain = std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, width));
    at::parallel_for(0, named.numel(), grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        apply_run<scalar_t>(source + row * width, target + row * width, width,
                            static_cast<uint32_t>(id[row] * width), mask,
                            static_cast<scalar_t>(scale));
    });
  });
  return to;
}

// The same by ATen, for other devices and types: 32-bit arithmetic in the low half of 64 bits.
torch::Tensor plain_row_mask(const torch::Tensor& x, const torch::Tensor& ids, Mask mask,
                             double scale) {
  constexpr int64_t kLow = 0xffffffff;
  const int64_t width = x.size(-1);
  const auto columns = torch::arange(width, ids.options());                         // [D]
  auto h = (ids.unsqueeze(-1) * width + columns).bitwise_and(kLow);                 // [..., D]
  h = (h * int64_t{0x9e3779b9}).bitwise_and(kLow).bitwise_xor(int64_t{mask.key1});  // [..., D]
  h = h.bitwise_xor(h.bitwise_right_shift(16));                                     // [..., D]
  h = (h * int64_t{0x7feb352d}).bitwise_and(kLow);                                  // [..., D]
  h = (h + int64_t{mask.key2}).bitwise_and(kLow);                                   // [..., D]
  h = h.bitwise_xor(h.bitwise_right_shift(15));                                     // [..., D]
  h = (h * int64_t{0x846ca68b}).bitwise_and(kLow);                                  // [..., D]
  h = h.bitwise_xor(h.bitwise_right_shift(16)).bitwise_right_shift(8);              // [..., D]
  return x * (h.ge(int64_t{mask.threshold}) * scale).to(x.scalar_type());           // [..., D]
}

// The mask is drawn again on the way back: cheaper than keeping it, and the function is linear, so
// that it is its own derivative.
class MaskedScale : public torch::autograd::Function<MaskedScale> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               int64_t key, int64_t threshold, double scale) {
    context->saved_data["key"] = key;
    context->saved_data["threshold"] = threshold;
    context->saved_data["scale"] = scale;
    return apply_mask(x, to_mask(key, threshold), scale);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto gradient = MaskedScale::apply(grads[0], context->saved_data["key"].toInt(),
                                             context->saved_data["threshold"].toInt(),
                                             context->saved_data["scale"].toDouble());
    return {gradient, {}, {}, {}};
  }
};

class MaskedScaleOfRows : public torch::autograd::Function<MaskedScaleOfRows> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& ids, int64_t key, int64_t threshold,
                               double scale) {
    context->save_for_backward({ids});
    context->saved_data["key"] = key;
    context->saved_data["threshold"] = threshold;
    context->saved_data["scale"] = scale;
    return has_loop(x) ? apply_row_mask(x, ids, to_mask(key, threshold), scale)
                       : plain_row_mask(x, ids, to_mask(key, threshold), scale);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto gradient = MaskedScaleOfRows::apply(grads[0], context->get_saved_variables()[0],
                                                   context->saved_data["key"].toInt(),
                                                   context->saved_data["threshold"].toInt(),
                                                   context->saved_data["scale"].toDouble());
    return {gradient, {}, {}, {}, {}};
  }
};

int64_t threshold_of(double p) { return static_cast<int64_t>(p * kRandomRange + 0.5); }

}  // namespace

DropoutScope::DropoutScope(uint64_t seed, int64_t step, int64_t shard)
    : previous_key_(scope_key),
      previous_row_key_(scope_row_key),
      previous_calls_(scope_calls),
      previous_active_(scope_active) {
  const uint64_t of_step = mix(mix(seed) ^ static_cast<uint64_t>(step));
  scope_key = mix(of_step ^ static_cast<uint64_t>(shard));
  scope_row_key = mix(of_step ^ kRowStream);
  scope_calls = 0;
  scope_active = true;
}

DropoutScope::~DropoutScope() {
  scope_key = previous_key_;
  scope_row_key = previous_row_key_;
  scope_calls = previous_calls_;
  scope_active = previous_active_;
}

uint64_t next_random_key() {
  if (scope_active) return mix(scope_key + scope_calls++);
  return static_cast<uint64_t>(
      torch::randint(std::numeric_limits<int64_t>::max(), {1}, torch::kLong).item<int64_t>());
}

torch::Tensor dropout(const torch::Tensor& x, double p, bool training) {
  TORCH_CHECK(p >= 0.0 && p < 1.0, "dropout: expected p in [0, 1), got ", p);
  if (!training || p == 0.0) return x;
  if (!scope_active || is_tracing() || !has_loop(x)) return at::dropout(x, p, true);  // [...]
  const uint64_t key = mix(scope_key + scope_calls++);
  return MaskedScale::apply(x, static_cast<int64_t>(key), threshold_of(p),
                            1.0 / (1.0 - p));  // [...]
}

torch::Tensor dropout_rows(const torch::Tensor& x, const torch::Tensor& ids, double p,
                           bool training) {
  TORCH_CHECK(p >= 0.0 && p < 1.0, "dropout_rows: expected p in [0, 1), got ", p);
  TORCH_CHECK(x.dim() >= 1 && x.sizes().slice(0, x.dim() - 1) == ids.sizes() &&
                  ids.scalar_type() == torch::kLong,
              "dropout_rows: expected x [..., D] and ids [...] int64, got ", x.sizes(), " and ",
              ids.sizes(), " ", ids.scalar_type());
  if (!training || p == 0.0) return x;
  if (!scope_active || is_tracing()) return at::dropout(x, p, true);  // [..., D]
  return MaskedScaleOfRows::apply(x, ids, static_cast<int64_t>(scope_row_key), threshold_of(p),
                                  1.0 / (1.0 - p));  // [..., D]
}

}  // namespace reckon
