#include "models/walk_embedding.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "core/diagnostics.h"
#include "kernels/skip_gram.h"
#include "kernels/tracing.h"
#include "models/interaction_matrix.h"
#include "models/known_users.h"
#include "models/node_graph.h"
#include "models/propagation.h"

namespace reckon {

namespace {

// Walks that are drawn before they are learnt from, whatever the number of threads.
constexpr int64_t kWalksAtOnce = 256;
constexpr double kNoiseExponent = 0.75;
// The share of the learning rate that is left at the end, as word2vec has it.
constexpr double kLeastRate = 1e-4;
// The logarithm that stands for the probability of what no walk comes by.
constexpr double kNever = -100.0;

bool knows(const std::vector<std::string>& path, const char* type) {
  return std::find(path.begin(), path.end(), type) != path.end();
}

// The nodes of a type. Those of entities may be unknown: the file that names them has not been read.
NodeRange nodes_of(const Graph& graph, const std::string& type) {
  std::vector<std::string> names;
  for (const auto& own : graph.node_types) {
    if (own.name == type) return own.nodes;
    names.push_back(own.name);
  }
  const auto& relations = graph.relations;
  const bool has_triples =
      std::any_of(relations.begin(), relations.end(),
                  [](const Relation& relation) { return relation.kind == EdgeKind::kTriples; });
  if (has_triples && type == "entity") return {graph.num_nodes(), 0};
  throw ConfigError("model.metapath: the graph has no nodes of type '" + type + "'",
                    suggest(type, names));
}

bool has_shared_nodes(const Model::Deps& deps) {
  return deps.graph == nullptr && deps.train != nullptr && deps.train->mutual;
}

// What the data declares, else users and items, which are one node each where they are the same; without
// relations while only sizes are known.
Graph graph_around(const Model::Deps& deps) {
  if (deps.graph != nullptr) return *deps.graph;
  if (deps.train != nullptr) {
    auto graph = interaction_graph(*deps.train);
    if (!has_shared_nodes(deps)) return graph;
    // An item is its user's node, and the other way round stands among the pairs already.
    graph.node_types[1].nodes = graph.node_types[0].nodes;
    graph.relations[0].targets = graph.relations[0].sources;
    graph.relations.pop_back();
    return graph;
  }
  return {.node_types = {{"user", {0, deps.num_users}}, {"item", {deps.num_users, deps.num_items}}},
          .relations = {}};
}

UndirectedGraph graph_to_walk(const Graph& graph, const std::vector<std::string>& relations) {
  try {
    return node_graph(graph, relations);
  } catch (const std::invalid_argument& error) {
    throw ConfigError(std::string("model.relations: ") + error.what());
  }
}

}  // namespace

void WalkEmbedding::Options::describe(Schema<Options>& schema) {
  schema.field("dim", &Options::dim).must_be_in(1, 4096).doc("Width of all vectors.");
  schema.field("walks_per_node", &Options::walks_per_node)
      .must_be_in(1, 100'000)
      .doc("Walks from each node in an epoch.");
  schema.field("walk_length", &Options::walk_length)
      .must_be_in(2, 100'000)
      .doc("Nodes of a walk, the first included.");
  schema.field("window", &Options::window)
      .must_be_in(1, 1000)
      .doc("Places between two nodes of a walk up to which they are a pair.");
  schema.field("negatives", &Options::negatives)
      .must_be_in(1, 1000)
      .doc("Nodes drawn beside each pair.");
  schema.field("epochs", &Options::epochs)
      .must_be_in(1, 100'000)
      .doc("How often all nodes are walked from.");
  schema.field("lr", &Options::lr)
      .positive()
      .doc("Learning rate of the first step; it falls linearly to nearly nothing.");
  schema.field("return_parameter", &Options::return_parameter)
      .must_be_in(0.01, 100.0)
      .doc("p of node2vec: the higher, the rarer a walk turns back.");
  schema.field("in_out_parameter", &Options::in_out_parameter)
      .must_be_in(0.01, 100.0)
      .doc("q of node2vec: the higher, the nearer a walk stays to where it came from.");
  schema.field("metapath", &Options::metapath)
      .doc(
          "Types of nodes that walks go by in turn, such as [user, item, user], the first also "
          "being "
          "the last; empty: any.");
  schema.field("relations", &Options::relations)
      .doc("Relations of data.graph that walks go along; empty: all.");
  schema.field("score", &Options::score)
      .doc(
          "What ranks: how probably user and item meet on a walk, or the inner product of their "
          "vectors.");
  schema.field("lock_free", &Options::lock_free)
      .doc(
          "Learn from several walks at once, without locks: faster, and results differ in their "
          "last "
          "digits from run to run.");
  schema.invariant("metapath", "must end with the type that it begins with", [](const Options& o) {
    return o.metapath.empty() || (o.metapath.size() > 1 && o.metapath.front() == o.metapath.back());
  });
  schema.invariant("metapath", "must come by 'user' and 'item', whose vectors rank",
                   [](const Options& o) {
                     return o.metapath.empty() ||
                            (knows(o.metapath, "user") && knows(o.metapath, "item"));
                   });
  schema.invariant("metapath", "excludes 'return_parameter' and 'in_out_parameter' other than 1",
                   [](const Options& o) {
                     return o.metapath.empty() ||
                            (o.return_parameter == 1.0 && o.in_out_parameter == 1.0);
                   });
}

struct WalkEmbedding::Examples {
  std::vector<int32_t> nodes;
  std::vector<SkipGramPair> pairs;
  std::vector<int32_t> negatives;
};

WalkEmbedding::WalkEmbedding(const Options& options, const Deps& deps)
    : options_(options),
      num_users_(deps.num_users),
      num_items_(deps.num_items),
      first_item_(has_shared_nodes(deps) ? 0 : deps.num_users) {
  const auto graph = graph_around(deps);
  RandomWalks::Options of_walks{.length = options.walk_length,
                                .return_parameter = options.return_parameter,
                                .in_out_parameter = options.in_out_parameter,
                                .path = {}};
  // While only sizes are known, no name can be wrong.
  const bool is_known = !graph.relations.empty();
  if (is_known)
    for (const auto& type : options.metapath) of_walks.path.push_back(nodes_of(graph, type));
  const auto edges =
      graph_to_walk(graph, is_known ? options.relations : std::vector<std::string>());
  walks_.emplace(edges, of_walks);
  const int64_t num_nodes = graph.num_nodes();
  const auto shares = edges.inverse_degree.to(torch::kDouble);            // [N]
  noise_ = torch::where(shares.gt(0), shares.pow(-kNoiseExponent), 0.0);  // [N]
  auto* noise = noise_.data_ptr<double>();
  for (int64_t node = 0; node < num_nodes; ++node)
    if (!walks_->may_visit(static_cast<int32_t>(node))) noise[node] = 0.0;
  const double total = noise_.sum().item<double>();
  if (total > 0.0) {
    noise_ /= total;
    draws_of_noise_ = AliasTable({noise, static_cast<size_t>(num_nodes)});
  }
  vectors_ = register_buffer("vectors", torch::zeros({num_nodes, options.dim}));
  contexts_ = register_buffer("contexts", torch::zeros({num_nodes, options.dim}));
  item_bias_ = register_buffer("item_bias", torch::zeros({num_items_}));
  known_ = register_buffer("known", users_with_rows(deps.train, num_users_));
}

void WalkEmbedding::begin(uint64_t seed) {
  const double half = 0.5 / static_cast<double>(options_.dim);
  vectors_.uniform_(-half, half, at::detail::createCPUGenerator(seed));
  // What no walk comes by stays where nothing is.
  vectors_.mul_(noise_.gt(0).unsqueeze(1));
  contexts_.zero_();
  const auto of_items = noise_.narrow(0, first_item_, num_items_);  // [I]
  item_bias_.copy_(torch::where(
      of_items.gt(0), (of_items * static_cast<double>(options_.negatives)).log(), kNever));
}

void WalkEmbedding::draw(int32_t start, const RandomKey& key, Examples& examples) const {
  auto& [nodes, pairs, negatives] = examples;
  walks_->walk(start, key.child(0), nodes);
  const auto length = static_cast<int64_t>(nodes.size());
  pairs.clear();
  for (int64_t place = 0; place < length; ++place) {
    const int64_t end = std::min(length, place + options_.window + 1);
    for (int64_t other = std::max<int64_t>(0, place - options_.window); other < end; ++other)
      if (other != place)
        pairs.push_back({nodes[static_cast<size_t>(place)], nodes[static_cast<size_t>(other)]});
  }
  CounterRng rng(key.child(1));
  negatives.resize(pairs.size() * static_cast<size_t>(options_.negatives));
  for (auto& negative : negatives) negative = static_cast<int32_t>(draws_of_noise_.draw(rng()));
}

double WalkEmbedding::learn(const Examples& examples, double lr) {
  return skip_gram_update(vectors_, contexts_, examples.pairs, examples.negatives, lr);
}

double WalkEmbedding::fit(const Interactions& train, const Context& context) {
  TORCH_CHECK(train.num_users == num_users_ && train.num_items == num_items_,
              "walk_embedding: the model is made for ", num_users_, " users and ", num_items_,
              " items, the data has ", train.num_users, " and ", train.num_items);
  const auto& starts = walks_->starts();
  if (starts.empty())
    throw std::invalid_argument("no walk can begin: nothing in the graph has an edge to go along");
  if (context.round == 0) begin(context.seed);
  const RandomKey key(context.seed, RandomStream::kWalks, static_cast<uint64_t>(context.round));
  const auto num_starts = static_cast<int64_t>(starts.size());
  const auto num_walks = static_cast<double>(num_starts * options_.walks_per_node);
  std::vector<Examples> drawn(static_cast<size_t>(std::min(kWalksAtOnce, num_starts)));
  std::vector<double> losses(drawn.size());
  double loss = 0.0, num_pairs = 0.0;
  for (int64_t pass = 0; pass < options_.walks_per_node; ++pass) {
    const auto of_pass = key.child(static_cast<uint64_t>(pass));
    const auto order = permutation(num_starts, of_pass);
    const auto rate_at = [&](int64_t place) {
      const double epochs_done = static_cast<double>(context.round) +
                                 static_cast<double>(pass * num_starts + place) / num_walks;
      return options_.lr *
             std::max(kLeastRate, 1.0 - epochs_done / static_cast<double>(options_.epochs));
    };
    for (int64_t first = 0; first < num_starts; first += kWalksAtOnce) {
      const int64_t count = std::min(kWalksAtOnce, num_starts - first);
      at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t w = begin; w < end; ++w) {
          const auto place = static_cast<size_t>(w);
          const auto start = starts[static_cast<size_t>(order[static_cast<size_t>(first + w)])];
          draw(start, of_pass.child(static_cast<uint64_t>(start)), drawn[place]);
          if (options_.lock_free) losses[place] = learn(drawn[place], rate_at(first + w));
        }
      });
      for (int64_t w = 0; w < count; ++w) {
        const auto place = static_cast<size_t>(w);
        if (!options_.lock_free) losses[place] = learn(drawn[place], rate_at(first + w));
        loss += losses[place];
        num_pairs += static_cast<double>(drawn[place].pairs.size());
      }
    }
  }
  if (!std::isfinite(loss))
    throw std::invalid_argument("the loss of the walks is not finite any more: lower model.lr");
  return loss / num_pairs;
}

RequestNeeds WalkEmbedding::request_needs() const {
  return {.users = true, .max_length = RequestNeeds::kWholeHistory};
}

torch::Tensor WalkEmbedding::known_users(const torch::Tensor& users) {
  return only_known(users, known_);
}

State WalkEmbedding::encode(const Batch& request) {
  const auto users = known_users(request.at(batch_key::kUsers));     // [B]
  const auto known = users.ge(0).unsqueeze(1);                       // [B, 1]
  const auto stored = vectors_.index_select(0, users.clamp_min(0));  // [B, D]
  if (!is_tracing() && known.all().item<bool>()) return {{stored}};
  const auto items = distinct_items(request.at(batch_key::kHistory));  // [B, T]
  // What no walk comes by has no vector.
  const auto is_met = item_bias_.gt(kNever).index({items.clamp_min(0)});  // [B, T]
  const auto count =
      items.ge(0).logical_and(is_met).sum(1, /*keepdim=*/true).clamp_min(1);  // [B, 1]
  const auto mean = sum_of_vectors(rows_of_items(vectors_), items) / count;   // [B, D]
  return {{at::where(known, stored, mean)}};
}

torch::Tensor WalkEmbedding::score(const State& state, const torch::Tensor& candidates) {
  const auto form = *factors();
  const auto rows = form.items.index({candidates});                                     // [B, C, D]
  const auto products = torch::matmul(rows, state.tensors[0].unsqueeze(2)).squeeze(2);  // [B, C]
  return form.item_bias.defined() ? products + form.item_bias.index({candidates}) : products;
}

std::optional<Factors> WalkEmbedding::factors() {
  if (!scores_meeting()) return Factors{.items = rows_of_items(vectors_), .item_bias = {}};
  return Factors{.items = rows_of_items(contexts_), .item_bias = item_bias_};  // [I, D], [I]
}

}  // namespace reckon
