#include "models/retrieval.h"

#include "core/ids.h"
#include "kernels/dropout.h"

namespace reckon {

namespace {

// Positions in Represented::fixed and ::step; a tensor that nobody needs is left out of the batch
// and is undefined here.
enum Fixed { kTargetIds, kUserIds, kLabelValues, kWeightValues, kTargetQ, kNegativeIds, kNegativeQ };
constexpr size_t kNumFixed = kNegativeQ + 1;

template <class Base, class Deps>
std::shared_ptr<Base> build_slot(const Component<Base>& slot, const Deps& deps,
                                 const std::string& path) {
  try {
    return slot.build(deps);
  } catch (const std::invalid_argument& error) {
    throw ConfigError({{slot.location(), path + ": " + error.what(), ""}});
  }
}

NegativeNeeds to_negative_needs(const ObjectiveNeeds& needs) {
  NegativeNeeds negatives;
  negatives.count = needs.negatives;
  negatives.exclude_positives = needs.exclude_positives;
  switch (needs.sharing) {
    case ObjectiveNeeds::Sharing::kStep: negatives.per = NegativeNeeds::Per::kStep; break;
    case ObjectiveNeeds::Sharing::kExample: negatives.per = NegativeNeeds::Per::kExample; break;
    case ObjectiveNeeds::Sharing::kPosition: negatives.per = NegativeNeeds::Per::kPosition; break;
  }
  if (needs.popularity_exponent > 0) {
    negatives.distribution = NegativeNeeds::Distribution::kPopularity;
    negatives.exponent = needs.popularity_exponent;
  }
  return negatives;
}

EmbeddingTable make_table(const IdOptions& options, int64_t num_rows, int64_t width) {
  EmbeddingTable table(EmbeddingTableImpl::Options{
      .num_rows = num_rows, .width = width, .sparse = options.sparse, .init = options.init});
  if (options.frozen)
    for (auto& parameter : table->parameters()) parameter.set_requires_grad(false);
  return table;
}

}  // namespace

void IdOptions::describe(Schema<IdOptions>& schema) {
  schema.field("sparse", &IdOptions::sparse)
      .doc("Update only the rows that a step touches; for catalogues of a million and more.");
  schema.field("pretrained", &IdOptions::pretrained)
      .doc("File of vectors (.parquet or .tsv with raw ids, or .npy in order of dense ids).");
  schema.field("frozen", &IdOptions::frozen).doc("Keep the vectors as they were read or drawn.");
  schema.field("init", &IdOptions::init).doc("How the vectors are drawn.");
  schema.invariant("frozen", "needs `pretrained`: random vectors that are never trained say nothing",
                   [](const IdOptions& o) { return !o.frozen || !o.pretrained.empty(); });
}

void HistoryOptions::describe(Schema<HistoryOptions>& schema) {
  schema.field("max_length", &HistoryOptions::max_length)
      .positive()
      .doc("The newest items that are read; older ones are left out.");
  schema.field("scale", &HistoryOptions::scale)
      .doc("Multiply item vectors by sqrt(dim) before positions are added.");
  schema.field("dropout", &HistoryOptions::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Drop probability of the encoder's input.");
  schema.field("position", &HistoryOptions::position)
      .default_type("learned")
      .doc("Where in the history an item stands.");
  schema.field("encoder", &HistoryOptions::encoder).required().doc("Turns the history into a state.");
}

void ItemOptions::describe(Schema<ItemOptions>& schema) {
  schema.field("id", &ItemOptions::id).doc("A vector for each item id.");
}

void UserOptions::describe(Schema<UserOptions>& schema) {
  schema.field("id", &UserOptions::id).doc("A vector for each user id.");
  schema.field("history", &UserOptions::history).doc("The user as the items of the history.");
  schema.invariant("needs `id`, `history` or both",
                   [](const UserOptions& o) { return o.id.has_value() || o.history.has_value(); });
}

void Retrieval::Options::describe(Schema<Options>& schema) {
  schema.field("dim", &Options::dim).positive().doc("Width D of item vectors and user states.");
  schema.field("item", &Options::item).doc("What represents an item.");
  schema.field("user", &Options::user).required().doc("What represents a user; parts are added up.");
  schema.field("propagation", &Options::propagation)
      .doc("Mixes user and item vectors along the graph of training interactions.");
  schema.field("scorer", &Options::scorer)
      .default_type("dot")
      .doc("How a user state and an item vector become a score.");
  schema.field("objectives", &Options::objectives)
      .required()
      .non_empty()
      .doc("What is minimised: the weighted sum of these.");
}

Retrieval::Retrieval(const Options& options, const Deps& deps) : options_(options) {
  const int64_t dim = options.dim;
  items_ = register_module("items", make_table(options.item.id, deps.num_items, dim));
  if (options.user.id)
    users_ = register_module("users", make_table(*options.user.id, deps.num_users, dim));
  if (options.user.history) {
    const auto& history = *options.user.history;
    position_ = register_module(
        "position", build_slot(history.position,
                               Position::Deps{.width = dim, .max_length = history.max_length},
                               "model.user.history.position"));
    encoder_ = register_module(
        "encoder", build_slot(history.encoder,
                              SequenceEncoder::Deps{.width = dim, .max_length = history.max_length},
                              "model.user.history.encoder"));
    if (encoder_->output_spec().width != dim)
      throw ConfigError({{history.encoder.location(),
                          "model.user.history.encoder: gives vectors of width " +
                              std::to_string(encoder_->output_spec().width) +
                              ", but the scorer at " + options.scorer.location().to_string() +
                              " compares them with items of model.dim " + std::to_string(dim),
                          "give the encoder an output of the model's width"}});
  }
  if (options.propagation) {
    if (!options.user.id)
      throw ConfigError({{options.propagation->location(),
                          "model.propagation: needs user vectors to mix with those of items",
                          "add `id: {}` under model.user"}});
    propagation_ = register_module(
        "propagation", build_slot(*options.propagation,
                                  Propagation::Deps{.width = dim,
                                                    .num_users = deps.num_users,
                                                    .num_items = deps.num_items,
                                                    .train = deps.train},
                                  "model.propagation"));
  }
  scorer_ = register_module(
      "scorer", build_slot(options.scorer,
                           Scorer::Deps{.width = dim,
                                        .num_users = deps.num_users,
                                        .num_items = deps.num_items,
                                        .has_user_ids = options.user.id.has_value()},
                           "model.scorer"));
  for (size_t i = 0; i < options.objectives.size(); ++i) {
    const auto path = "model.objectives[" + std::to_string(i) + "]";
    auto objective = build_slot(options.objectives[i],
                                Objective::Deps{.width = dim, .num_items = deps.num_items}, path);
    const auto needs = objective->needs();
    auto& all = objective_needs_;
    if (needs.negatives > 0) {
      const bool same = needs.negatives == all.negatives && needs.sharing == all.sharing &&
                        needs.popularity_exponent == all.popularity_exponent &&
                        needs.exclude_positives == all.exclude_positives;
      if (all.negatives > 0 && !same)
        throw ConfigError({{options.objectives[i].location(),
                            path + ": asks for other negatives than an objective before it",
                            "objectives of one model share their negatives: give both the same "
                            "count, sharing and distribution"}});
      const bool labels = all.labels, log_q = all.log_q;
      all = needs;
      all.labels = all.labels || labels;
      all.log_q = all.log_q || log_q;
    } else {
      all.labels = all.labels || needs.labels;
      all.log_q = all.log_q || needs.log_q;
    }
    objectives_.push_back(register_module("objective_" + std::to_string(i), objective));
  }
  item_ids_ = register_buffer("item_ids", torch::arange(deps.num_items, torch::kLong));  // [I]
}

RequestNeeds Retrieval::request_needs() const {
  return {.users = has_user_ids(),
          .max_length = has_history() ? options_.user.history->max_length : 0};
}

Contract Retrieval::contract() const {
  return {.known_user = has_user_ids(), .new_user_with_history = has_history()};
}

torch::Tensor Retrieval::item_rows(const torch::Tensor& ids,
                                   const std::vector<torch::Tensor>& shared) const {
  if (shared.empty()) return items_->lookup(ids);                          // [..., D]
  const auto rows = shared[1].index({ids.clamp_min(0)});                   // [..., D]
  return rows * ids.ge(0).unsqueeze(-1);                                   // [..., D]
}

torch::Tensor Retrieval::user_rows(const torch::Tensor& ids,
                                   const std::vector<torch::Tensor>& shared) const {
  if (shared.empty()) return users_->lookup(ids);                          // [..., D]
  const auto rows = shared[0].index({ids.clamp_min(0)});                   // [..., D]
  return rows * ids.ge(0).unsqueeze(-1);                                   // [..., D]
}

ScorerSide Retrieval::all_items(const std::vector<torch::Tensor>& shared) const {
  return {shared.empty() ? items_->all() : shared[1], item_ids_};  // [I, D], [I]
}

torch::Tensor Retrieval::history_states(const torch::Tensor& history,
                                        const std::vector<torch::Tensor>& shared) {
  const auto valid = history.ne(kPaddingId);                               // [B, T]
  auto x = item_rows(history, shared);                                     // [B, T, D]
  if (options_.user.history->scale) x = x * std::sqrt(static_cast<double>(options_.dim));
  x = position_->forward(x);                                               // [B, T, D]
  x = reckon::dropout(x, options_.user.history->dropout, is_training());           // [B, T, D]
  x = x * valid.unsqueeze(-1);                                             // [B, T, D]
  return encoder_->forward(x, valid);                                      // [B, T, D]
}

State Retrieval::encode(const Batch& request) {
  const auto shared = this->shared();
  State state;
  torch::Tensor query;
  if (has_history()) {
    const auto history = request.at(batch_key::kHistory);                  // [B, T]
    // An empty history has no state; zero makes every item equal, never a NaN.
    const auto any = history.ne(kPaddingId).any(1).unsqueeze(-1);          // [B, 1]
    query = history_states(history, shared).select(1, -1) * any;           // [B, D]
  }
  if (has_user_ids()) {
    const auto users = request.at(batch_key::kUsers);                      // [B]
    const auto rows = user_rows(users, shared);                            // [B, D]
    query = query.defined() ? query + rows : rows;                         // [B, D]
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
  const auto vectors = item_rows(candidates, shared());                    // [B, C, D]
  return scorer_->forward(user_side(state), {vectors, candidates});        // [B, C]
}

std::optional<Factors> Retrieval::factors() {
  if (!scorer_->is_inner_product()) return std::nullopt;
  const auto form = scorer_->item_form(all_items(shared()));
  return Factors{.items = form.vectors, .item_bias = form.bias};           // [I, D'], [I]
}

torch::Tensor Retrieval::queries(const State& state) {
  return scorer_->query_form(user_side(state)).unsqueeze(1);               // [B, 1, D']
}

std::optional<torch::Tensor> Retrieval::item_vectors() {
  return all_items(shared()).vectors;                                      // [I, D]
}

std::optional<torch::Tensor> Retrieval::user_vectors() {
  if (!has_user_ids()) return std::nullopt;
  const auto shared = this->shared();
  return shared.empty() ? users_->all() : shared[0];                       // [U, D]
}

std::vector<Model::Pretrained> Retrieval::pretrained() {
  std::vector<Pretrained> out;
  const auto add = [&](const IdOptions& options, bool items, EmbeddingTable table) {
    if (options.pretrained.empty()) return;
    out.push_back({options.pretrained, items,
                   [table](const torch::Tensor& rows) mutable { table->load_rows(rows); },
                   options_.dim});
  };
  add(options_.item.id, true, items_);
  if (options_.user.id) add(*options_.user.id, false, users_);
  return out;
}

Needs Retrieval::needs() const {
  Needs needs;
  needs.examples = has_history() ? Needs::Examples::kSequences : Needs::Examples::kInteractions;
  needs.max_length = request_needs().max_length;
  needs.users = has_user_ids();
  needs.labels = objective_needs_.labels;
  needs.log_q = objective_needs_.log_q;
  if (objective_needs_.negatives > 0) needs.negatives = to_negative_needs(objective_needs_);
  return needs;
}

Objective::Coupling Retrieval::coupling() const {
  for (const auto& objective : objectives_)
    if (objective->coupling() == Objective::Coupling::kBatch) return Objective::Coupling::kBatch;
  return Objective::Coupling::kExample;
}

std::vector<torch::Tensor> Retrieval::shared() {
  if (!propagation_) return {};
  auto [users, items] = propagation_->forward(users_->all(), items_->all());  // [U, D], [I, D]
  return {users, items};
}

Learnable::Represented Retrieval::represent(const Batch& shard,
                                            const std::vector<torch::Tensor>& shared) {
  Represented out;
  out.fixed.resize(kNumFixed);
  out.step.resize(2);
  auto targets = shard.at(batch_key::kTargets);                            // [B] or [B, T]
  auto users = shard.find(batch_key::kUsers);                              // [B]
  const auto negatives = shard.find(batch_key::kNegatives);
  const bool per_step = objective_needs_.sharing == ObjectiveNeeds::Sharing::kStep;
  // Row of the shard and index into the flattened [B * T] of each of the P positions learnt from.
  torch::Tensor rows, flat;
  torch::Tensor queries;
  if (has_history()) {
    flat = targets.flatten().ne(kPaddingId).nonzero().squeeze(1);          // [P]
    rows = torch::div(flat, targets.size(1), "floor");                     // [P]
    auto states = history_states(shard.at(batch_key::kHistory), shared);   // [B, T, D]
    queries = states.flatten(0, 1).index_select(0, flat);                  // [P, D]
    if (has_user_ids())
      queries = queries + user_rows(users, shared).index_select(0, rows);  // [P, D]
  } else {
    queries = user_rows(users, shared);                                    // [P, D]
  }
  const auto pick = [&](const torch::Tensor& values, bool of_position) {
    if (!values.defined() || !has_history()) return values;
    return of_position ? values.flatten(0, 1).index_select(0, flat)
                       : values.index_select(0, rows);
  };
  out.rows = {queries};
  out.fixed[kTargetIds] = pick(targets, true);                             // [P]
  out.fixed[kUserIds] = pick(users, false);                                // [P]
  out.fixed[kLabelValues] = pick(shard.find(batch_key::kLabels), true);    // [P]
  out.fixed[kWeightValues] = pick(shard.find(batch_key::kWeights), true);  // [P]
  out.fixed[kTargetQ] = pick(shard.find(batch_key::kTargetLogQ), true);    // [P]
  const auto negative_q = shard.find(batch_key::kNegativeLogQ);
  if (per_step) {
    out.step = {negatives, negative_q};                                    // [N], [N]
  } else {
    const bool per_position = objective_needs_.sharing == ObjectiveNeeds::Sharing::kPosition;
    out.fixed[kNegativeIds] = pick(negatives, per_position);               // [P, N]
    out.fixed[kNegativeQ] = pick(negative_q, per_position);                // [P, N]
  }
  return out;
}

LossParts Retrieval::loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                          int64_t step_number) {
  const auto side = [&](const torch::Tensor& ids) {
    return ids.defined() ? ScorerSide{item_rows(ids, shared), ids} : ScorerSide{};
  };
  ObjectiveInput input;
  input.users = {rows.rows[0], rows.fixed[kUserIds]};
  input.targets = side(rows.fixed[kTargetIds]);
  const bool per_step = rows.step[0].defined();
  input.negatives = side(per_step ? rows.step[0] : rows.fixed[kNegativeIds]);
  input.labels = rows.fixed[kLabelValues];
  input.weights = rows.fixed[kWeightValues];
  input.target_log_q = rows.fixed[kTargetQ];
  input.negative_log_q = per_step ? rows.step[1] : rows.fixed[kNegativeQ];
  input.num_items = num_items();
  input.all_items = [&] { return all_items(shared); };
  input.scorer = scorer_.get();

  LossParts total;
  for (size_t i = 0; i < objectives_.size(); ++i) {
    const auto& common = options_.objectives[i].common();
    if (step_number % common.every != 0) continue;
    auto parts = objectives_[i]->forward(input);
    // Every objective is a sum over the same targets, so one weight divides them all.
    total.sum = total.sum.defined() ? total.sum + common.weight * parts.sum
                                    : common.weight * parts.sum;  // []
    total.weight = std::max(total.weight, parts.weight);
    if (objectives_.size() > 1)
      total.logged[options_.objectives[i].type()] += parts.sum.item<double>();
    for (const auto& [name, value] : parts.logged) total.logged[name] += value;
  }
  if (!total.sum.defined()) total.sum = rows.rows[0].sum() * 0.0;  // []
  return total;
}

}  // namespace reckon
