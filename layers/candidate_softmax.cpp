#include "layers/candidate_softmax.h"

#include <algorithm>

#include "kernels/sampled_softmax.h"
#include "layers/objective_terms.h"
#include "layers/sum_in_chunks.h"

namespace reckon {

namespace {

// Pairs that are scored at once: a network holds hundreds of bytes for each.
constexpr int64_t kPairsPerChunk = int64_t{1} << 16;

torch::Tensor fused_sum(const ObjectiveInput& input, const SoftmaxCandidates& candidates) {
  const double inverse = 1.0 / candidates.temperature;
  const auto scaled = [&](const torch::Tensor& t) {
    return t.defined() && candidates.temperature != 1.0 ? t * inverse : t;
  };
  const auto products = inner_products(input);
  const auto queries = scaled(products.queries);  // [P, D']
  auto chosen = scaled(products.chosen);          // [P]
  torch::Tensor correction;
  if (candidates.log_q.defined()) {
    chosen = chosen - candidates.target_log_q;  // [P]
    correction = -candidates.log_q;             // [C]
  }
  const auto form = input.scorer->item_form(candidates.items);  // [C, D'], [C]
  return shared_sampled_softmax(queries, form.vectors, sum_of(scaled(form.bias), correction),
                                chosen, input.targets.ids, candidates.items.ids, input.weights,
                                candidates.hits);  // []
}

torch::Tensor chunked_sum(const ObjectiveInput& input, const SoftmaxCandidates& candidates) {
  const double inverse = 1.0 / candidates.temperature;
  const auto& items = candidates.items;
  const bool is_shared = items.ids.dim() == 1;
  auto chosen = target_scores(input) * inverse;                               // [P]
  if (candidates.log_q.defined()) chosen = chosen - candidates.target_log_q;  // [P]

  ChunkedSum sum;
  sum.rows = {input.users.vectors, chosen};
  (is_shared ? sum.whole : sum.rows).push_back(items.vectors);
  sum.parameters = input.scorer->parameters();
  sum.part = [&](const std::vector<torch::Tensor>& rows, const std::vector<torch::Tensor>& whole,
                 int64_t begin) {
    const auto cut = [&, length = rows[0].size(0)](const torch::Tensor& t) {
      return t.defined() ? t.narrow(0, begin, length) : t;
    };
    const ScorerSide users{rows[0], cut(input.users.ids)};
    const auto ids = is_shared ? items.ids : cut(items.ids);  // [C] or [P, C]
    auto others =
        input.scorer->forward(users, {is_shared ? whole[0] : rows[2], ids}) * inverse;  // [P, C]
    if (candidates.log_q.defined())
      others = others - (is_shared ? candidates.log_q : cut(candidates.log_q));  // [P, C]
    auto hits = ids.eq(cut(input.targets.ids).unsqueeze(1));                     // [P, C]
    if (candidates.hits.defined()) hits = hits.logical_or(cut(candidates.hits));
    others = others.masked_fill(hits, kExcludedScore);  // [P, C]
    // log(e^a + sum e^b) - a = softplus(log sum e^b - a): stable, and without joining the two.
    return weighted_sum(at::softplus(others.logsumexp(1) - rows[1]), cut(input.weights)).sum;
  };
  const auto num_candidates = std::max<int64_t>(1, items.ids.size(-1));
  return sum_in_chunks(sum, std::max<int64_t>(1, kPairsPerChunk / num_candidates));  // []
}

}  // namespace

LossParts candidate_softmax(const ObjectiveInput& input, const SoftmaxCandidates& candidates) {
  const bool is_fused = candidates.items.ids.dim() == 1 && input.scorer->is_inner_product();
  return {.sum = is_fused ? fused_sum(input, candidates) : chunked_sum(input, candidates),
          .weight = total_weight(input)};
}

}  // namespace reckon
