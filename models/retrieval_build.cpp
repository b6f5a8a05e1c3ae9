#include "models/retrieval.h"

#include "models/interaction_statistics.h"
#include "models/known_users.h"
#include "models/triples_of.h"

namespace reckon {

namespace {

// Of the norm in front of an encoder, as BERT has it: first vectors are short, and stay what they are.
constexpr double kInputNormEps = 1e-12;

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
    case ObjectiveNeeds::Sharing::kShard:
      negatives.per = NegativeNeeds::Per::kShard;
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

Retrieval::Retrieval(const Options& options, const Deps& deps)
    : options_(options), num_users_(deps.num_users) {
  build_inputs(deps);
  if (options_.user.history) build_history(deps);
  if (options_.propagation) build_propagation(deps);
  const int64_t width = propagation_ ? propagation_->output_width() : options_.dim;
  scorer_ = register_module("scorer",
                            build_slot(options_.scorer,
                                       Scorer::Deps{.width = width,
                                                    .num_users = deps.num_users,
                                                    .num_items = deps.num_items,
                                                    .has_user_ids = options_.user.id.has_value()},
                                       "model.scorer"));
  build_objectives(deps, width);
  item_ids_ = register_buffer("item_ids", torch::arange(deps.num_items, torch::kLong));  // [I]
}

void Retrieval::build_inputs(const Deps& deps) {
  const int64_t dim = options_.dim;
  if (options_.item.id)
    items_ = register_module("items", make_table(*options_.item.id, deps.num_items, dim));
  if (options_.item.features) {
    const auto trained = items_with_rows(deps.train, deps.num_items);  // [I]
    item_features_ =
        register_module("item_features",
                        FeatureTable(*options_.item.features,
                                     FeatureTableImpl::Deps{.role = TableRole::kItems,
                                                            .num_rows = deps.num_items,
                                                            .width = dim,
                                                            .option = "model.item.features",
                                                            .columns = deps.columns,
                                                            .counted = trained}));
    if (options_.item.id) trained_items_ = register_buffer("trained_items", trained);  // [I]
  }
  if (options_.user.id) {
    users_ = register_module("users", make_table(*options_.user.id, deps.num_users, dim));
    trained_users_ =
        register_buffer("trained_users", users_with_rows(deps.train, deps.num_users));  // [U]
  }
  if (options_.user.features)
    user_features_ =
        register_module("user_features",
                        FeatureTable(*options_.user.features,
                                     FeatureTableImpl::Deps{
                                         .role = TableRole::kUsers,
                                         .num_rows = deps.num_users,
                                         .width = dim,
                                         .option = "model.user.features",
                                         .columns = deps.columns,
                                         .counted = users_with_rows(deps.train, deps.num_users)}));
}

void Retrieval::build_history(const Deps& deps) {
  const int64_t dim = options_.dim;
  const auto& history = *options_.user.history;
  if (history.id)
    history_items_ = register_module("history_items", make_table(*history.id, deps.num_items, dim));
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
                            options_.objectives.front().location().to_string() +
                            " learn the next item of every step",
                        "give the encoder an output for each step"}});
  if (spec.width != dim)
    throw ConfigError(
        {{history.encoder.location(),
          "model.user.history.encoder: gives vectors of width " + std::to_string(spec.width) +
              ", but the scorer at " + options_.scorer.location().to_string() +
              " compares them with items of model.dim " + std::to_string(dim),
          "give the encoder an output of the model's width"}});
}

void Retrieval::build_propagation(const Deps& deps) {
  if (!reads_users())
    throw ConfigError({{options_.propagation->location(),
                        "model.propagation: needs user vectors to mix with those of items",
                        "add `id: {}` under model.user"}});
  Graph of_interactions;
  const Graph* graph = deps.graph;
  if (graph == nullptr && deps.train != nullptr) {
    of_interactions = interaction_graph(*deps.train);
    graph = &of_interactions;
  }
  propagation_ =
      register_module("propagation", build_slot(*options_.propagation,
                                                Propagation::Deps{.width = options_.dim,
                                                                  .num_users = deps.num_users,
                                                                  .num_items = deps.num_items,
                                                                  .graph = graph},
                                                "model.propagation"));
  if (has_history() && propagation_->output_width() != options_.dim)
    throw ConfigError({{options_.propagation->location(),
                        "model.propagation: gives vectors of width " +
                            std::to_string(propagation_->output_width()) + ", but the encoder at " +
                            options_.user.history->encoder.location().to_string() +
                            " reads model.dim " + std::to_string(options_.dim),
                        "take a propagation that keeps the width, or no history"}});
  folded_vectors_ = register_buffer("folded_vectors", torch::empty({0}));    // [0]
  folded_messages_ = register_buffer("folded_messages", torch::empty({0}));  // [0]
}

