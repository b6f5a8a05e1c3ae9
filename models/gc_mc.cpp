#include "models/gc_mc.h"

#include <torch/nn/init.h>

#include <algorithm>
#include <limits>
#include <sstream>

#include "core/diagnostics.h"
#include "kernels/dropout.h"
#include "layers/initialize.h"
#include "layers/objective_terms.h"

namespace reckon {

namespace {

// Orthogonal bases begin a little longer than one, as those of the authors do.
constexpr double kGainOfBases = 1.1;

std::string listed(const std::vector<double>& levels) {
  std::ostringstream text;
  for (size_t i = 0; i < levels.size(); ++i) text << (i > 0 ? ", " : "") << levels[i];
  return text.str();
}

// As ratings are kept, in float32.
bool is_no_less(double a, double b) { return static_cast<float>(a) >= static_cast<float>(b); }

// Which of the levels, ascending, each rating is.   Shapes   levels [R], ratings [E] -> [E] int64
torch::Tensor places_of(const torch::Tensor& ratings, const torch::Tensor& levels) {
  return at::bucketize(ratings.to(levels.scalar_type()), levels);  // [E]
}

}  // namespace

void GcMc::Side::describe(Schema<Side>& schema) {
  schema.field("features", &Side::features)
      .doc("What columns of the table say, in a channel of its own beside the ratings.");
}

void GcMc::Options::describe(Schema<Options>& schema) {
  schema.field("levels", &Options::levels)
      .must_be(
          "two or more numbers that ascend",
          [](const std::vector<double>& levels) {
            return levels.size() > 1 &&
                   std::adjacent_find(levels.begin(), levels.end(), is_no_less) == levels.end();
          },
          std::vector<double>{2.0, 1.0})
      .doc("The ratings that users can give, each an edge type.");
  schema.field("accumulate", &Options::accumulate)
      .doc("What becomes of the sums of the levels: side by side, or added up.");
  schema.field("normalize", &Options::normalize)
      .doc("Sums over a node's ratings, by their number, or by the roots of it at both ends.");
  schema.field("share_levels", &Options::share_levels)
      .doc("Whether what is told along a level is added to that of all levels below it.");
  schema.field("hidden", &Options::hidden)
      .must_be_in(1, 65536)
      .doc("Width of what a node hears, of all levels together where they are stacked.");
  schema.field("dim", &Options::dim).must_be_in(1, 4096).doc("Width of the vectors.");
  schema.field("bases", &Options::bases)
      .must_be_in(1, 64)
      .doc("Matrices of which those of the levels are mixtures.");
  schema.field("dropout", &Options::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Probability, in training, that a node tells nothing, and that an element is left out.");
  schema.field("item", &Options::item).doc("What is known of items beside their ratings.");
  schema.field("user", &Options::user).doc("What is known of users beside their ratings.");
  schema.field("feature_dim", &Options::feature_dim)
      .must_be_in(1, 4096)
      .doc("Width of what features become, where there are any.");
  schema.invariant("hidden", "must be divisible by the number of levels, which share it by `stack`",
                   [](const Options& o) {
                     return o.accumulate != Accumulate::kStack ||
                            o.hidden % static_cast<int64_t>(o.levels.size()) == 0;
                   });
}

GcMc::GcMc(const Options& options, const Deps& deps)
    : RatingModel(deps, "gc_mc"),
      options_(options),
      levels_(register_buffer("levels",
                              torch::tensor(options.levels, torch::kDouble).to(torch::kFloat))) {
  if (deps.train != nullptr)
    read(*deps.train);
  else
    build_graph(nullptr);

  const int64_t dim = options.dim, from_features = options.feature_dim;
  const int64_t all_told = num_levels() * told_width();
  told_ = register_parameter("told", xavier_table(deps.num_users + deps.num_items, all_told,
                                                  stacks() ? 1 : num_levels()));  // [N, R F]
  if (has_features()) {
    const auto side = [&](const Side& of, TableRole role, int64_t num_rows,
                          const torch::Tensor& counted, const std::string& name,
                          FeatureTable& features, torch::Tensor& bias, torch::nn::Linear& dense) {
      if (of.features) {
        features = register_module(name + "_features",
                                   FeatureTable(*of.features,
                                                FeatureTableImpl::Deps{.role = role,
                                                                       .num_rows = num_rows,
                                                                       .width = from_features,
                                                                       .option = "model." + name +
                                                                                 ".features",
                                                                       .columns = deps.columns,
                                                                       .counted = counted}));
        bias = register_parameter(name + "_feature_bias",
                                  torch::zeros({from_features}));  // [feature_dim]
      }
      dense = register_module(name + "_dense",
                              xavier_linear(options.hidden + (of.features ? from_features : 0), dim,
                                            /*has_bias=*/false));
    };
    side(options.user, TableRole::kUsers, deps.num_users, means_->all_known_users(), "user",
         user_features_, user_feature_bias_, user_dense_);
    side(options.item, TableRole::kItems, deps.num_items, means_->all_known_items(), "item",
         item_features_, item_feature_bias_, item_dense_);
  } else {
    user_dense_ = item_dense_ =
        register_module("dense", xavier_linear(options.hidden, dim, /*has_bias=*/false));
  }
  bases_ = register_parameter("bases", torch::empty({options.bases, dim, dim}));  // [n, D, D]
  {
    const torch::NoGradGuard no_grad;
    for (int64_t s = 0; s < options.bases; ++s)
      torch::nn::init::orthogonal_(bases_.select(0, s), kGainOfBases);
  }
  coefficients_ =
      register_parameter("coefficients", xavier_table(options.bases, num_levels()));  // [n, R]
  folded_users_ = register_buffer("folded_users", torch::empty({0}));                 // [0]
  folded_items_ = register_buffer("folded_items", torch::empty({0}));                 // [0]
}

void GcMc::read(const Interactions& train) {
  const auto infinity = std::numeric_limits<double>::infinity();
  try {
    const Ratings ratings(train, num_users(), num_items(), {.low = -infinity, .high = infinity},
                          "gc_mc");
    const auto found = places_of(train.labels, levels_).clamp_max(num_levels() - 1);  // [E]
    const auto strange = levels_.index_select(0, found).ne(train.labels).nonzero();   // [., 1]
    if (strange.size(0) > 0) {
      std::ostringstream text;
      text << "gc_mc: training has a rating of "
           << train.labels[strange[0][0].item<int64_t>()].item<float>() << ", and model.levels are "
           << listed(options_.levels) << "; name every rating that users can give";
      throw std::invalid_argument(text.str());
    }
    means_->fit(ratings);
    build_graph(&ratings);
  } catch (const std::invalid_argument& error) {
    throw ConfigError({{{"model"}, error.what(), ""}});
  }
}

void GcMc::build_graph(const Ratings* ratings) {
  const int64_t num_nodes = num_users() + num_items(), all_levels = num_levels();
  const int64_t per_node = stacks() ? all_levels : 1;  // receivers
  std::vector<float> levels;
  for (const auto level : options_.levels) levels.push_back(static_cast<float>(level));
  // Calls take(receiver, sender) for each rating and direction, a node's one after another.
  const auto each = [&](const auto& take) {
    if (ratings == nullptr) return;
    const auto tell = [&](int64_t node, int64_t first, const RatingsOfOne& own) {
      for (int64_t j = 0; j < own.size; ++j) {
        const auto level =
            std::lower_bound(levels.begin(), levels.end(), own.values[j]) - levels.begin();
        take(node * per_node + (stacks() ? level : 0),
             (first + own.others[j]) * all_levels + level);
      }
    };
    for (int64_t user = 0; user < num_users(); ++user)
      tell(user, num_users(), ratings->of_user(user));
    for (int64_t item = 0; item < num_items(); ++item)
      tell(num_users() + item, 0, ratings->of_item(item));
  };
  auto offsets = torch::zeros({num_nodes * per_node + 1}, torch::kLong);  // [. + 1]
  auto* offset = offsets.data_ptr<int64_t>();
  each([&](int64_t receiver, int64_t) { ++offset[receiver + 1]; });
  for (int64_t r = 0; r < num_nodes * per_node; ++r) offset[r + 1] += offset[r];
  auto senders = torch::empty({offset[num_nodes * per_node]}, torch::kInt);  // [2 E]
  auto* place = senders.data_ptr<int32_t>();
  std::vector<int64_t> next(offset, offset + num_nodes * per_node);
  each([&](int64_t receiver, int64_t sender) {
    place[next[static_cast<size_t>(receiver)]++] = static_cast<int32_t>(sender);
  });
  const auto degrees = offsets.slice(0, per_node, std::nullopt, per_node) -
                       offsets.slice(0, 0, num_nodes * per_node, per_node);  // [N]
  const auto counts = degrees.to(torch::kDouble).unsqueeze(1);               // [N, 1]
  const auto inverse = counts.clamp_min(1.0).reciprocal() * counts.gt(0);    // [N, 1]
  const bool is_left = options_.normalize == Normalize::kLeft;
  sends_ = is_left ? torch::ones_like(inverse) : inverse.sqrt();  // [N, 1]
  hears_ = is_left ? inverse : inverse.sqrt();                    // [N, 1]
  lists_ = neighbour_lists(offsets, senders, num_nodes * all_levels);
}

void GcMc::move_graph(const torch::Device& device) {
  lists_ = lists_.to(device);
  sends_ = sends_.to(device);
  hears_ = hears_.to(device);
}

void GcMc::to(torch::Device device, torch::Dtype dtype, bool non_blocking) {
  torch::nn::Module::to(device, dtype, non_blocking);
  move_graph(device);
}

void GcMc::to(torch::Device device, bool non_blocking) {
  torch::nn::Module::to(device, non_blocking);
  move_graph(device);
}

torch::Tensor GcMc::side_vectors(const torch::Tensor& hidden, FeatureTable& features,
                                 const torch::Tensor& bias, const torch::Tensor& weight) {
  auto x = hidden;  // [., hidden]
  if (!features.is_empty())
    x = at::cat({x, at::relu(features->all() + bias)}, 1);  // [., hidden + feature_dim]
  x = reckon::dropout(x, options_.dropout, is_training());  // [., hidden + feature_dim]
  return at::linear(x, weight);                             // [., D]
}

GcMc::Vectors GcMc::all_vectors() {
  auto told = told_.unflatten(1, {num_levels(), told_width()});  // [N, R, F]
  if (options_.share_levels) told = told.cumsum(1);              // [N, R, F]
  // One mask for all that a node tells, at all levels.
  const auto sends = reckon::dropout(sends_.to(told_.scalar_type()), options_.dropout,
                                     is_training());                     // [N, 1]
  const auto sent = (told * sends.unsqueeze(2)).flatten(0, 1);           // [N R, F]
  const auto sums = sums_of_neighbours(lists_, sent);                    // [N R, F] or [N, F]
  const auto heard = sums.reshape({-1, options_.hidden});                // [N, hidden]
  const auto hidden = at::relu(heard * hears_.to(heard.scalar_type()));  // [N, hidden]
  const auto of_users = hidden.slice(0, 0, num_users());                 // [U, hidden]
  const auto of_items = hidden.slice(0, num_users());                    // [I, hidden]
  return {side_vectors(of_users, user_features_, user_feature_bias_, user_dense_->weight),
          side_vectors(of_items, item_features_, item_feature_bias_, item_dense_->weight)};
}

GcMc::Vectors GcMc::for_scoring() {
  if (folded_items_.numel() > 0) return {folded_users_, folded_items_};
  return scoring_.of(*this, [this] { return all_vectors(); });
}

void GcMc::fold(bool on) {
  const torch::NoGradGuard no_grad;
  fill_buffer(folded_users_, torch::empty({0}));  // [0]
  fill_buffer(folded_items_, torch::empty({0}));  // [0]
  if (!on) return;
  const auto vectors = all_vectors();
  fill_buffer(folded_users_, vectors.users);  // [U, D]
  fill_buffer(folded_items_, vectors.items);  // [I, D]
}

void GcMc::train(bool on) {
  torch::nn::Module::train(on);
  scoring_.clear();
}

torch::Tensor GcMc::expected(const torch::Tensor& products) const {
  const auto shares = at::softmax(products.matmul(coefficients_), -1);  // [..., R]
  return shares.matmul(levels_.to(shares.scalar_type()));               // [...]
}

State GcMc::encode(const Batch& request) {
  const auto users = known_users(request.at(batch_key::kUsers));  // [B]
  return {{users, rows_of_known(for_scoring().users, users)}};    // [B], [B, D]
}

torch::Tensor GcMc::score(const State& state, const torch::Tensor& candidates) {
  const auto forms = at::matmul(state.tensors[1], bases_).permute({1, 2, 0});   // [B, D, n]
  const auto products = for_scoring().items.index({candidates}).matmul(forms);  // [B, C, n]
  return or_means(expected(products), state.tensors[0], candidates);            // [B, C]
}

torch::Tensor GcMc::score_all(const State& state) {
  const auto forms = at::matmul(state.tensors[1], bases_);                         // [n, B, D]
  const auto products = forms.matmul(for_scoring().items.t()).permute({1, 2, 0});  // [B, I, n]
  return or_means_of_all(expected(products), state.tensors[0]);                    // [B, I]
}

Needs GcMc::needs() const {
  Needs needs;
  needs.users = true;
  needs.labels = true;
  return needs;
}

std::vector<torch::Tensor> GcMc::shared(std::span<const Batch* const>) {
  const auto [users, items] = all_vectors();                               // [U, D], [I, D]
  return {at::matmul(users, bases_).transpose(0, 1).contiguous(), items};  // [U, n, D], [I, D]
}

Learnable::Represented GcMc::represent(const Batch& shard, const std::vector<torch::Tensor>&) {
  Represented out;
  out.fixed = {shard.at(batch_key::kUsers), shard.at(batch_key::kTargets),
               shard.at(batch_key::kLabels), shard.find(batch_key::kWeights)};
  return out;
}

LossParts GcMc::loss(const Represented& rows, const std::vector<torch::Tensor>& shared, int64_t) {
  // As a graph of their own, the ratings of a shard need no vector for each of them.
  const auto order = rows.fixed[0].argsort(/*stable=*/true, 0, /*descending=*/false);  // [B]
  const auto counts = at::bincount(rows.fixed[0], {}, num_users());                    // [U]
  const auto offsets = at::constant_pad_nd(counts.cumsum(0), {1, 0});                  // [U + 1]
  const auto senders = rows.fixed[1].index_select(0, order).to(torch::kInt);           // [B]
  const auto pairs = neighbour_lists(offsets.cpu(), senders.cpu(), num_items()).to(order.device());
  const auto items = shared[1].unsqueeze(1).expand({-1, options_.bases, -1});           // [I, n, D]
  const auto logits = edge_products(pairs, shared[0], items).matmul(coefficients_);     // [B, R]
  const auto wanted = places_of(rows.fixed[2].index_select(0, order), levels_);         // [B]
  const auto losses = at::cross_entropy_loss(logits, wanted, {}, at::Reduction::None);  // [B]
  const auto& weights = rows.fixed[3];                                                  // [B]
  return weighted_sum(losses, weights.defined() ? weights.index_select(0, order) : weights);
}

}  // namespace reckon
