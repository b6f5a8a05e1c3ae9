#include "kernels/sampled_softmax.h"

#include <torch/autograd.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/exp_chunks.h"
#include "kernels/pair_hits.h"
#include "kernels/row_products.h"
#include "kernels/times_upstream.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

// The score of a negative that may not count: no exponential sees it, yet it is finite, so that a row
// in which nothing counts has gradients of zero and not of NaN.
constexpr float kExcluded = -1e30f;

// Scalar parts of the loss, filled by position.
struct Terms {
  explicit Terms(int64_t count) : losses(count) {}

  // What log sum exp of the negatives makes of a position: the loss, and the factor of exponentials.
  float take(int64_t p, float chosen, float weight, exp_detail::RowSum negatives,
             float* to_chosen) {
    const double above = negatives.max + std::log(static_cast<double>(negatives.sum)) - chosen;
    // softplus and its derivative, without overflow on either side.
    const double small = std::exp(-std::abs(above));
    losses[p] = weight * (std::max(above, 0.0) + std::log1p(small));
    const double share = weight * (above > 0.0 ? 1.0 : small) / (1.0 + small);
    *to_chosen = static_cast<float>(-share);
    return static_cast<float>(share / negatives.sum);
  }

  double sum() const { return std::accumulate(losses.begin(), losses.end(), 0.0); }

  std::vector<double> losses;
};

struct LossAndGradients {
  double loss = 0.0;
  torch::Tensor queries, rows, offsets, chosen;
};

const float* data_or_null(const torch::Tensor& t) {
  return t.defined() ? t.const_data_ptr<float>() : nullptr;
}

LossAndGradients shared_pass(const torch::Tensor& queries, const torch::Tensor& negatives,
                             const torch::Tensor& offsets, const torch::Tensor& chosen,
                             const torch::Tensor& target_ids, const torch::Tensor& negative_ids,
                             const torch::Tensor& weights, const torch::Tensor& hits,
                             bool with_gradients) {
  const int64_t num_queries = queries.size(0), count = negatives.size(0);
  const auto* target = target_ids.const_data_ptr<int64_t>();
  const auto* score_of_target = chosen.const_data_ptr<float>();
  const auto* weight = data_or_null(weights);
  const auto* offset = data_or_null(offsets);
  const auto* is_hit = hits.defined() ? hits.const_data_ptr<bool>() : nullptr;
  // Places of the negatives in order of their ids: those that equal a target are found by bisection.
  const auto* id = negative_ids.const_data_ptr<int64_t>();
  std::vector<int64_t> order(count), sorted(count);
  std::iota(order.begin(), order.end(), int64_t{0});
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return id[a] < id[b]; });
  for (int64_t n = 0; n < count; ++n) sorted[n] = id[order[n]];

  LossAndGradients out;
  out.chosen = torch::empty({num_queries}, queries.options());  // [P]
  auto* to_chosen = out.chosen.data_ptr<float>();
  Terms terms(num_queries);
  auto gradients = exp_detail::for_each_score_row(
      queries, negatives, offsets.defined(), with_gradients, [&](int64_t p, float* row) {
        const auto [from, to] = std::equal_range(sorted.begin(), sorted.end(), target[p]);
        for (auto hit = from; hit != to; ++hit) row[order[hit - sorted.begin()]] = kExcluded;
        if (is_hit != nullptr) put_at_hits(is_hit + p * count, count, kExcluded, row);
        const auto sum = exp_detail::exp_row(row, offset, count);
        return terms.take(p, score_of_target[p], weight == nullptr ? 1.0f : weight[p], sum,
                          to_chosen + p);
      });
  out.loss = terms.sum();
  out.queries = gradients.queries;
  out.rows = gradients.rows;
  out.offsets = gradients.bias;
  return out;
}

void dot_rows(const float* query, const float* table, const int64_t* ids, int64_t count,
              int64_t width, float* out) {
  return for_active_simd(row_detail::dot_rows_portable, row_detail::dot_rows_avx2,
                         row_detail::dot_rows_avx512)(query, table, ids, count, width, out);
}

void add_rows(const float* query, const float* table, const int64_t* ids, const float* values,
              int64_t count, int64_t width, float* sum, float* gradient) {
  return for_active_simd(row_detail::add_rows_portable, row_detail::add_rows_avx2,
                         row_detail::add_rows_avx512)(query, table, ids, values, count, width, sum,
                                                      gradient);
}

