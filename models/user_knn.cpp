#include "models/user_knn.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "core/ids.h"
#include "kernels/topk.h"
#include "kernels/tracing.h"
#include "models/interaction_matrix.h"

namespace reckon {

void UserKnn::Options::describe(Schema<Options>& schema) {
  schema.field("neighbors", &Options::neighbors)
      .at_least(1)
      .doc("Most similar users whose items are recommended.");
  schema.field("similarity", &Options::similarity)
      .doc(
          "How alike two users are, as sets of items: cosine, asymmetric_cosine or jaccard, "
          "weighting "
          "ones, tf_idf or degree.");
}

UserKnn::UserKnn(const Options& options, const Deps& deps)
    : options_(options),
      num_users_(deps.num_users),
      num_items_(deps.num_items),
      user_offsets_(
          register_buffer("user_offsets", torch::zeros({deps.num_users + 1}, torch::kLong))),
      user_items_(register_buffer("user_items", torch::empty({0}, torch::kInt))),
      item_offsets_(
          register_buffer("item_offsets", torch::zeros({deps.num_items + 1}, torch::kLong))),
      item_users_(register_buffer("item_users", torch::empty({0}, torch::kInt))),
      item_squares_(register_buffer("item_squares", torch::zeros({deps.num_items}))),
      user_squares_(register_buffer("user_squares", torch::zeros({deps.num_users}))) {
  const auto& similarity = options.similarity;
  if (similarity.compares_ratings() || similarity.weighting == Weighting::kCounts ||
      similarity.weighting == Weighting::kBm25)
    throw ConfigError({{{"model"},
                        "model.similarity: user_knn compares histories, which are sets of items",
                        "measure: cosine, asymmetric_cosine or jaccard; weighting: ones, tf_idf or "
                        "degree"}});
}

double UserKnn::fit(const Interactions& train, const Context&) {
  TORCH_CHECK(train.num_items == num_items_ && train.num_users == num_users_, "user_knn: made for ",
              num_users_, " users and ", num_items_, " items, got data of ", train.num_users,
              " and ", train.num_items);
  const auto users = interaction_matrix(train);
  const auto items = transpose(users, num_items_);
  fill_buffer(user_offsets_, users.offsets);
  fill_buffer(user_items_, users.columns);
  fill_buffer(item_offsets_, items.offsets);
  fill_buffer(item_users_, items.columns);
  const auto squares = weighted(users, num_items_, options_.similarity).values.square();  // [E]
  const auto of_item = users.columns.to(torch::kLong);                                    // [E]
  item_squares_.zero_().index_put_({of_item}, squares);  // every element of an item is the same
  user_squares_.copy_(sum_sparse_rows({items.offsets, items.columns,
                                       item_squares_.repeat_interleave(items.offsets.diff())},
                                      num_users_, torch::arange(num_items_).unsqueeze(0))
                          .squeeze(0));  // [U]
  return std::numeric_limits<double>::quiet_NaN();
}

// Between histories and all training users.   Shapes   items [B, T] -> [B, U]
torch::Tensor UserKnn::similarities(const torch::Tensor& items) const {
  const auto& o = options_.similarity;
  const auto ones = at::ones_like(item_users_, torch::kFloat);  // [E]
  const SparseRows users_of_items{item_offsets_, item_users_, ones};
  const auto is_item = items.ge(0);                                        // [B, T]
  const auto own = item_squares_.index({items.clamp_min(0)}) * is_item;    // [B, T]
  const auto counts = sum_sparse_rows(users_of_items, num_users_, items);  // [B, U]
  torch::Tensor similar;
  if (o.measure == Similarity::kJaccard) {
    const auto sizes = user_offsets_.diff().to(torch::kFloat);           // [U]
    const auto all = is_item.sum(1, /*keepdim=*/true) + sizes - counts;  // [B, U]
    similar = counts / all.clamp_min(1);                                 // [B, U]
  } else {
    const bool is_cosine = o.measure == Similarity::kCosine;
    const double alpha = is_cosine ? 0.5 : o.alpha;
    const auto products = o.weighting == Weighting::kOnes
                              ? counts
                              : sum_sparse_rows(users_of_items, num_users_, items, own);  // [B, U]
    const auto length = own.sum(1, /*keepdim=*/true).clamp_min(1e-30).pow(alpha);         // [B, 1]
    similar = products / length / user_squares_.clamp_min(1e-30).pow(1.0 - alpha);        // [B, U]
  }
  if (o.shrinkage > 0.0) similar = similar * (counts / (counts + o.shrinkage));
  if (o.min_support > 1) similar = similar * counts.ge(o.min_support);
  return similar;
}

State UserKnn::encode(const Batch& request) {
  const auto similar = similarities(distinct_items(request.at(batch_key::kHistory)));  // [B, U]
  const int64_t k = std::min(options_.neighbors, num_users_);
  torch::Tensor users, values;
  if (is_tracing() || !similar.is_cpu()) {
    const auto sorted = at::sort(similar, /*stable=*/true, 1, /*descending=*/true);
    values = std::get<0>(sorted).slice(1, 0, k);  // [B, K]
    users = std::get<1>(sorted).slice(1, 0, k);   // [B, K]
  } else {
    const auto best = topk_of_scores(similar, {}, k);
    values = best.scores;  // [B, K]
    users = best.items;    // [B, K]
  }
  const auto is_neighbor = values.gt(0);  // [B, K]
  return {{users.masked_fill(is_neighbor.logical_not(), kPaddingId), values * is_neighbor}};
}

torch::Tensor UserKnn::score_all(const State& state) {
  const auto ones = at::ones_like(user_items_, torch::kFloat);  // [E]
  return sum_sparse_rows({user_offsets_, user_items_, ones}, num_items_, state.tensors[0],
                         state.tensors[1]);  // [B, I]
}

torch::Tensor UserKnn::score(const State& state, const torch::Tensor& candidates) {
  return score_all(state).gather(1, candidates);  // [B, C]
}

Explanation UserKnn::contributions(const Batch& request, const torch::Tensor& items) {
  const auto state = encode(request);
  const auto& neighbors = state.tensors[0];                     // [B, K]
  const auto& similar = state.tensors[1];                       // [B, K]
  const auto ones = at::ones_like(user_items_, torch::kFloat);  // [E]
  const auto has_it = sparse_elements({user_offsets_, user_items_, ones}, neighbors, items);
  return {.sources = neighbors,
          .contributions = similar * has_it,
          .rest = at::zeros_like(items, torch::kFloat)};
}

torch::Tensor UserKnn::usable(const Batch& request) {
  const auto& history = request.at(batch_key::kHistory);          // [B, T]
  const auto counts = item_offsets_.diff();                       // [I]
  const auto found = counts.index({history.clamp_min(0)}).gt(0);  // [B, T]
  return found.logical_and(history.ge(0)).any(/*dim=*/1);         // [B]
}

void UserKnn::check_buffers() const {
  const auto ones = [](const torch::Tensor& like) { return at::ones_like(like, torch::kFloat); };
  check_sparse_rows({user_offsets_, user_items_, ones(user_items_)}, num_users_, num_items_,
                    "user_knn, items of users");
  check_sparse_rows({item_offsets_, item_users_, ones(item_users_)}, num_items_, num_users_,
                    "user_knn, users of items");
  if (!item_squares_.isfinite().all().item<bool>() || !user_squares_.isfinite().all().item<bool>())
    throw std::invalid_argument("user_knn: a norm is NaN or infinity");
}

}  // namespace reckon