void Retrieval::build_objectives(const Deps& deps, int64_t width) {
  const auto num_channels = propagation_ ? propagation_->channels().size() : 0;
  auto objective_deps =
      deps_of_objectives(deps, width, options_.dim, static_cast<int64_t>(num_channels));
  if (propagation_) objective_deps.graph_facts = propagation_->facts();
  const auto propagation_that = [&](const char* lacks, const char* without) {
    return propagation_
               ? "model.propagation at " + options_.propagation->location().to_string() + lacks
               : std::string(without);
  };
  for (size_t i = 0; i < options_.objectives.size(); ++i) {
    const auto path = "model.objectives[" + std::to_string(i) + "]";
    auto objective = build_slot(options_.objectives[i], objective_deps, path);
    const auto needs = objective->needs();
    const auto refuse = [&](const std::string& what, const std::string& remedy) {
      throw ConfigError({{options_.objectives[i].location(), path + ": " + what, remedy}});
    };
    if (needs.user_ids && !options_.user.id)
      refuse("asks how often each user stands in training, and the model has no user ids",
             "add `id: {}` under model.user");
    if (needs.any_items && propagation_)
      refuse("looks at items that no step names, and model.propagation at " +
                 options_.propagation->location().to_string() +
                 " makes vectors of those of the step alone",
             "leave one of the two out");
    // Without data and graph nobody knows yet what will be there.
    if (needs.triples && !objective_deps.triples &&
        (deps.graph != nullptr || deps.train != nullptr))
      refuse("learns triples, and the data declares none",
             "name what says something of items in data.graph: edges of type triples, "
             "or of an attribute of items");
    if (needs.graph_facts && !objective_deps.graph_facts.scorer)
      refuse("learns edges by the relations of a propagation, and " +
                 propagation_that(" has no vectors of any", "the model has none"),
             "give the model `propagation: {type: kgat}`");
    if (needs.intents && !(propagation_ && propagation_->intents().defined()))
      refuse("tells intents of a propagation apart, and " +
                 propagation_that(" has none", "the model has none"),
             "give the model `propagation: {type: kgin}`");
    if (needs.labels && !deps.has_ratings)
      refuse("learns ratings, and the data has none",
             "name their column in data.files.interactions.roles.rating, or take an "
             "objective that ranks, such as bpr");
    if (needs.views.kind != ViewNeeds::Kind::kNone) {
      if (!propagation_ || !propagation_->makes_views(needs.views.kind))
        refuse("compares views of a graph, which " +
                   propagation_that(" does not make", "a model without propagation has none of"),
               "give the model `propagation: {type: lightgcn}`");
      if (view_needs_.kind != ViewNeeds::Kind::kNone && !(view_needs_ == needs.views))
        refuse("asks for other views than an objective before it",
               "one step makes views of one kind: give both the same options");
      if (view_needs_.kind == ViewNeeds::Kind::kNone) propagation_->prepare_views(needs.views);
      view_needs_ = needs.views;
    }
    if (needs.channels && num_channels == 0)
      refuse("compares channels in which users hear each other, which " +
                 propagation_that(" does not have", "a model without propagation has none of"),
             "give the model `propagation: {type: mhcn}`");
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
    if (has_history() && options_.user.history->one_target &&
        negatives.per == NegativeNeeds::Per::kPosition)
      negatives.per = NegativeNeeds::Per::kExample;
    stream_of_.push_back(needs.negatives > 0 ? stream_for(negatives, all.negatives) : 0);
    objectives_.push_back(register_module("objective_" + std::to_string(i), objective));
  }
  if (coupling() != Objective::Coupling::kBatch) return;
  for (size_t i = 0; i < objectives_.size(); ++i) {
    const auto needs = objectives_[i]->needs();
    if (needs.negatives == 0 || needs.sharing != ObjectiveNeeds::Sharing::kShard) continue;
    throw ConfigError({{options_.objectives[i].location(),
                        "model.objectives[" + std::to_string(i) +
                            "].sharing: no shard can have negatives of its own where an objective "
                            "compares the targets of a whole step with one another",
                        "write `sharing: step`, or leave that objective out"}});
  }
}

}  // namespace reckon
