#include "kernels/shared_hinge.h"

#include <ATen/Dispatch.h>
#include <torch/autograd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "kernels/pair_hits.h"
#include "kernels/times_upstream.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

// Scores held at once; small enough that they are still in the cache when they are looked through.
constexpr int64_t kScoresPerChunk = int64_t{1} << 16;

// Scores that are compared together before any of them is looked at alone.
constexpr int64_t kBlock = 32;

// With more than one score of this many above its limit, products of matrices are cheaper than rows
// one by one.
constexpr int64_t kSparse = 16;

struct SumAndGradients {
  double sum = 0.0;
  torch::Tensor queries, negatives, limits;
};

template <class T>
SumAndGradients one_pass(const torch::Tensor& queries, const torch::Tensor& negatives,
                         const torch::Tensor& limits, const torch::Tensor& target_ids,
                         const torch::Tensor& negative_ids, const torch::Tensor& weights,
                         const torch::Tensor& hits) {
  const int64_t num_queries = queries.size(0), width = queries.size(1), count = negatives.size(0);
  const auto* query = queries.const_data_ptr<T>();
  const auto* negative = negatives.const_data_ptr<T>();
  const auto* limit = limits.const_data_ptr<T>();
  const auto* target = target_ids.const_data_ptr<int64_t>();
  const auto* id = negative_ids.const_data_ptr<int64_t>();
  const auto* weight = weights.defined() ? weights.const_data_ptr<T>() : nullptr;
  const auto* is_hit = hits.defined() ? hits.const_data_ptr<bool>() : nullptr;

  SumAndGradients out;
  out.queries = torch::zeros_like(queries);      // [P, D]
  out.negatives = torch::zeros_like(negatives);  // [N, D]
  out.limits = torch::zeros_like(limits);        // [N]
  auto* of_queries = out.queries.data_ptr<T>();
  auto* of_negatives = out.negatives.data_ptr<T>();
  auto* of_limits = out.limits.data_ptr<T>();

  struct Above {
    int64_t row, place;
  };
  std::vector<Above> above;
  const int64_t chunk = std::max<int64_t>(1, kScoresPerChunk / std::max<int64_t>(1, count));
  auto scores = torch::empty({std::min(chunk, num_queries), count}, queries.options());  // [p, N]
  for (int64_t begin = 0; begin < num_queries; begin += chunk) {
    const int64_t size = std::min(chunk, num_queries - begin);
    auto part = scores.narrow(0, 0, size);             // [p, N]
    const auto own = queries.narrow(0, begin, size);   // [p, D]
    at::mm_out(part, own, negatives.transpose(0, 1));  // [p, N]
    auto* score = part.data_ptr<T>();
    above.clear();
    for (int64_t row = 0; row < size; ++row) {
      const auto* line = score + row * count;
      const auto own_target = target[begin + row];
      for (int64_t block = 0; block < count; block += kBlock) {
        const int64_t end = std::min(count, block + kBlock);
        bool any = false;
        for (int64_t n = block; n < end; ++n) any |= line[n] > limit[n];
        if (!any) continue;
        for (int64_t n = block; n < end; ++n)
          if (line[n] > limit[n] && id[n] != own_target &&
              (is_hit == nullptr || !is_hit[(begin + row) * count + n]))
            above.push_back({row, n});
      }
    }
    const auto weight_of = [&](int64_t row) {
      return weight == nullptr ? T(1) : weight[begin + row];
    };
    for (const auto [row, n] : above) {
      out.sum += static_cast<double>(weight_of(row)) *
                 static_cast<double>(score[row * count + n] - limit[n]);
      of_limits[n] -= weight_of(row);
    }
    if (static_cast<int64_t>(above.size()) > size * count / kSparse) {
      part.zero_();
      for (const auto [row, n] : above) score[row * count + n] = weight_of(row);
      auto to = out.queries.narrow(0, begin, size);  // [p, D]
      at::mm_out(to, part, negatives);
      out.negatives.addmm_(part.transpose(0, 1), own);
      continue;
    }
    for (const auto [row, n] : above) {
      const T w = weight_of(row);
      const T* q = query + (begin + row) * width;
      const T* v = negative + n * width;
      T* to_q = of_queries + (begin + row) * width;
      T* to_v = of_negatives + n * width;
      for (int64_t d = 0; d < width; ++d) to_q[d] += w * v[d];
      for (int64_t d = 0; d < width; ++d) to_v[d] += w * q[d];
    }
  }
  return out;
}

