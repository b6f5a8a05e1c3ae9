#include "models/retrieval.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "core/format.h"
#include "core/ids.h"
#include "kernels/dropout.h"
#include "kernels/spmm.h"
#include "kernels/tracing.h"
#include "layers/bpr_objective.h"
#include "layers/dot_scorer.h"
#include "models/interaction_matrix.h"
#include "models/interaction_statistics.h"
#include "models/known_users.h"
#include "models/triples_of.h"

namespace reckon {

namespace {

// Positions in Represented::fixed; a tensor that nobody needs is not in the batch, and undefined here.
// Behind them stand four of each stream of negatives; of those that a whole step shares, two are in
// Represented::step instead, and hits are there for them alone.
enum Fixed { kTargetIds, kUserIds, kLabelValues, kWeightValues, kTargetFrequency };
constexpr size_t kFirstOfStreams = kTargetFrequency + 1;
enum FixedOfStream { kTargetQ, kNegativeIds, kNegativeQ, kNegativeHits };
constexpr size_t kNumOfStream = kNegativeHits + 1;
enum StepOfStream { kStepIds, kStepQ };
constexpr size_t kNumOfStep = kStepQ + 1;

// Vectors that are gathered for one loss: 16 GB. More would end in the hands of the system, which
// kills without a word.
constexpr int64_t kMaxGathered = int64_t{1} << 32;

// Pairs of a user and an item that a network scores together: what it holds of them stays in a cache.
constexpr int64_t kPairsAtOnce = int64_t{1} << 13;

// Of the norm in front of an encoder, as BERT has it: first vectors are short, and stay what they are.
constexpr double kInputNormEps = 1e-12;

constexpr const char* kFoldedEdges = "folded_edges";

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
  negatives.log_q = needs.log_q;
  negatives.exclude_positives = needs.exclude_positives;
  switch (needs.sharing) {
    case ObjectiveNeeds::Sharing::kStep:
      negatives.per = NegativeNeeds::Per::kStep;
      break;
    case ObjectiveNeeds::Sharing::kExample:
      negatives.per = NegativeNeeds::Per::kExample;
      break;
    case ObjectiveNeeds::Sharing::kPosition:
      negatives.per = NegativeNeeds::Per::kPosition;
      break;
  }
  if (needs.popularity_exponent > 0) {
    negatives.distribution = NegativeNeeds::Distribution::kPopularity;
    negatives.exponent = needs.popularity_exponent;
  }
  return negatives;
}

// Adds negatives to those that are there, unless the same draws are; returns their place.
size_t stream_for(const NegativeNeeds& wanted, std::vector<NegativeNeeds>& streams) {
  for (size_t stream = 0; stream < streams.size(); ++stream) {
    auto same = streams[stream];
    same.log_q = wanted.log_q;
    if (same != wanted) continue;
    streams[stream].log_q = streams[stream].log_q || wanted.log_q;
    return stream;
  }
  streams.push_back(wanted);
  return streams.size() - 1;
}

EmbeddingTable make_table(const IdOptions& options, int64_t num_rows, int64_t width) {
  EmbeddingTable table(EmbeddingTableImpl::Options{
      .num_rows = num_rows, .width = width, .sparse = options.sparse, .init = options.init});
  if (options.frozen)
    for (auto& parameter : table->parameters()) parameter.set_requires_grad(false);
  return table;
}

Objective::Deps deps_of_objectives(const Model::Deps& deps, int64_t width, int64_t table_width,
                                   int64_t num_channels) {
  Objective::Deps out{.width = width,
                      .table_width = table_width,
                      .num_users = deps.num_users,
                      .num_items = deps.num_items,
                      .num_channels = num_channels};
  out.triples = triples_of(deps.graph);
  if (deps.train != nullptr)
    out.statistics = [train = deps.train](int64_t num_neighbours) {
      return interaction_statistics(*train, num_neighbours);
    };
  return out;
}

}  // namespace

void IdOptions::describe(Schema<IdOptions>& schema) {
  schema.field("sparse", &IdOptions::sparse)
      .doc("Update only the rows that a step touches; for catalogues of a million and more.");
  schema.field("pretrained", &IdOptions::pretrained)
      .doc("File of vectors (.parquet or .tsv with raw ids, or .npy in order of dense ids).");
  schema.field("frozen", &IdOptions::frozen).doc("Keep the vectors as they were read or drawn.");
  schema.field("init", &IdOptions::init).doc("How the vectors are drawn.");
  schema.invariant("frozen",
                   "needs `pretrained`: random vectors that are never trained say nothing",
                   [](const IdOptions& o) { return !o.frozen || !o.pretrained.empty(); });
}

