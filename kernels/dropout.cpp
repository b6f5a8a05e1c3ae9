#include "kernels/dropout.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include "kernels/cpu_features.h"
#include "kernels/dropout_loops.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

using dropout_detail::Mask;

constexpr int64_t kGrainElements = 1 << 15;
constexpr double kRandomRange = 1 << 24;

thread_local uint64_t scope_key = 0;
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
void apply_range(const Scalar* x, Scalar* y, int64_t begin, int64_t end, Mask mask, Scalar scale) {
  switch (active_simd()) {
    case Simd::kAvx512:
      return dropout_detail::apply_avx512(x, y, begin, end, mask, scale);
    case Simd::kAvx2:
      return dropout_detail::apply_avx2(x, y, begin, end, mask, scale);
    case Simd::kPortable:
      return dropout_detail::apply_portable(x, y, begin, end, mask, scale);
  }
}

torch::Tensor apply_mask(const torch::Tensor& x, Mask mask, double scale) {
  const auto from = x.contiguous();   // [...]
  auto to = torch::empty_like(from);  // [...]
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "dropout", [&] {
    const auto* source = from.const_data_ptr<scalar_t>();
    auto* target = to.data_ptr<scalar_t>();
    at::parallel_for(0, from.numel(), kGrainElements, [&](int64_t begin, int64_t end) {
      apply_range<scalar_t>(source, target, begin, end, mask, static_cast<scalar_t>(scale));
    });
  });
  return to;
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

 private:
  static Mask to_mask(int64_t key, int64_t threshold) {
    const auto bits = static_cast<uint64_t>(key);
    return {static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32),
            static_cast<int32_t>(threshold)};
  }
};

}  // namespace

DropoutScope::DropoutScope(uint64_t seed, int64_t step, int64_t shard)
    : previous_key_(scope_key), previous_calls_(scope_calls), previous_active_(scope_active) {
  scope_key = mix(mix(mix(seed) ^ static_cast<uint64_t>(step)) ^ static_cast<uint64_t>(shard));
  scope_calls = 0;
  scope_active = true;
}

DropoutScope::~DropoutScope() {
  scope_key = previous_key_;
  scope_calls = previous_calls_;
  scope_active = previous_active_;
}

torch::Tensor dropout(const torch::Tensor& x, double p, bool training) {
  TORCH_CHECK(p >= 0.0 && p < 1.0, "dropout: expected p in [0, 1), got ", p);
  if (!training || p == 0.0) return x;
  const auto type = x.scalar_type();
  const bool own = scope_active && x.is_cpu() && !is_tracing() &&
                   (type == torch::kFloat || type == torch::kDouble);
  if (!own) return at::dropout(x, p, true);  // [...]
  const uint64_t key = mix(scope_key + scope_calls++);
  return MaskedScale::apply(x, static_cast<int64_t>(key),
                            static_cast<int64_t>(p * kRandomRange + 0.5),
                            1.0 / (1.0 - p));  // [...]
}

}  // namespace reckon