// One position after another: they add to common rows, and a training step runs a shard on each core.
LossAndGradients position_pass(const torch::Tensor& queries, const torch::Tensor& items,
                               const torch::Tensor& offsets, const torch::Tensor& chosen,
                               const torch::Tensor& target_ids, const torch::Tensor& negative_ids,
                               const torch::Tensor& weights, const torch::Tensor& /*hits*/,
                               bool with_gradients) {
  const int64_t num_queries = queries.size(0), width = queries.size(1);
  const int64_t count = negative_ids.size(1);
  const auto* query = queries.const_data_ptr<float>();
  const auto* table = items.const_data_ptr<float>();
  const auto* offset = data_or_null(offsets);
  const auto* score_of_target = chosen.const_data_ptr<float>();
  const auto* target = target_ids.const_data_ptr<int64_t>();
  const auto* ids = negative_ids.const_data_ptr<int64_t>();
  const auto* weight = data_or_null(weights);

  LossAndGradients out;
  out.chosen = torch::empty({num_queries}, queries.options());  // [P]
  if (with_gradients) {
    out.queries = torch::zeros_like(queries);                         // [P, D]
    out.rows = torch::zeros_like(items);                              // [I, D]
    if (offsets.defined()) out.offsets = torch::empty_like(offsets);  // [P, N]
  }
  Terms terms(num_queries);
  std::vector<float> scores(count);
  for (int64_t p = 0; p < num_queries; ++p) {
    const auto* mine = ids + p * count;
    dot_rows(query + p * width, table, mine, count, width, scores.data());
    for (int64_t n = 0; n < count; ++n)
      if (mine[n] == target[p]) scores[n] = kExcluded;
    const auto sum =
        exp_detail::exp_row(scores.data(), offset == nullptr ? nullptr : offset + p * count, count);
    const float factor = terms.take(p, score_of_target[p], weight == nullptr ? 1.0f : weight[p],
                                    sum, out.chosen.data_ptr<float>() + p);
    if (!with_gradients) continue;
    for (auto& score : scores) score *= factor;
    add_rows(query + p * width, table, mine, scores.data(), count, width,
             out.queries.data_ptr<float>() + p * width, out.rows.data_ptr<float>());
    if (out.offsets.defined())
      std::copy(scores.begin(), scores.end(), out.offsets.data_ptr<float>() + p * count);
  }
  out.loss = terms.sum();
  return out;
}

using Pass = LossAndGradients (*)(const torch::Tensor&, const torch::Tensor&, const torch::Tensor&,
                                  const torch::Tensor&, const torch::Tensor&, const torch::Tensor&,
                                  const torch::Tensor&, const torch::Tensor&, bool);

// The gradients are made with the loss, and only scaled on the way back.
class FusedSampledSoftmax : public torch::autograd::Function<FusedSampledSoftmax> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& queries, const torch::Tensor& rows,
                               const std::optional<torch::Tensor>& offsets,
                               const torch::Tensor& chosen, const torch::Tensor& target_ids,
                               const torch::Tensor& negative_ids,
                               const std::optional<torch::Tensor>& weights,
                               const std::optional<torch::Tensor>& hits, bool is_shared,
                               bool with_gradients) {
    const auto contiguous = [](const std::optional<torch::Tensor>& t) {
      return t ? t->contiguous() : torch::Tensor();
    };
    const Pass pass = is_shared ? shared_pass : position_pass;
    const auto made = pass(queries.contiguous(), rows.contiguous(), contiguous(offsets),
                           chosen.contiguous(), target_ids.contiguous(), negative_ids.contiguous(),
                           contiguous(weights), contiguous(hits), with_gradients);
    if (with_gradients)
      context->save_for_backward({made.queries, made.rows, made.offsets, made.chosen});
    return torch::full({}, made.loss, queries.options());  // []
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "sampled_softmax: second derivatives are not offered");
    return times_upstream(context->get_saved_variables(), grads[0], 10);
  }
};

torch::Tensor plain(const torch::Tensor& scores, const torch::Tensor& offsets,
                    const torch::Tensor& hits, const torch::Tensor& chosen,
                    const torch::Tensor& weights) {
  auto others = offsets.defined() ? scores + offsets : scores;  // [P, N]
  others = others.masked_fill(hits, kExcluded);                 // [P, N]
  // log(e^a + sum e^b) - a = softplus(log sum e^b - a): stable, and without joining the two.
  const auto losses = at::softplus(others.logsumexp(1) - chosen);  // [P]
  return (weights.defined() ? losses * weights : losses).sum();    // []
}

void check_queries(const char* name, const torch::Tensor& queries, const torch::Tensor& rows,
                   const torch::Tensor& chosen, const torch::Tensor& target_ids,
                   const torch::Tensor& weights) {
  TORCH_CHECK(queries.dim() == 2 && rows.dim() == 2 && queries.size(1) == rows.size(1), name,
              ": expected queries [P, D] and rows [R, D], got ", queries.sizes(), " and ",
              rows.sizes());
  TORCH_CHECK(chosen.dim() == 1 && chosen.size(0) == queries.size(0) && target_ids.dim() == 1 &&
                  target_ids.size(0) == queries.size(0) && target_ids.scalar_type() == torch::kLong,
              name, ": expected chosen [", queries.size(0),
              "] and target_ids of that shape, int64, got ", chosen.sizes(), " and ",
              target_ids.sizes(), " ", target_ids.scalar_type());
  TORCH_CHECK(!weights.defined() || (weights.dim() == 1 && weights.size(0) == queries.size(0)),
              name, ": expected weights [", queries.size(0), "], got ", weights.sizes());
}