class SharedHinge : public torch::autograd::Function<SharedHinge> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& queries, const torch::Tensor& negatives,
                               const torch::Tensor& limits, const torch::Tensor& target_ids,
                               const torch::Tensor& negative_ids,
                               const std::optional<torch::Tensor>& weights,
                               const std::optional<torch::Tensor>& hits) {
    const auto contiguous = [](const std::optional<torch::Tensor>& t) {
      return t ? t->contiguous() : torch::Tensor();
    };
    SumAndGradients made;
    AT_DISPATCH_FLOATING_TYPES(queries.scalar_type(), "shared_hinge", [&] {
      made = one_pass<scalar_t>(queries.contiguous(), negatives.contiguous(), limits.contiguous(),
                                target_ids.contiguous(), negative_ids.contiguous(),
                                contiguous(weights), contiguous(hits));
    });
    context->save_for_backward({made.queries, made.negatives, made.limits});
    return torch::full({}, made.sum, queries.options());  // []
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradient) {
    return times_upstream(context->get_saved_variables(), gradient[0], 7);
  }
};

}  // namespace

torch::Tensor shared_hinge(const torch::Tensor& queries, const torch::Tensor& negatives,
                           const torch::Tensor& limits, const torch::Tensor& target_ids,
                           const torch::Tensor& negative_ids, const torch::Tensor& weights,
                           const torch::Tensor& hits) {
  TORCH_CHECK(queries.dim() == 2 && negatives.dim() == 2 && queries.size(1) == negatives.size(1),
              "shared_hinge: expected queries [P, D] and negatives [N, D], got ", queries.sizes(),
              " and ", negatives.sizes());
  const auto rows = queries.sizes().slice(0, 1), count = negatives.sizes().slice(0, 1);
  TORCH_CHECK(limits.sizes() == count && negative_ids.sizes() == count,
              "shared_hinge: expected limits and negative_ids ", count, ", got ", limits.sizes(),
              " and ", negative_ids.sizes());
  TORCH_CHECK(target_ids.sizes() == rows && (!weights.defined() || weights.sizes() == rows),
              "shared_hinge: expected target_ids and weights ", rows, ", got ", target_ids.sizes(),
              " and ", weights.defined() ? weights.sizes() : at::IntArrayRef());
  check_hits("shared_hinge", hits, rows[0], count[0]);
  const auto type = queries.scalar_type();
  const bool alike = negatives.scalar_type() == type && limits.scalar_type() == type &&
                     (!weights.defined() || weights.scalar_type() == type);
  if (queries.is_cpu() && alike && (type == torch::kFloat || type == torch::kDouble) &&
      !is_tracing())
    return SharedHinge::apply(queries, negatives, limits, target_ids, negative_ids,
                              weights.defined() ? std::optional(weights.detach()) : std::nullopt,
                              hits.defined() ? std::optional(hits) : std::nullopt);
  const auto excess = at::relu(at::matmul(queries, negatives.transpose(0, 1)) - limits);  // [P, N]
  auto left_out = negative_ids.eq(target_ids.unsqueeze(1));                               // [P, N]
  if (hits.defined()) left_out = left_out.logical_or(hits);                               // [P, N]
  const auto sums = excess.masked_fill(left_out, 0.0).sum(1);                             // [P]
  return (weights.defined() ? sums * weights : sums).sum();                               // []
}

}  // namespace reckon
