// What has a share in a score of the family `retrieval`: its members explains() and contributions().

#include <cmath>

#include "core/ids.h"
#include "models/distinct_sources.h"
#include "models/interaction_matrix.h"
#include "models/retrieval.h"

namespace reckon {

std::optional<Explains> Retrieval::explains() const {
  if (!scorer_->is_inner_product()) return std::nullopt;
  if (has_history()) {
    if (!encoder_->is_sum_of_steps()) return std::nullopt;
    return Explains{};
  }
  if (!serves_new_users() || !propagation_->is_sum_of_messages()) return std::nullopt;
  return Explains{.reads_training = true};
}

Retrieval::Summands Retrieval::summands_of_history(const Batch& request, const State& state) {
  const auto scoring = for_scoring();
  const auto history = request.at(batch_key::kHistory);  // [B, T]
  const auto valid = history.ne(kPaddingId);             // [B, T]
  const auto kept = valid.unsqueeze(-1);                 // [B, T, 1]
  auto vectors = history_rows(history, scoring.shared);  // [B, T, D]
  if (options_.user.history->scale)
    vectors = vectors * std::sqrt(static_cast<double>(options_.dim));
  const auto placed = position_->forward(vectors);  // [B, T, D]
  const auto x = placed * kept;                     // [B, T, D]
  const auto is_item = history.ge(0);               // [B, T]
  // Where in the history an item stands says nothing of the item.
  const auto values = vectors * is_item.unsqueeze(-1);          // [B, T, D]
  auto parts = encoder_->summands(x, values, valid);            // [B, T, D]
  auto rest = encoder_->summands(x, x - values, valid).sum(1);  // [B, D]
  if (reads_users()) {
    const auto own = own_rows(request, state.tensors[1], scoring);  // [B, D]
    const auto& weight = options_.user.id_weight;
    if (weight) parts = parts * (1.0 - *weight);  // [B, T, D]
    rest = joined(rest, own);                     // [B, D]
  }
  return {history.masked_fill(is_item.logical_not(), kPaddingId), parts, rest};
}

namespace {
// The items next to each user, padded to the longest row, and what each message counts there.
std::pair<torch::Tensor, torch::Tensor> padded_edges(const UserEdges& edges,
                                                     const torch::Tensor& users) {
  const auto rows = users.clamp_min(0);                                                 // [B]
  const auto first = edges.offsets.index_select(0, rows);                               // [B]
  const auto counts = (edges.offsets.index_select(0, rows + 1) - first) * users.ge(0);  // [B]
  // As many zeros as the longest row has edges, by a tensor operation: a trace must hold no number.
  const auto widest = at::repeat_interleave(counts.amax(0, /*keepdim=*/true));  // [P]
  const auto columns = at::ones_like(widest).cumsum(0) - 1;                     // [P]
  const auto is_there = columns.unsqueeze(0).lt(counts.unsqueeze(1));           // [B, P]
  const auto places = (first.unsqueeze(1) + columns) * is_there;                // [B, P]
  const auto items = edges.items.index({places}).to(torch::kLong);              // [B, P]
  auto worth = edges.scale.index_select(0, rows).unsqueeze(1) * is_there;       // [B, P]
  if (edges.weights.defined()) worth = worth * edges.weights.index({places});   // [B, P]
  return {items.masked_fill(is_there.logical_not(), kPaddingId), worth};
}
}  // namespace

Retrieval::Summands Retrieval::summands_of_messages(const Batch& request, const State& state) {
  const auto scoring = for_scoring();
  const auto& users = state.tensors[1];          // [B]
  const auto is_new = users.lt(0).unsqueeze(1);  // [B, 1]
  auto items = distinct_items(request.at(batch_key::kHistory))
                   .masked_fill(is_new.logical_not(), kPaddingId);       // [B, T]
  const auto count = items.ge(0).sum(1, /*keepdim=*/true).clamp_min(1);  // [B, 1]
  auto worth = count.to(scoring.messages.scalar_type()).pow(propagation_->message_exponent()) *
               items.ge(0);  // [B, T]
  if (request.has(batch_key::kUsers)) {
    const auto edges = folded_edges_ ? *folded_edges_ : propagation_->user_edges();
    const auto [next_items, next_worth] = padded_edges(edges, users);  // [B, P]
    items = at::cat({items, next_items}, 1);                           // [B, T + P]
    worth = at::cat({worth, next_worth}, 1);                           // [B, T + P]
  }
  const auto parts = at::embedding(scoring.messages, items.clamp_min(0)) * worth.unsqueeze(-1);
  // Of new users there is no rest, and not even the rounding of one.
  const auto rest = (state.tensors[0] - parts.sum(1)).masked_fill(is_new, 0.0);  // [B, D']
  return {items, parts, rest};
}

Explanation Retrieval::contributions(const Batch& request, const torch::Tensor& items) {
  TORCH_CHECK(explains(), "contributions: scores of this model are no sums; ask explains() first");
  auto asked = request;
  if (reads_users() && !asked.has(batch_key::kUsers))
    asked.set(batch_key::kUsers, at::full_like(items, kUnknownId));  // [B]
  const auto state = encode(asked);
  const auto& whole = state.tensors[0];  // [B, D']
  // A model that has no users in the request reads no edges of any.
  const auto [sources, parts, rest] =
      has_history() ? summands_of_history(asked, state) : summands_of_messages(request, state);
  const auto form = scorer_->item_form({item_rows(items, for_scoring().shared), items});  // [B, D']
  const auto scores_of = [&](const torch::Tensor& vectors) {
    return scorer_->query_parts(vectors, whole).matmul(form.vectors.unsqueeze(2)).squeeze(2);
  };
  auto left = scores_of(rest.unsqueeze(1)).squeeze(1);                          // [B]
  if (form.bias.defined()) left = left + form.bias;                             // [B]
  if (const auto bias = query_bias(state); bias.defined()) left = left + bias;  // [B]
  return with_distinct_sources(
      {.sources = sources, .contributions = scores_of(parts) * sources.ge(0), .rest = left});
}

}  // namespace reckon