void HistoryOptions::describe(Schema<HistoryOptions>& schema) {
  schema.field("max_length", &HistoryOptions::max_length)
      .positive()
      .at_most(1000000)
      .doc("The newest items that are read; older ones are left out.");
  schema.field("windows", &HistoryOptions::windows)
      .doc(
          "Learn a longer history in windows of max_length, one after the other; without it, from "
          "its newest window alone.");
  schema.field("scale", &HistoryOptions::scale)
      .doc("Multiply item vectors by sqrt(dim) before positions are added.");
  schema.field("one_target", &HistoryOptions::one_target)
      .doc(
          "Of encoders of sets: learn each interaction in an example of its own, beside the whole "
          "set, in place of all items of a user in one; training.batch_size then counts "
          "interactions.");
  schema.field("norm", &HistoryOptions::norm)
      .doc(
          "Layer norm of items and positions together, before the dropout, as BERT has it; not of "
          "sets.");
  schema.field("dropout", &HistoryOptions::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Drop probability of the encoder's input.");
  schema.field("position", &HistoryOptions::position)
      .default_type("learned")
      .doc("Where in the history an item stands.");
  schema.field("encoder", &HistoryOptions::encoder)
      .required()
      .doc("Turns the history into a state.");
}

void ItemOptions::describe(Schema<ItemOptions>& schema) {
  schema.field("id", &ItemOptions::id)
      .doc("A vector for each item id; `null` leaves it to the features alone.");
  schema.field("features", &ItemOptions::features)
      .doc("What columns of data.files.items say of it, so that new items can be ranked.");
  schema.field("dropout", &ItemOptions::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc(
          "Drop probability of item vectors in training: one mask for an item and step, the same "
          "in "
          "histories, targets and negatives.");
  schema.invariant("needs `id`, `features` or both",
                   [](const ItemOptions& o) { return o.id.has_value() || o.features.has_value(); });
}

void UserOptions::describe(Schema<UserOptions>& schema) {
  schema.field("id", &UserOptions::id).doc("A vector for each user id.");
  schema.field("features", &UserOptions::features)
      .doc("What columns of data.files.users say of it, so that new users can be served.");
  schema.field("history", &UserOptions::history).doc("The user as the items of the history.");
  schema.field("id_weight", &UserOptions::id_weight)
      .must_be_in(0.0, 1.0)
      .doc(
          "Weight of the id's vector and of the features', the history having the rest; left out, "
          "both count whole.");
  schema.invariant("id_weight", "needs both `id` and `history` to weigh", [](const UserOptions& o) {
    return !o.id_weight || (o.id.has_value() && o.history.has_value());
  });
  schema.invariant("needs `id`, `history`, `features` or several of them",
                   [](const UserOptions& o) {
                     return o.id.has_value() || o.history.has_value() || o.features.has_value();
                   });
}

void Retrieval::Options::describe(Schema<Options>& schema) {
  schema.field("dim", &Options::dim)
      .positive()
      .at_most(65536)
      .doc("Width D of item vectors and user states.");
  schema.field("item", &Options::item).doc("What represents an item.");
  schema.field("user", &Options::user)
      .required()
      .doc("What represents a user; parts are added up.");
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

Retrieval::Retrieval(const Options& options, const Deps& deps)
    : options_(options), num_users_(deps.num_users) {
  const int64_t dim = options.dim;
  if (options.item.id)
    items_ = register_module("items", make_table(*options.item.id, deps.num_items, dim));
  if (options.item.features) {
    const auto trained = items_with_rows(deps.train, deps.num_items);  // [I]
    item_features_ =
        register_module("item_features",
                        FeatureTable(*options.item.features,
                                     FeatureTableImpl::Deps{.role = TableRole::kItems,
                                                            .num_rows = deps.num_items,
                                                            .width = dim,
                                                            .option = "model.item.features",
                                                            .columns = deps.columns,
                                                            .counted = trained}));
    if (options.item.id) trained_items_ = register_buffer("trained_items", trained);  // [I]
  }
  if (options.user.id) {
    users_ = register_module("users", make_table(*options.user.id, deps.num_users, dim));
    trained_users_ =
        register_buffer("trained_users", users_with_rows(deps.train, deps.num_users));  // [U]
  }
  if (options.user.features)
    user_features_ =
        register_module("user_features",
                        FeatureTable(*options.user.features,
                                     FeatureTableImpl::Deps{
                                         .role = TableRole::kUsers,
                                         .num_rows = deps.num_users,
                                         .width = dim,
                                         .option = "model.user.features",
                                         .columns = deps.columns,
                                         .counted = users_with_rows(deps.train, deps.num_users)}));
  if (options.user.history) {
    const auto& history = *options.user.history;
    position_ =
        register_module("position",
                        build_slot(history.position,
                                   Position::Deps{.width = dim, .max_length = history.max_length},
                                   "model.user.history.position"));
    encoder_ = register_module(
        "encoder", build_slot(history.encoder,
                              SequenceEncoder::Deps{.width = dim, .max_length = history.max_length},
                              "model.user.history.encoder"));
    if (history.one_target && !encoder_->reads_sets())
      throw ConfigError({{history.encoder.location(),
                          "model.user.history.one_target: is for encoders that read a history as "
                          "a set, and this one learns every step",
                          "leave it out, or take `encoder: {type: set_pooling}`"}});
    if (history.norm) {
      // What carried a score is the items' parts in a sum, which a norm in front of it is not.
      if (encoder_->reads_sets())
        throw ConfigError({{history.encoder.location(),
                            "model.user.history.norm: is for encoders that read a sequence, and "
                            "this one sums up a set",
                            "leave it out"}});
      input_norm_ = register_module("input_norm", Norm(NormKind::kLayer, dim, kInputNormEps));
    }
    const auto spec = encoder_->output_spec();
    if (spec.steps != OutputSpec::Steps::kPerStep)
      throw ConfigError({{history.encoder.location(),
                          "model.user.history.encoder: gives one vector for a whole history, but "
                          "model.objectives at " +
                              options.objectives.front().location().to_string() +
                              " learn the next item of every step",
                          "give the encoder an output for each step"}});
    if (spec.width != dim)
      throw ConfigError(
          {{history.encoder.location(),
            "model.user.history.encoder: gives vectors of width " + std::to_string(spec.width) +
                ", but the scorer at " + options.scorer.location().to_string() +
                " compares them with items of model.dim " + std::to_string(dim),
            "give the encoder an output of the model's width"}});
  }
  if (options.propagation) {
    if (!reads_users())
      throw ConfigError({{options.propagation->location(),
                          "model.propagation: needs user vectors to mix with those of items",
                          "add `id: {}` under model.user"}});
    Graph of_interactions;
    const Graph* graph = deps.graph;
    if (graph == nullptr && deps.train != nullptr) {
      of_interactions = interaction_graph(*deps.train);
      graph = &of_interactions;
    }
    propagation_ =
        register_module("propagation", build_slot(*options.propagation,
                                                  Propagation::Deps{.width = dim,
                                                                    .num_users = deps.num_users,
                                                                    .num_items = deps.num_items,
                                                                    .graph = graph},
                                                  "model.propagation"));
    if (has_history() && propagation_->output_width() != dim)
      throw ConfigError(
          {{options.propagation->location(),
            "model.propagation: gives vectors of width " +
                std::to_string(propagation_->output_width()) + ", but the encoder at " +
                options.user.history->encoder.location().to_string() + " reads model.dim " +
                std::to_string(dim),
            "take a propagation that keeps the width, or no history"}});
    folded_vectors_ = register_buffer("folded_vectors", torch::empty({0}));    // [0]
    folded_messages_ = register_buffer("folded_messages", torch::empty({0}));  // [0]
  }
  const int64_t width = propagation_ ? propagation_->output_width() : dim;
  scorer_ = register_module("scorer",
                            build_slot(options.scorer,
                                       Scorer::Deps{.width = width,
                                                    .num_users = deps.num_users,
                                                    .num_items = deps.num_items,
                                                    .has_user_ids = options.user.id.has_value()},
                                       "model.scorer"));
  const auto num_channels = propagation_ ? propagation_->channels().size() : 0;
  auto objective_deps = deps_of_objectives(deps, width, dim, static_cast<int64_t>(num_channels));
  if (propagation_) objective_deps.graph_facts = propagation_->facts();
  const auto propagation_that = [&](const char* lacks, const char* without) {
    return propagation_
               ? "model.propagation at " + options.propagation->location().to_string() + lacks
               : std::string(without);
  };
  for (size_t i = 0; i < options.objectives.size(); ++i) {
    const auto path = "model.objectives[" + std::to_string(i) + "]";
    auto objective = build_slot(options.objectives[i], objective_deps, path);
    const auto needs = objective->needs();
    if (needs.user_ids && !options.user.id)
      throw ConfigError({{options.objectives[i].location(),
                          path + ": asks how often each user stands in training, and the model has "
                                 "no user ids",
                          "add `id: {}` under model.user"}});
    if (needs.any_items && propagation_)
      throw ConfigError({{options.objectives[i].location(),
                          path + ": looks at items that no step names, and model.propagation at " +
                              options.propagation->location().to_string() +
                              " makes vectors of those of the step alone",
                          "leave one of the two out"}});
    // Without data and graph nobody knows yet what will be there.
    if (needs.triples && !objective_deps.triples &&
        (deps.graph != nullptr || deps.train != nullptr))
      throw ConfigError(
          {{options.objectives[i].location(), path + ": learns triples, and the data declares none",
            "name what says something of items in data.graph: edges of type triples, "
            "or of an attribute of items"}});
    if (needs.graph_facts && !objective_deps.graph_facts.scorer)
      throw ConfigError({{options.objectives[i].location(),
                          path + ": learns edges by the relations of a propagation, and " +
                              propagation_that(" has no vectors of any", "the model has none"),
                          "give the model `propagation: {type: kgat}`"}});
    if (needs.intents && !(propagation_ && propagation_->intents().defined()))
      throw ConfigError({{options.objectives[i].location(),
                          path + ": tells intents of a propagation apart, and " +
                              propagation_that(" has none", "the model has none"),
                          "give the model `propagation: {type: kgin}`"}});
    if (needs.labels && !deps.has_ratings)
      throw ConfigError(
          {{options.objectives[i].location(), path + ": learns ratings, and the data has none",
            "name their column in data.files.interactions.roles.rating, or take an "
            "objective that ranks, such as bpr"}});
    if (needs.views.kind != ViewNeeds::Kind::kNone) {
      if (!propagation_ || !propagation_->makes_views(needs.views.kind))
        throw ConfigError(
            {{options.objectives[i].location(),
              path + ": compares views of a graph, which " +
                  propagation_that(" does not make", "a model without propagation has none of"),
              "give the model `propagation: {type: lightgcn}`"}});
      if (view_needs_.kind != ViewNeeds::Kind::kNone && !(view_needs_ == needs.views))
        throw ConfigError({{options.objectives[i].location(),
                            path + ": asks for other views than an objective before it",
                            "one step makes views of one kind: give both the same options"}});
      if (view_needs_.kind == ViewNeeds::Kind::kNone) propagation_->prepare_views(needs.views);
      view_needs_ = needs.views;
    }
    if (needs.channels && num_channels == 0)
      throw ConfigError(
          {{options.objectives[i].location(),
            path + ": compares channels in which users hear each other, which " +
                propagation_that(" does not have", "a model without propagation has none of"),
            "give the model `propagation: {type: mhcn}`"}});
    wants_all_items_ = wants_all_items_ || needs.all_items;
    wants_channels_ = wants_channels_ || needs.channels;
    wants_origins_ = wants_origins_ || needs.origins;
    wants_nodes_ = wants_nodes_ || needs.graph_facts;
    wants_intents_ = wants_intents_ || needs.intents;
    auto& all = objective_needs_;
    all.labels = all.labels || needs.labels;
    all.log_frequency = all.log_frequency || needs.log_frequency;
    auto negatives = to_negative_needs(needs);
    // A single position is the example itself.
    if (has_history() && options.user.history->one_target &&
        negatives.per == NegativeNeeds::Per::kPosition)
      negatives.per = NegativeNeeds::Per::kExample;
    stream_of_.push_back(needs.negatives > 0 ? stream_for(negatives, all.negatives) : 0);
    objectives_.push_back(register_module("objective_" + std::to_string(i), objective));
  }
  item_ids_ = register_buffer("item_ids", torch::arange(deps.num_items, torch::kLong));  // [I]
}

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

torch::Tensor Retrieval::history_states(const torch::Tensor& history,
                                        const std::vector<torch::Tensor>& shared,
                                        bool for_targets) {
  const auto valid = history.ne(kPaddingId);  // [B, T]
  auto x = item_rows(history, shared);        // [B, T, D]
  if (options_.user.history->scale) x = x * std::sqrt(static_cast<double>(options_.dim));
  x = position_->forward(x);                                              // [B, T, D]
  if (!input_norm_.is_empty()) x = input_norm_->forward(x);               // [B, T, D]
  x = reckon::dropout(x, options_.user.history->dropout, is_training());  // [B, T, D]
  x = x * valid.unsqueeze(-1);                                            // [B, T, D]
  if (!for_targets) return encoder_->last_state(x, valid, history);       // [B, D]
  return encoder_->reads_sets() ? encoder_->forward_for_targets(x, valid)
                                : encoder_->forward_items(x, valid, history);  // [B, T, D]
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
    query = history_states(history, shared, false) * any;          // [B, D]
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
  const auto add = [&](const IdOptions& options, bool items, EmbeddingTable table) {
    if (options.pretrained.empty()) return;
    const auto load = [table, frozen = options.frozen](const torch::Tensor& rows) mutable {
      // What was drawn and is never trained would be noise for ever.
      table->load_rows(frozen ? rows.nan_to_num(0.0) : rows);
    };
    out.push_back({.path = options.pretrained,
                   .items = items,
                   .frozen = options.frozen,
                   .option = items ? "model.item.id.pretrained" : "model.user.id.pretrained",
                   .load = load,
                   .width = options_.dim});
  };
  if (options_.item.id) add(*options_.item.id, true, items_);
  if (options_.user.id) add(*options_.user.id, false, users_);
  return out;
}

Needs Retrieval::needs() const {
  Needs needs = objective_needs_;
  needs.examples = !has_history()           ? Needs::Examples::kInteractions
                   : encoder_->reads_sets() ? Needs::Examples::kSets
                                            : Needs::Examples::kSequences;
  // A request's history, of which a propagation makes new users, is not asked for in training: it would
  // be propagated too, and steps would be drawn by its length.
  needs.max_length = has_history() ? options_.user.history->max_length : 0;
  needs.windows = has_history() && options_.user.history->windows;
  needs.one_target = has_history() && options_.user.history->one_target;
  needs.users = reads_users();
  return needs;
}

Objective::Coupling Retrieval::coupling() const {
  for (const auto& objective : objectives_)
    if (objective->coupling() == Objective::Coupling::kBatch) return Objective::Coupling::kBatch;
  return Objective::Coupling::kExample;
}

torch::Tensor Retrieval::nodes_of(std::span<const Batch* const> step) const {
  auto is_asked = torch::zeros({num_users_ + num_items()}, item_ids_.options().dtype(torch::kBool));
  const auto ask = [&](const torch::Tensor& ids, int64_t first) {
    if (!ids.defined()) return;
    const auto flat = ids.flatten();  // [.]
    is_asked.index_fill_(0, flat.masked_select(flat.ge(0)) + first, true);
  };
  for (const auto* shard : step) {
    ask(shard->find(batch_key::kUsers), 0);
    ask(shard->find(batch_key::kHistory), num_users_);
    ask(shard->find(batch_key::kTargets), num_users_);
    for (size_t stream = 0; stream < objective_needs_.negatives.size(); ++stream)
      ask(shard->find(batch_key::of_stream(batch_key::kNegatives, stream)), num_users_);
  }
  if (wants_all_items_) is_asked.slice(0, num_users_).fill_(true);
  if (wants_channels_) is_asked.slice(0, 0, num_users_).fill_(true);
  return is_asked.nonzero().squeeze(1);  // [R]
}

std::vector<torch::Tensor> Retrieval::shared(std::span<const Batch* const> step) {
  if (!propagation_) return {};
  const auto rows = nodes_of(step);  // [R]
  const auto tensors_of = [&](const Propagated& made) {
    return std::vector<torch::Tensor>{made.vectors, row_index(rows, num_users_ + num_items()),
                                      wants_origins_ ? made.origin : torch::Tensor(),
                                      torch::Tensor()};
  };
  if (is_training() && propagation_->samples_neighbours())
    return tensors_of(propagation_->forward_sampled(node_inputs(), rows, next_random_key()));
  const auto users = all_users(), items = all_item_inputs();  // [U, D], [I, D]
  auto shared = tensors_of(propagation_->forward(users, items, rows, std::nullopt));
  if (wants_nodes_) shared[kNodes] = propagation_->node_vectors(users, items);  // [N, D]
  if (view_needs_.kind != ViewNeeds::Kind::kNone)
    for (int64_t view = 0; view < view_needs_.count; ++view)
      shared.push_back(
          propagation_->forward(users, items, rows, GraphView{view_needs_, next_random_key()})
              .vectors);  // [R, D']
  return shared;
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

Learnable::Represented Retrieval::represent(const Batch& shard,
                                            const std::vector<torch::Tensor>& shared) {
  const auto& streams = objective_needs_.negatives;
  Represented out;
  out.fixed.resize(kFirstOfStreams + streams.size() * kNumOfStream);
  out.step.resize(streams.size() * kNumOfStep);
  auto targets = shard.at(batch_key::kTargets);  // [B] or [B, T]
  auto users = shard.find(batch_key::kUsers);    // [B]
  // Row of the shard and index into the flattened [B * T] of each of the P positions learnt from.
  torch::Tensor rows, flat;
  torch::Tensor queries;
  if (has_history()) {
    flat = targets.flatten().ne(kPaddingId).nonzero().squeeze(1);               // [P]
    rows = torch::div(flat, targets.size(1), "floor");                          // [P]
    auto states = history_states(shard.at(batch_key::kHistory), shared, true);  // [B, T, D]
    queries = states.flatten(0, 1).index_select(0, flat);                       // [P, D]
    if (reads_users())
      queries = joined(queries, user_rows(users, shared).index_select(0, rows));  // [P, D]
  } else {
    queries = user_rows(users, shared);  // [P, D]
  }
  const auto pick = [&](const torch::Tensor& values, bool of_position) {
    if (!values.defined() || !has_history()) return values;
    return of_position ? values.flatten(0, 1).index_select(0, flat) : values.index_select(0, rows);
  };
  out.rows = {queries};
  out.fixed[kTargetIds] = pick(targets, true);                                           // [P]
  out.fixed[kUserIds] = pick(users, false);                                              // [P]
  out.fixed[kLabelValues] = pick(shard.find(batch_key::kLabels), true);                  // [P]
  out.fixed[kWeightValues] = pick(shard.find(batch_key::kWeights), true);                // [P]
  out.fixed[kTargetFrequency] = pick(shard.find(batch_key::kTargetLogFrequency), true);  // [P]
  for (size_t stream = 0; stream < streams.size(); ++stream) {
    const auto find = [&](const char* name) {
      return shard.find(batch_key::of_stream(name, stream));
    };
    auto* fixed = &out.fixed[kFirstOfStreams + stream * kNumOfStream];
    auto* step = &out.step[stream * kNumOfStep];
    fixed[kTargetQ] = pick(find(batch_key::kTargetLogQ), true);  // [P]
    if (streams[stream].per == NegativeNeeds::Per::kStep) {
      step[kStepIds] = find(batch_key::kNegatives);                        // [N]
      step[kStepQ] = find(batch_key::kNegativeLogQ);                       // [N]
      fixed[kNegativeHits] = pick(find(batch_key::kNegativeHits), false);  // [P, N]
      continue;
    }
    const bool per_position = streams[stream].per == NegativeNeeds::Per::kPosition;
    fixed[kNegativeIds] = pick(find(batch_key::kNegatives), per_position);   // [P, N]
    fixed[kNegativeQ] = pick(find(batch_key::kNegativeLogQ), per_position);  // [P, N]
  }
  return out;
}

void Retrieval::require_room(const torch::Tensor& negatives, size_t objective) const {
  if (!negatives.defined() || negatives.numel() <= kMaxGathered / options_.dim) return;
  throw ConfigError(
      {{options_.objectives[objective].location(),
        "model.objectives[" + std::to_string(objective) + "]: the vectors of " +
            format_count(negatives.numel()) + " negatives of one step would take " +
            format_bytes(4 * options_.dim * negatives.numel()),
        "lower `negatives` or training.batch_size, or let the step share its draws with "
        "`sharing: step`"}});
}

LossParts Retrieval::loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                          int64_t step_number) {
  const bool has_origins = !shared.empty() && shared[kOrigin].defined();
  const auto side = [&](const torch::Tensor& ids) {
    if (!ids.defined()) return ScorerSide{};
    return ScorerSide{item_rows(ids, shared), ids,
                      has_origins ? node_rows(ids + num_users_, shared, kOrigin) : torch::Tensor()};
  };
  ObjectiveInput input;
  input.users = {rows.rows[0], rows.fixed[kUserIds]};
  if (has_origins && !has_history())
    input.users.origin = node_rows(rows.fixed[kUserIds], shared, kOrigin);  // [P, D]
  input.targets = side(rows.fixed[kTargetIds]);
  input.labels = rows.fixed[kLabelValues];
  input.weights = rows.fixed[kWeightValues];
  input.target_log_frequency = rows.fixed[kTargetFrequency];
  input.items = side;
  input.num_items = num_items();
  input.all_items = [&] { return all_items(shared); };
  // Of what is propagated only the rows of the step are there.
  input.items_are_sparse =
      shared.empty() ? options_.item.id && options_.item.id->sparse : !wants_all_items_;
  if (!shared.empty()) {
    input.views = views(shared);
    input.nodes = shared[kNodes];                                 // [N, D]
    if (wants_intents_) input.intents = propagation_->intents();  // [K, D]
  }
  if (wants_channels_) {
    input.all_users = [&] {
      return shared[kVectors].slice(0, 0, num_users_);  // [U, D'], all asked for and the first
    };
    input.channels = propagation_->channels();
  }
  input.item_table = [&](const torch::Tensor& ids) {
    return parts_of(items_, item_features_, trained_items_, ids);
  };
  input.scorer = scorer_.get();
  // What an objective sees beside that: the negatives that it asked for.
  const auto input_of = [&](size_t objective) {
    auto own = input;
    if (objectives_[objective]->needs().negatives == 0) return own;
    const auto stream = stream_of_[objective];
    const auto* fixed = &rows.fixed[kFirstOfStreams + stream * kNumOfStream];
    const auto* step = &rows.step[stream * kNumOfStep];
    const bool per_step = step[kStepIds].defined();
    own.negative_hits = fixed[kNegativeHits];                            // [P, N]
    own.negative_ids = per_step ? step[kStepIds] : fixed[kNegativeIds];  // [N] or [P, N]
    own.negative_log_q = per_step ? step[kStepQ] : fixed[kNegativeQ];    // [N] or [P, N]
    own.target_log_q = fixed[kTargetQ];                                  // [P]
    own.negatives = [&, objective, ids = own.negative_ids] {
      require_room(ids, objective);
      return side(ids);
    };
    return own;
  };

  LossParts total;
  for (size_t i = 0; i < objectives_.size(); ++i) {
    const auto& common = options_.objectives[i].common();
    if (step_number % common.every != 0) continue;
    auto parts = objectives_[i]->forward(input_of(i));
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

PairwiseLearnable::Form Retrieval::pairwise_form() {
  const auto refuse = [](const std::string& what) { throw std::invalid_argument(what); };
  if (!item_features_.is_empty() || !user_features_.is_empty())
    refuse(
        "single updates move the vectors of user and item ids; neither of model.user and "
        "model.item may have features");
  if (has_history() || !has_user_ids() || propagation_)
    refuse(
        "single updates move the vectors of user and item ids; model.user must be `id` alone, "
        "without propagation");
  const auto* scorer = dynamic_cast<DotScorer*>(scorer_.get());
  if (scorer == nullptr || !scorer->is_plain())
    refuse(
        "single updates are those of a plain inner product: model.scorer must be `dot`, with no "
        "more than item_bias");
  const auto* bpr =
      objectives_.size() == 1 ? dynamic_cast<BprObjective*>(objectives_[0].get()) : nullptr;
  if (bpr == nullptr || bpr->options().negatives != 1 || bpr->options().popularity_exponent != 0.0)
    refuse(
        "single updates are those of the objective `bpr` alone, with one negative drawn "
        "uniformly");
  if (options_.item.dropout != 0.0 || options_.item.id->frozen || options_.user.id->frozen)
    refuse("single updates know neither item.dropout nor frozen vectors");
  return {.users = users_->all().detach(),
          .items = items_->all().detach(),
          .item_bias = scorer->item_biases(),
          .l2 = bpr->options().l2};
}

}  // namespace reckon
