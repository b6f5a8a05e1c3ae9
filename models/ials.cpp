#include "models/ials.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "core/format.h"
#include "core/ids.h"
#include "kernels/als.h"
#include "kernels/one_thread.h"
#include "kernels/tracing.h"
#include "models/distinct_sources.h"
#include "models/interaction_matrix.h"
#include "models/known_users.h"

namespace reckon {

namespace {

// Spread of the vectors that a fit begins with.
constexpr double kInitialScale = 0.1;
// Rows whose products are summed at once, whatever the number of threads.
constexpr int64_t kRowsOfGram = 4096;

// table^T table, added up in the same order on any number of threads.   Shapes  [R, D] -> [D, D]
torch::Tensor gram_of(const torch::Tensor& table) {
  const int64_t height = table.size(0), width = table.size(1);
  const int64_t num_parts = (height + kRowsOfGram - 1) / kRowsOfGram;
  auto parts = torch::empty({num_parts, width, width});  // [P, D, D]
  for_each_of_one_thread(num_parts, [&](int64_t begin, int64_t end) {
    const torch::NoGradGuard no_grad;
    for (int64_t p = begin; p < end; ++p) {
      const auto rows = table.slice(0, p * kRowsOfGram, (p + 1) * kRowsOfGram);  // [<= 4096, D]
      auto part = parts[p];                                                      // [D, D]
      at::mm_out(part, rows.t(), rows);
    }
  });
  auto sum = torch::zeros({width, width});  // [D, D]
  for (int64_t p = 0; p < num_parts; ++p) sum += parts[p];
  return sum;
}

}  // namespace

void Ials::Options::describe(Schema<Options>& schema) {
  schema.field("dim", &Options::dim).must_be_in(1, 4096).doc("Width of all vectors.");
  schema.field("iterations", &Options::iterations)
      .must_be_in(1, 100'000)
      .doc("How often all users and then all items are solved for.");
  schema.field("alpha", &Options::alpha)
      .at_least(0.0)
      .doc("Confidence that an interaction adds to the 1 that every pair has.");
  schema.field("regularization", &Options::regularization)
      .positive()
      .doc("Times the squared length of each vector, added to what is minimised.");
  schema.field("per_interaction", &Options::per_interaction)
      .doc("Multiply the regularization of each user and item by their number of interactions.");
  schema.field("ratings", &Options::ratings)
      .doc(
          "What the ratings are: ignored; a confidence, times alpha; or the target, of pairs that "
          "were rated alone.");
  schema.field("solver", &Options::solver)
      .doc(
          "Steps of conjugate gradients from where the vector is, or exactly by Cholesky's "
          "factorisation.");
  schema.field("cg_steps", &Options::cg_steps)
      .must_be_in(1, 1000)
      .doc("Steps of conjugate gradients for each vector in each iteration.");
}

Ials::Ials(const Options& options, const Deps& deps)
    : options_(options),
      users_(register_buffer("users", torch::zeros({deps.num_users, options.dim}))),
      items_(register_buffer("items", torch::zeros({deps.num_items, options.dim}))),
      gram_(register_buffer("gram", torch::zeros({options.dim, options.dim}))),
      mean_(register_buffer("mean", torch::zeros({}))),
      known_(register_buffer("known", users_with_rows(deps.train, deps.num_users))) {
  if (options.ratings != Ratings::kIgnored && !deps.has_ratings)
    throw ConfigError("model.ratings: learns from ratings, and the data has none",
                      "name their column in data.files.interactions.roles.rating, or take "
                      "`ratings: ignored`");
}

void Ials::read(const Interactions& train) {
  TORCH_CHECK(train.num_users == users_.size(0) && train.num_items == items_.size(0),
              "ials: the model is made for ", users_.size(0), " users and ", items_.size(0),
              " items, the data has ", train.num_users, " and ", train.num_items);
  if (train.size() == 0)
    throw std::invalid_argument("the training split has no interactions to learn from");
  if (options_.ratings == Ratings::kConfidence && train.labels.lt(0).any().item<bool>())
    throw std::invalid_argument(
        "ratings that are confidences must be at least 0; there is one of " +
        format_significant(train.labels.min().item<double>()));
  by_user_ = interaction_matrix(train, options_.ratings == Ratings::kIgnored      ? Worth::kCount
                                       : options_.ratings == Ratings::kConfidence ? Worth::kRatings
                                                                                  : Worth::kRating);
  if (learns_ratings()) {
    mean_.copy_(train.labels.mean(torch::kDouble));
    by_user_.values -= mean_;  // [E]
  }
  by_item_ = transpose(by_user_, train.num_items);
}

void Ials::solve(const SparseRows& matrix, const torch::Tensor& fixed, const torch::Tensor& rows) {
  AlsSystem system{.table = fixed, .offsets = matrix.offsets, .columns = matrix.columns};
  if (learns_ratings()) {
    system.gram = torch::zeros_like(gram_);            // [D, D]
    system.squares = torch::ones_like(matrix.values);  // [E]
    system.targets = matrix.values;                    // [E]
  } else {
    system.gram = gram_of(fixed);                         // [D, D]
    system.squares = matrix.values * options_.alpha;      // [E]
    system.targets = matrix.values * options_.alpha + 1;  // [E]
  }
  const auto counts = matrix.offsets.diff().to(torch::kFloat);  // [R]
  system.added = options_.per_interaction
                     ? counts * options_.regularization
                     : torch::full_like(counts, options_.regularization);  // [R]
  if (options_.solver == Solver::kCholesky)
    als_solve(system, rows);
  else
    als_descend(system, options_.cg_steps, rows);
}

double Ials::loss() const {
  const auto* offsets = by_user_.offsets.const_data_ptr<int64_t>();
  const auto* columns = by_user_.columns.const_data_ptr<int32_t>();
  const auto* values = by_user_.values.const_data_ptr<float>();
  const auto* users = users_.const_data_ptr<float>();
  const auto* items = items_.const_data_ptr<float>();
  const int64_t num_users = users_.size(0), dim = options_.dim;
  std::vector<double> sums(static_cast<size_t>(num_users));
  const bool ratings = learns_ratings();
  at::parallel_for(0, num_users, 256, [&](int64_t begin, int64_t end) {
    for (int64_t user = begin; user < end; ++user)
      for (int64_t e = offsets[user]; e < offsets[user + 1]; ++e) {
        float score = 0.0F;
        for (int64_t d = 0; d < dim; ++d)
          score += users[user * dim + d] * items[columns[e] * dim + d];
        const double confidence = ratings ? 1.0 : 1.0 + options_.alpha * values[e];
        const double miss = (ratings ? values[e] : 1.0F) - score;
        // The square of every score is in the product of the two tables' squares below.
        sums[static_cast<size_t>(user)] +=
            confidence * miss * miss - (ratings ? 0.0 : score * score);
      }
  });
  double total = 0.0;
  for (const double sum : sums) total += sum;
  if (!ratings) total += (gram_of(users_) * gram_).sum().item<double>();
  const auto lengths = [&](const torch::Tensor& table, const SparseRows& matrix) {
    auto squares = table.square().sum(1);  // [R]
    if (options_.per_interaction) squares = squares * matrix.offsets.diff();
    return squares.sum().item<double>();
  };
  total += options_.regularization * (lengths(users_, by_user_) + lengths(items_, by_item_));
  return total / static_cast<double>(by_user_.columns.size(0));
}

double Ials::fit(const Interactions& train, const Context& context) {
  if (!by_user_.offsets.defined()) read(train);
  if (context.round == 0) {
    items_.normal_(0.0, kInitialScale, at::detail::createCPUGenerator(context.seed));
    // An item that nobody chose stays where nothing is.
    items_.mul_(by_item_.offsets.diff().gt(0).unsqueeze(1));
    users_.zero_();
  }
  solve(by_user_, items_, users_);
  solve(by_item_, users_, items_);
  gram_.copy_(gram_of(items_));
  return loss();
}

RequestNeeds Ials::request_needs() const {
  return {.users = true, .max_length = learns_ratings() ? 0 : RequestNeeds::kWholeHistory};
}

Contract Ials::contract() const {
  return {.known_user = true, .new_user_with_history = !learns_ratings()};
}

torch::Tensor Ials::known_users(const torch::Tensor& users) { return only_known(users, known_); }

State Ials::encode(const Batch& request) {
  const auto users = known_users(request.at(batch_key::kUsers));                          // [B]
  const auto known = users.ge(0).unsqueeze(1);                                            // [B, 1]
  const auto stored = users_.index_select(0, users.clamp_min(0)).masked_fill(~known, 0);  // [B, D]
  if (learns_ratings()) return {{stored}};
  const auto history = request.at(batch_key::kHistory);  // [B, T]
  if (is_tracing()) return {{torch::where(known, stored, fold_in(history))}};
  const auto rows = users.lt(0).nonzero().squeeze(1);  // [N]
  if (rows.numel() == 0) return {{stored}};
  return {{stored.index_copy(0, rows, fold_in(history.index_select(0, rows)))}};
}

torch::Tensor Ials::factor_of(const torch::Tensor& history) const {
  auto added = torch::eye(options_.dim) * options_.regularization;  // [D, D]
  if (options_.per_interaction) {
    const auto count = distinct_items(history).ge(0).sum(1);  // [B]
    // A history of nothing keeps a system that can be solved.
    added = added * count.clamp_min(1).unsqueeze(1).unsqueeze(2);  // [B, D, D]
  }
  const auto vectors =
      items_.index({history.clamp_min(0)}) * history.ge(0).unsqueeze(2);  // [B, T, D]
  const auto squares =
      torch::matmul(vectors.transpose(1, 2), vectors) * options_.alpha;  // [B, D, D]
  return at::linalg_cholesky(gram_ + added + squares);                   // [B, D, D]
}

torch::Tensor Ials::fold_in(const torch::Tensor& history) {
  // Every chosen item brings the 1 that all pairs have, and alpha as often as it stands there.
  const auto targets = sum_of_vectors(items_, distinct_items(history)) +
                       sum_of_vectors(items_, history) * options_.alpha;           // [B, D]
  return at::cholesky_solve(targets.unsqueeze(2), factor_of(history)).squeeze(2);  // [B, D]
}

std::optional<Explains> Ials::explains() const {
  return learns_ratings() ? std::nullopt : std::optional(Explains{});
}

Explanation Ials::contributions(const Batch& request, const torch::Tensor& items) {
  TORCH_CHECK(explains(), "contributions: nothing is folded in where ratings are learnt");
  const auto& history = request.at(batch_key::kHistory);                               // [B, T]
  const auto candidates = items_.index_select(0, items);                               // [B, D]
  const auto asked = at::cholesky_solve(candidates.unsqueeze(2), factor_of(history));  // [B, D, 1]
  const auto shares_of = [&](const torch::Tensor& ids) {
    return at::embedding(items_, ids.clamp_min(0)).matmul(asked).squeeze(2) * ids.ge(0);  // [B, T]
  };
  const auto distinct = distinct_items(history);  // [B, T]
  const auto shares = at::cat({shares_of(distinct), shares_of(history) * options_.alpha}, 1);
  auto rest = at::zeros_like(items, items_.options());  // [B]
  if (request.has(batch_key::kUsers)) {
    const auto users = known_users(request.at(batch_key::kUsers));                         // [B]
    const auto stored = (users_.index_select(0, users.clamp_min(0)) * candidates).sum(1);  // [B]
    rest = (stored - shares.sum(1)).masked_fill(users.lt(0), 0.0);                         // [B]
  }
  const auto sources = history.masked_fill(history.lt(0), kPaddingId);  // [B, T]
  return with_distinct_sources(
      {.sources = at::cat({distinct, sources}, 1), .contributions = shares, .rest = rest});
}

torch::Tensor Ials::score(const State& state, const torch::Tensor& candidates) {
  const auto rows = items_.index({candidates});                                  // [B, C, D]
  return torch::matmul(rows, state.tensors[0].unsqueeze(2)).squeeze(2) + mean_;  // [B, C]
}

std::optional<Factors> Ials::factors() {
  return Factors{.items = items_, .item_bias = mean_.expand({num_items()})};  // [I, D], [I]
}

torch::Tensor Ials::queries(const State& state) { return state.tensors[0].unsqueeze(1); }

}  // namespace reckon
