#include "models/retrieval.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "kernels/dropout.h"
#include "kernels/tracing.h"
#include "layers/no_position.h"
#include "models/interaction_matrix.h"
#include "models/known_users.h"

namespace reckon {

namespace {

// Pairs of a user and an item that a network scores together: what it holds of them stays in a cache.
constexpr int64_t kPairsAtOnce = int64_t{1} << 13;

constexpr const char* kFoldedEdges = "folded_edges";

}  // namespace

RequestNeeds Retrieval::request_needs() const {
  return {.users = reads_users(),
          .max_length = has_history()        ? options_.user.history->max_length
                        : serves_new_users() ? RequestNeeds::kWholeHistory
                                             : 0};
}

Contract Retrieval::contract() const {
  return {.known_user = reads_users(),
          .new_user_with_history = has_history() || serves_new_users(),
          // Along a graph a vector of features stands for a node, which a new user is not.
          .user_features = !user_features_.is_empty() && !propagation_,
          .new_item_with_content = !item_features_.is_empty()};
}

const FeatureEncoding* Retrieval::user_encoding() const {
  return contract().user_features ? &user_features_->encoding() : nullptr;
}

torch::Tensor Retrieval::node_rows(const torch::Tensor& nodes,
                                   const std::vector<torch::Tensor>& shared, Shared part) const {
  auto places = nodes;  // [...]
  if (shared[kIndex].defined())
    places = shared[kIndex].index_select(0, nodes.flatten()).view(nodes.sizes()).to(torch::kLong);
  return at::embedding(shared[part], places.clamp_min(0));  // [..., D']
}

namespace {
// The vectors of ids and features of one side, added up. `trained` says whose vectors of ids mean
// something, undefined: all of them.
torch::Tensor parts_of(const EmbeddingTable& table, FeatureTable& features,
                       const torch::Tensor& trained, const torch::Tensor& ids) {
  if (features.is_empty()) return table->lookup(ids);  // [..., D]
  const auto of_features = features->rows(ids);        // [..., D]
  if (table.is_empty()) return of_features;
  const auto known = at::embedding(trained.unsqueeze(1), ids.clamp_min(0));  // [..., 1]
  return table->lookup(ids) * known + of_features;                           // [..., D]
}

torch::Tensor all_parts_of(const EmbeddingTable& table, FeatureTable& features,
                           const torch::Tensor& trained) {
  if (features.is_empty()) return table->all();                  // [N, D]
  if (table.is_empty()) return features->all();                  // [N, D]
  return table->all() * trained.unsqueeze(1) + features->all();  // [N, D]
}
}  // namespace

torch::Tensor Retrieval::all_users() {
  return all_parts_of(users_, user_features_, trained_users_);  // [U, D]
}

torch::Tensor Retrieval::all_item_inputs() {
  return all_parts_of(items_, item_features_, trained_items_);  // [I, D]
}

NodeInputs Retrieval::node_inputs() {
  return {.users =
              [this](const torch::Tensor& ids) {
                return parts_of(users_, user_features_, trained_users_, ids);  // [n, D]
              },
          .items =
              [this](const torch::Tensor& ids) {
                return parts_of(items_, item_features_, trained_items_, ids);  // [n, D]
              }};
}

torch::Tensor Retrieval::item_rows(const torch::Tensor& ids,
                                   const std::vector<torch::Tensor>& shared) {
  torch::Tensor rows;  // [..., D]
  if (shared.empty())
    rows = parts_of(items_, item_features_, trained_items_, ids);
  else  // those of padding and unknown ids are zero
    rows = node_rows(ids.clamp_min(0) + num_users_, shared, kVectors) * ids.ge(0).unsqueeze(-1);
  return dropout_rows(rows, ids, options_.item.dropout, is_training());  // [..., D]
}

torch::Tensor Retrieval::user_rows(const torch::Tensor& ids,
                                   const std::vector<torch::Tensor>& shared) {
  if (shared.empty()) return parts_of(users_, user_features_, trained_users_, ids);  // [..., D]
  return node_rows(ids.clamp_min(0), shared, kVectors) * ids.ge(0).unsqueeze(-1);    // [..., D']
}

ScorerSide Retrieval::all_items(const std::vector<torch::Tensor>& shared) {
  torch::Tensor rows;  // [I, D]
  if (shared.empty())
    rows = all_item_inputs();
  else  // all asked for, and the last
    rows = shared[kVectors].slice(0, -num_items());
  return {dropout_rows(rows, item_ids_, options_.item.dropout, is_training()), item_ids_};
}

std::vector<View> Retrieval::views(const std::vector<torch::Tensor>& shared) const {
  std::vector<View> views;
  if (view_needs_.kind == ViewNeeds::Kind::kNone) return views;
  const auto num_users = shared[kIndex].slice(0, 0, num_users_).ge(0).sum().item<int64_t>();
  const auto add = [&](const torch::Tensor& rows) {
    views.push_back({rows.slice(0, 0, num_users), rows.slice(0, num_users)});  // [Us, D], [Is, D]
  };
  add(shared[kVectors]);
  for (size_t view = kFirstView; view < shared.size(); ++view) add(shared[view]);
  return views;
}

torch::Tensor Retrieval::history_rows(const torch::Tensor& history,
                                      const std::vector<torch::Tensor>& shared) {
  if (history_items_.is_empty()) return item_rows(history, shared);  // [B, T, D]
  return dropout_rows(history_items_->lookup(history), history, options_.item.dropout,
                      is_training());  // [B, T, D]
}

torch::Tensor Retrieval::history_vectors(const torch::Tensor& history,
                                         const std::vector<torch::Tensor>& shared) {
  auto x = history_rows(history, shared);  // [B, T, D]
  if (options_.user.history->scale) x = x * std::sqrt(static_cast<double>(options_.dim));
  x = position_->forward(x);                                              // [B, T, D]
  if (!input_norm_.is_empty()) x = input_norm_->forward(x);               // [B, T, D]
  x = reckon::dropout(x, options_.user.history->dropout, is_training());  // [B, T, D]
  return x * history.ne(kPaddingId).unsqueeze(-1);                        // [B, T, D]
}

torch::Tensor Retrieval::last_state(const torch::Tensor& history,
                                    const std::vector<torch::Tensor>& shared) {
  return encoder_->last_state(history_vectors(history, shared), history.ne(kPaddingId),
                              history);  // [B, D]
}

bool Retrieval::adds_up_rows(const std::vector<torch::Tensor>& shared) const {
  const auto& history = *options_.user.history;
  const bool drops = is_training() && (history.dropout > 0.0 || options_.item.dropout > 0.0);
  const bool is_of_rows =
      !history_items_.is_empty() || (shared.empty() && item_features_.is_empty());
  return encoder_->adds_up() && is_of_rows && !drops && input_norm_.is_empty() &&
         std::dynamic_pointer_cast<NoPosition>(position_) != nullptr;
}

torch::Tensor Retrieval::target_states(const torch::Tensor& history, const torch::Tensor& flat,
                                       const torch::Tensor& rows,
                                       const std::vector<torch::Tensor>& shared) {
  const auto valid = history.ne(kPaddingId);  // [B, T]
  if (adds_up_rows(shared)) {
    const double scale =
        options_.user.history->scale ? std::sqrt(static_cast<double>(options_.dim)) : 1.0;
    const auto& table = history_items_.is_empty() ? items_ : history_items_;
    const auto sums = table->sum_of_rows(history, valid * scale);  // [B, D]
    const auto counts = valid.sum(1);                              // [B]
    if (!encoder_->leaves_out_target())
      return encoder_->from_sum(sums, counts).index_select(0, rows);          // [P, D]
    const auto own = table->lookup(history.flatten().index_select(0, flat));  // [P, D]
    return encoder_->from_sum(sums.index_select(0, rows) - scale * own,
                              counts.index_select(0, rows) - 1);  // [P, D]
  }
  const auto x = history_vectors(history, shared);  // [B, T, D]
  const auto states = encoder_->reads_sets()
                          ? encoder_->forward_for_targets(x, valid)
                          : encoder_->forward_items(x, valid, history);  // [B, T or 1, D]
  if (states.size(1) != history.size(1)) return states.squeeze(1).index_select(0, rows);  // [P, D]
  return states.flatten(0, 1).index_select(0, flat);                                      // [P, D]
}

torch::Tensor Retrieval::joined(const torch::Tensor& of_history, const torch::Tensor& of_id) const {
  const auto& weight = options_.user.id_weight;
  return weight ? *weight * of_id + (1.0 - *weight) * of_history : of_history + of_id;  // [..., D]
}

torch::Tensor Retrieval::known_users(const torch::Tensor& users) {
  if (!reads_users()) return users;
  if (user_features_.is_empty()) return only_known(users, trained_users_);
  const auto& described = user_features_->known();  // [U]
  return only_known(users, has_user_ids() ? trained_users_.logical_or(described) : described);
}

torch::Tensor Retrieval::usable(const Batch& request) {
  const auto usable = Model::usable(request);  // [B]
  if (!request.has(batch_key::kUserCodes)) return usable;
  return usable.logical_or(FeatureEncoding::tells_anything(
      request.at(batch_key::kUserCodes), request.at(batch_key::kUserNumbers)));  // [B]
}

torch::Tensor Retrieval::own_rows(const Batch& request, const torch::Tensor& users,
                                  const Scoring& scoring) {
  if (request.has(batch_key::kUserCodes))
    return user_features_->vectors(request.at(batch_key::kUserCodes),
                                   request.at(batch_key::kUserNumbers));  // [B, D]
  // Features of whom nothing is known are a vector too, which training learnt.
  return user_rows(user_features_.is_empty() ? users : request.at(batch_key::kUsers),
                   scoring.shared);  // [B, D']
}

State Retrieval::encode(const Batch& request) {
  const auto scoring = for_scoring();
  const auto& shared = scoring.shared;
  torch::Tensor query;
  if (has_history()) {
    const auto history = request.at(batch_key::kHistory);  // [B, T]
    // An empty history has no state; zero makes every item equal, never a NaN.
    const auto any = history.ne(kPaddingId).any(1).unsqueeze(-1);  // [B, 1]
    query = last_state(history, shared) * any;                     // [B, D]
  }
  if (reads_users()) {
    const auto users = known_users(request.at(batch_key::kUsers));  // [B]
    auto rows = own_rows(request, users, scoring);                  // [B, D]
    // Costly, and for those alone whom the graph has not seen.
    if (is_made_of_messages() && (is_tracing() || !users.ge(0).all().item<bool>())) {
      const auto items = distinct_items(request.at(batch_key::kHistory));  // [B, T]
      const auto count = items.ge(0).sum(1).clamp_min(1);                  // [B]
      const auto of_items =
          sum_of_vectors(scoring.messages, items) * count.to(rows.scalar_type())
                                                        .pow(propagation_->message_exponent())
                                                        .unsqueeze(1);  // [B, D]
      rows = at::where(users.ge(0).unsqueeze(1), rows, of_items);       // [B, D]
    }
    query = query.defined() ? joined(query, rows) : rows;  // [B, D]
    return {{query, users}};
  }
  return {{query}};
}

namespace {
ScorerSide user_side(const State& state) {
  return {state.tensors[0], state.tensors.size() > 1 ? state.tensors[1] : torch::Tensor()};
}
}  // namespace

torch::Tensor Retrieval::score(const State& state, const torch::Tensor& candidates) {
  const auto vectors = item_rows(candidates, for_scoring().shared);  // [B, C, D]
  return scorer_->forward(user_side(state), {vectors, candidates});  // [B, C]
}

bool Retrieval::can_score_all() const { return !scorer_->is_inner_product(); }

torch::Tensor Retrieval::score_all(const State& state) {
  const auto users = user_side(state);
  const auto items = all_items(for_scoring().shared);       // [I, D]
  if (is_tracing()) return scorer_->forward(users, items);  // [B, I]
  const int64_t rows = users.vectors.size(0), num_items = items.vectors.size(0);
  const int64_t step = std::max<int64_t>(1, kPairsAtOnce / std::max<int64_t>(1, rows));
  auto scores = torch::empty({rows, num_items}, users.vectors.options());  // [B, I]
  for (int64_t item = 0; item < num_items; item += step) {
    const auto count = std::min(step, num_items - item);
    const auto cut = [&](const torch::Tensor& t) { return t.narrow(0, item, count); };
    scores.narrow(1, item, count)
        .copy_(scorer_->forward(users, {cut(items.vectors), cut(items.ids)}));
  }
  return scores;
}

std::optional<Factors> Retrieval::factors() {
  if (!scorer_->is_inner_product()) return std::nullopt;
  const auto form = scorer_->item_form(all_items(for_scoring().shared));
  return Factors{.items = form.vectors, .item_bias = form.bias};  // [I, D'], [I]
}

torch::Tensor Retrieval::queries(const State& state) {
  return scorer_->query_form(user_side(state)).unsqueeze(1);  // [B, 1, D']
}

torch::Tensor Retrieval::query_bias(const State& state) {
  return scorer_->query_bias(user_side(state));  // [B]
}

std::optional<torch::Tensor> Retrieval::item_vectors() {
  return all_items(for_scoring().shared).vectors;  // [I, D]
}

std::optional<torch::Tensor> Retrieval::user_vectors() {
  if (!reads_users()) return std::nullopt;
  const auto shared = for_scoring().shared;
  const auto rows =
      shared.empty() ? all_users() : shared[kVectors].slice(0, 0, num_users_);        // [U, D]
  const auto known = known_users(at::arange(num_users_, item_ids_.options())).ge(0);  // [U]
  return rows * known.unsqueeze(1);                                                   // [U, D]
}

std::vector<Model::Pretrained> Retrieval::pretrained() {
  std::vector<Pretrained> out;
  const auto add = [&](const IdOptions& options, bool items, EmbeddingTable table,
                       const std::string& option) {
    if (options.pretrained.empty()) return;
    const auto load = [table, frozen = options.frozen](const torch::Tensor& rows) mutable {
      // What was drawn and is never trained would be noise for ever.
      table->load_rows(frozen ? rows.nan_to_num(0.0) : rows);
    };
    out.push_back({.path = options.pretrained,
                   .items = items,
                   .frozen = options.frozen,
                   .option = option + ".pretrained",
                   .load = load,
                   .width = options_.dim});
  };
  if (options_.item.id) add(*options_.item.id, true, items_, "model.item.id");
  if (options_.user.id) add(*options_.user.id, false, users_, "model.user.id");
  if (has_history() && options_.user.history->id)
    add(*options_.user.history->id, true, history_items_, "model.user.history.id");
  return out;
}

Retrieval::Scoring Retrieval::propagate_all() {
  if (!propagation_) return {};
  const auto users = all_users(), items = all_item_inputs();                     // [U, D], [I, D]
  const auto nodes = at::arange(num_users_ + num_items(), item_ids_.options());  // [U + I]
  Scoring scoring;
  scoring.shared = {propagation_->forward(users, items, nodes, std::nullopt).vectors,
                    torch::Tensor()};
  if (serves_new_users()) scoring.messages = propagation_->messages(users, items);  // [I, D']
  return scoring;
}

Retrieval::Scoring Retrieval::for_scoring() {
  if (!propagation_) return {};
  if (folded_vectors_.numel() > 0) return {{folded_vectors_, torch::Tensor()}, folded_messages_};
  return scoring_.of(*this, [this] { return propagate_all(); });
}

void Retrieval::fold(bool on) {
  if (!propagation_) return;
  const torch::NoGradGuard no_grad;
  fill_buffer(folded_vectors_, torch::empty({0}));   // [0]
  fill_buffer(folded_messages_, torch::empty({0}));  // [0]
  if (folded_edges_) unregister_module(kFoldedEdges);
  folded_edges_.reset();
  if (!on) return;
  if (explains() && explains()->reads_training) {
    folded_edges_ = propagation_->user_edges();
    const auto holder = register_module(kFoldedEdges, std::make_shared<torch::nn::Module>());
    holder->register_buffer("offsets", folded_edges_->offsets);  // [U + 1]
    holder->register_buffer("items", folded_edges_->items);      // [E]
    if (folded_edges_->weights.defined())
      holder->register_buffer("weights", folded_edges_->weights);  // [E]
    holder->register_buffer("scale", folded_edges_->scale);        // [U]
  }
  const auto scoring = propagate_all();
  fill_buffer(folded_vectors_, scoring.shared[kVectors]);
  if (scoring.messages.defined()) fill_buffer(folded_messages_, scoring.messages);
}

void Retrieval::train(bool on) {
  torch::nn::Module::train(on);
  scoring_.clear();
}

}  // namespace reckon