bool takes_own_loops(const torch::Tensor& queries, const torch::Tensor& rows,
                     const torch::Tensor& offsets, const torch::Tensor& chosen,
                     const torch::Tensor& weights) {
  using exp_detail::is_plain_float;
  return !is_tracing() && is_plain_float(queries) && is_plain_float(rows) &&
         is_plain_float(offsets) && is_plain_float(chosen) && is_plain_float(weights) &&
         !(weights.defined() && weights.requires_grad());
}

torch::Tensor fused(const torch::Tensor& queries, const torch::Tensor& rows,
                    const torch::Tensor& offsets, const torch::Tensor& chosen,
                    const torch::Tensor& target_ids, const torch::Tensor& negative_ids,
                    const torch::Tensor& weights, const torch::Tensor& hits, bool is_shared) {
  const auto optional = [](const torch::Tensor& t) {
    return t.defined() ? std::optional<torch::Tensor>(t) : std::nullopt;
  };
  const bool with_gradients =
      at::GradMode::is_enabled() &&
      (queries.requires_grad() || rows.requires_grad() || chosen.requires_grad() ||
       (offsets.defined() && offsets.requires_grad()));
  return FusedSampledSoftmax::apply(queries, rows, optional(offsets), chosen, target_ids,
                                    negative_ids, optional(weights), optional(hits), is_shared,
                                    with_gradients);
}

}  // namespace

torch::Tensor shared_sampled_softmax(const torch::Tensor& queries, const torch::Tensor& negatives,
                                     const torch::Tensor& offsets, const torch::Tensor& chosen,
                                     const torch::Tensor& target_ids,
                                     const torch::Tensor& negative_ids,
                                     const torch::Tensor& weights, const torch::Tensor& hits) {
  constexpr const char* kName = "shared_sampled_softmax";
  check_queries(kName, queries, negatives, chosen, target_ids, weights);
  const int64_t count = negatives.size(0);
  TORCH_CHECK(count > 0 && negative_ids.dim() == 1 && negative_ids.size(0) == count &&
                  negative_ids.scalar_type() == torch::kLong,
              kName, ": expected negative_ids [", count, "] int64, at least one, got ",
              negative_ids.sizes(), " ", negative_ids.scalar_type());
  TORCH_CHECK(!offsets.defined() || (offsets.dim() == 1 && offsets.size(0) == count), kName,
              ": expected offsets [", count, "], got ", offsets.sizes());
  check_hits(kName, hits, queries.size(0), count);
  if (takes_own_loops(queries, negatives, offsets, chosen, weights))
    return fused(queries, negatives, offsets, chosen, target_ids, negative_ids, weights, hits,
                 true);
  auto left_out = negative_ids.eq(target_ids.unsqueeze(1));                              // [P, N]
  if (hits.defined()) left_out = left_out.logical_or(hits);                              // [P, N]
  return plain(at::matmul(queries, negatives.t()), offsets, left_out, chosen, weights);  // []
}

torch::Tensor position_sampled_softmax(const torch::Tensor& queries, const torch::Tensor& items,
                                       const torch::Tensor& offsets, const torch::Tensor& chosen,
                                       const torch::Tensor& target_ids,
                                       const torch::Tensor& negative_ids,
                                       const torch::Tensor& weights) {
  constexpr const char* kName = "position_sampled_softmax";
  check_queries(kName, queries, items, chosen, target_ids, weights);
  TORCH_CHECK(negative_ids.dim() == 2 && negative_ids.size(0) == queries.size(0) &&
                  negative_ids.size(1) > 0 && negative_ids.scalar_type() == torch::kLong,
              kName, ": expected negative_ids [", queries.size(0), ", N] int64, got ",
              negative_ids.sizes(), " ", negative_ids.scalar_type());
  TORCH_CHECK(!offsets.defined() || offsets.sizes() == negative_ids.sizes(), kName,
              ": expected offsets ", negative_ids.sizes(), ", got ", offsets.sizes());
  if (!is_tracing() && negative_ids.numel() > 0) {
    const auto [lowest, highest] = at::aminmax(negative_ids);  // [], []
    TORCH_CHECK(lowest.item<int64_t>() >= 0 && highest.item<int64_t>() < items.size(0), kName,
                ": expected negatives in [0, ", items.size(0), "), got some in [",
                lowest.item<int64_t>(), ", ", highest.item<int64_t>(), "]");
  }
  if (takes_own_loops(queries, items, offsets, chosen, weights))
    return fused(queries, items, offsets, chosen, target_ids, negative_ids, weights, {}, false);
  const auto rows =
      items.index_select(0, negative_ids.flatten()).unflatten(0, negative_ids.sizes());
  const auto scores = at::matmul(rows, queries.unsqueeze(-1)).squeeze(-1);  // [P, N]
  const auto hits = negative_ids.eq(target_ids.unsqueeze(1));               // [P, N]
  return plain(scores, offsets, hits, chosen, weights);                     // []
}

}  // namespace reckon
