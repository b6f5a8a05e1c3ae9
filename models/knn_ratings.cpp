#include "models/knn_ratings.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/ids.h"
#include "kernels/tracing.h"

namespace reckon {
namespace {

using Measure = KnnRatings::Options::Similarity;

/// Sums over the common ones of a pair, of the values r of the one and s of the other.
struct PairSums {
  int64_t count = 0;
  double r = 0.0, s = 0.0, rr = 0.0, ss = 0.0, rs = 0.0;

  void add(double a, double b) {
    ++count;
    r += a;
    s += b;
    rr += a * a;
    ss += b * b;
    rs += a * b;
  }
};

double quotient(double product, double squares) {
  return squares > 0.0 ? product / std::sqrt(squares) : 0.0;
}

double similarity_of(const PairSums& sums, Measure kind, double shrinkage) {
  const auto count = static_cast<double>(sums.count);
  switch (kind) {
    case Measure::kCosine:
      return quotient(sums.rs, sums.rr * sums.ss);
    case Measure::kMsd:
      return 1.0 / (1.0 + std::max(0.0, sums.rr + sums.ss - 2.0 * sums.rs) / count);
    case Measure::kPearson: {
      // A difference of nearly equal numbers: what rounding leaves of a zero is no variance.
      const auto variance = [&](double squares, double sum) {
        const double value = count * squares - sum * sum;
        return value > 1e-10 * count * squares ? value : 0.0;
      };
      return quotient(count * sums.rs - sums.r * sums.s,
                      variance(sums.rr, sums.r) * variance(sums.ss, sums.s));
    }
    case Measure::kPearsonBaseline:
      return quotient(sums.rs, sums.rr * sums.ss) * (count - 1.0) /
             std::max(count - 1.0 + shrinkage, 1e-12);
  }
  return 0.0;
}

}  // namespace

void KnnRatings::Options::describe(Schema<Options>& schema) {
  schema.field("scale", &Options::scale).doc("The scale of the ratings.");
  schema.field("side", &Options::side).doc("Whose neighbours are asked.");
  schema.field("kind", &Options::kind).doc("What of the neighbours' ratings is averaged.");
  schema.field("similarity", &Options::similarity).doc("Who is a neighbour of whom.");
  schema.field("neighbors", &Options::neighbors).at_least(1).doc("The most similar ones, at most.");
  schema.field("min_neighbors", &Options::min_neighbors)
      .at_least(1)
      .doc("With fewer, what is known without neighbours is predicted.");
  schema.field("min_support", &Options::min_support)
      .at_least(1)
      .doc("Pairs with fewer common ratings are not similar.");
  schema.field("shrinkage", &Options::shrinkage)
      .at_least(0)
      .doc("pearson_baseline: how many common ratings halve the correlation.");
  schema.field("baseline", &Options::baseline)
      .doc("The baseline of `kind: baseline` and `similarity: pearson_baseline`.");
}

KnnRatings::KnnRatings(const Options& options, const Deps& deps)
    : FittedRatingModel(deps, "knn_ratings"),
      options_(options),
      user_bias_(register_buffer("user_bias", torch::zeros({deps.num_users}))),
      item_bias_(register_buffer("item_bias", torch::zeros({deps.num_items}))) {
  const bool of_users = options.side == Options::Side::kUsers;
  const int64_t num_x = of_users ? deps.num_users : deps.num_items;
  const int64_t num_y = of_users ? deps.num_items : deps.num_users;
  deviations_ = register_buffer("deviations", torch::ones({num_x}));               // [X]
  similarities_ = register_buffer("similarities", torch::empty({0, 0}));           // [X, X]
  offsets_ = register_buffer("offsets", torch::zeros({num_y + 1}, torch::kLong));  // [Y + 1]
  raters_ = register_buffer("raters", torch::empty({0}, torch::kLong));            // [E]
  values_ = register_buffer("values", torch::empty({0}));                          // [E]
}

double KnnRatings::fit(const Interactions& train, const Context&) {
  const Ratings ratings(train, user_bias_.size(0), num_items(), options_.scale, "knn_ratings");
  means_->fit(ratings);
  user_bias_.zero_();
  item_bias_.zero_();
  auto* user_bias = user_bias_.mutable_data_ptr<float>();
  auto* item_bias = item_bias_.mutable_data_ptr<float>();
  if (options_.kind == Options::Kind::kBaseline || options_.similarity == Measure::kPearsonBaseline)
    for (int64_t epoch = 0; epoch < options_.baseline.epochs; ++epoch)
      baseline_sweep(ratings, options_.baseline, user_bias, item_bias);

  const bool of_users = is_of_users();
  const int64_t num_x = num_sides(), num_y = offsets_.size(0) - 1;
  const auto of_x = [&](int64_t x) { return of_users ? ratings.of_user(x) : ratings.of_item(x); };
  const auto of_y = [&](int64_t y) { return of_users ? ratings.of_item(y) : ratings.of_user(y); };
  const float* x_bias = of_users ? user_bias : item_bias;
  const float* y_bias = of_users ? item_bias : user_bias;
  const float* x_means =
      (of_users ? means_->of_users() : means_->of_items()).const_data_ptr<float>();

  auto similarities = torch::zeros({num_x, num_x});  // [X, X]
  const bool of_residuals = options_.similarity == Measure::kPearsonBaseline;
  at::parallel_for(0, num_x, 1, [&](int64_t begin, int64_t end) {
    std::vector<PairSums> sums(static_cast<size_t>(num_x));
    for (int64_t x = begin; x < end; ++x) {
      std::fill(sums.begin(), sums.end(), PairSums{});
      const auto own = of_x(x);
      for (int64_t j = 0; j < own.size; ++j) {
        const int64_t y = own.others[j];
        const auto all = of_y(y);
        const double base = of_residuals ? ratings.mean() + y_bias[y] : 0.0;
        const double value = own.values[j] - base - (of_residuals ? x_bias[x] : 0.0);
        for (int64_t m = 0; m < all.size; ++m) {
          const int64_t other = all.others[m];
          sums[static_cast<size_t>(other)].add(value, all.values[m] - base -
                                                          (of_residuals ? x_bias[other] : 0.0));
        }
      }
      float* row = similarities.mutable_data_ptr<float>() + x * num_x;
      for (int64_t other = 0; other < num_x; ++other)
        if (other != x && sums[static_cast<size_t>(other)].count >= options_.min_support)
          row[other] = static_cast<float>(similarity_of(sums[static_cast<size_t>(other)],
                                                        options_.similarity, options_.shrinkage));
    }
  });
  fill_buffer(similarities_, similarities);

  deviations_.fill_(1.0);
  auto* deviations = deviations_.mutable_data_ptr<float>();
  if (options_.kind == Options::Kind::kZScore) {
    double all = 0.0;
    for (int64_t row = 0; row < ratings.size(); ++row)
      all += std::pow(ratings.values()[row] - ratings.mean(), 2);
    all = std::sqrt(all / static_cast<double>(ratings.size()));
    for (int64_t x = 0; x < num_x; ++x) {
      const auto own = of_x(x);
      double sum = 0.0;
      for (int64_t j = 0; j < own.size; ++j)
        sum += std::pow(static_cast<double>(own.values[j]) - x_means[x], 2);
      const double own_deviation =
          own.size > 0 ? std::sqrt(sum / static_cast<double>(own.size)) : 0.0;
      // Who rates everything alike has the deviation of all, and where all do, differences are
      // zero.
      deviations[x] = static_cast<float>(own_deviation > 1e-6 ? own_deviation
                                         : all > 1e-6         ? all
                                                              : 1.0);
    }
  }

  auto offsets = torch::zeros({num_y + 1}, torch::kLong);      // [Y + 1]
  auto raters = torch::empty({ratings.size()}, torch::kLong);  // [E]
  auto values = torch::empty({ratings.size()});                // [E]
  auto* rater_of = raters.mutable_data_ptr<int64_t>();
  auto* value_of = values.mutable_data_ptr<float>();
  int64_t place = 0;
  for (int64_t y = 0; y < num_y; ++y) {
    const auto all = of_y(y);
    std::vector<std::pair<int64_t, float>> sorted;
    for (int64_t m = 0; m < all.size; ++m) sorted.emplace_back(all.others[m], all.values[m]);
    std::sort(sorted.begin(), sorted.end());
    for (const auto& [x, rating] : sorted) {
      double value = rating;
      if (options_.kind == Options::Kind::kCentred || options_.kind == Options::Kind::kZScore)
        value = (value - x_means[x]) / deviations[x];
      if (options_.kind == Options::Kind::kBaseline)
        value -= ratings.mean() + x_bias[x] + y_bias[y];
      rater_of[place] = x;
      value_of[place++] = static_cast<float>(value);
    }
    offsets.mutable_data_ptr<int64_t>()[y + 1] = place;
  }
  offsets_.copy_(offsets);
  fill_buffer(raters_, raters);
  fill_buffer(values_, values);
  return std::numeric_limits<double>::quiet_NaN();
}

void KnnRatings::check_buffers() const {
  if (raters_.size(0) == 0) return;  // not fitted
  const int64_t num_x = num_sides();
  if (similarities_.dim() != 2 || similarities_.size(0) != num_x || similarities_.size(1) != num_x)
    throw std::invalid_argument("knn_ratings: expected similarities of " + std::to_string(num_x) +
                                " by " + std::to_string(num_x));
  if (values_.numel() != raters_.numel())
    throw std::invalid_argument("knn_ratings: expected as many values as raters");
  check_ragged(offsets_, raters_, num_x, "knn_ratings");
}

State KnnRatings::encode(const Batch& request) {
  return {{known_users(request.at(batch_key::kUsers))}};  // [B]
}

torch::Tensor KnnRatings::score(const State& state, const torch::Tensor& candidates) {
  const auto users = state.tensors[0].unsqueeze(1).expand_as(candidates);  // [B, C]
  const auto x = is_of_users() ? users : candidates;                       // [B, C]
  const auto y = is_of_users() ? candidates : users;                       // [B, C]
  const auto flat_x = x.reshape({-1}), flat_y = y.reshape({-1});           // [P]
  const auto sums = is_tracing() ? sums_of(neighbors_of(flat_x, flat_y), flat_x)
                                 : sums_of(flat_x, flat_y);    // [P]
  const auto enough = sums.counts.ge(options_.min_neighbors);  // [P]
  auto average = sums.values / torch::where(enough, sums.similarities,
                                            torch::ones_like(sums.similarities));  // [P]

  torch::Tensor base;
  if (options_.kind == Options::Kind::kBaseline) {
    base = means_->mean() + rows_of_known(user_bias_, state.tensors[0]).unsqueeze(1) +
           item_bias_.index({candidates});  // [B, C]
  } else if (is_of_users()) {
    base = means_->predict(state.tensors[0], candidates);  // [B, C]
  } else {
    const auto of_user =
        torch::where(state.tensors[0].ge(0),
                     means_->of_users().index({state.tensors[0].clamp_min(0)}), means_->mean());
    base = torch::where(means_->known_items(candidates), means_->of_items().index({candidates}),
                        of_user.unsqueeze(1));  // [B, C]
  }
  if (options_.kind == Options::Kind::kZScore)
    average = average * deviations_.index({flat_x.clamp_min(0)});  // [P]
  const auto found = average.view_as(candidates);                  // [B, C]
  const auto with_neighbors = options_.kind == Options::Kind::kPlain ? found : base + found;
  return options_.scale.clipped(
      torch::where(enough.view_as(candidates), with_neighbors, base));  // [B, C]
}

KnnRatings::Sums KnnRatings::sums_of(const torch::Tensor& x, const torch::Tensor& y) const {
  const int64_t num_pairs = x.numel(), num_x = num_sides();
  Sums out{torch::zeros({num_pairs}), torch::zeros({num_pairs}),
           torch::zeros({num_pairs}, torch::kLong)};    // [P]
  const auto xs = x.contiguous(), ys = y.contiguous();  // [P]
  const auto* offsets = offsets_.const_data_ptr<int64_t>();
  const auto* raters = raters_.const_data_ptr<int64_t>();
  const auto* ratings = values_.const_data_ptr<float>();
  const auto* x_of = xs.const_data_ptr<int64_t>();
  const auto* y_of = ys.const_data_ptr<int64_t>();
  auto* sums_of_values = out.values.mutable_data_ptr<float>();
  auto* sums_of_similarities = out.similarities.mutable_data_ptr<float>();
  auto* counts = out.counts.mutable_data_ptr<int64_t>();
  const auto* table = similarities_.const_data_ptr<float>();
  const auto before = [](const std::pair<float, int64_t>& a, const std::pair<float, int64_t>& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  };
  at::parallel_for(0, num_pairs, 512, [&](int64_t begin, int64_t end) {
    std::vector<std::pair<float, int64_t>> near;
    for (int64_t pair = begin; pair < end; ++pair) {
      const int64_t own = x_of[pair];
      const int64_t other = y_of[pair];
      if (own < 0 || other < 0) continue;
      const float* row = table + own * num_x;
      near.clear();
      for (int64_t place = offsets[other]; place < offsets[other + 1]; ++place)
        if (row[raters[place]] > 0.0F) near.emplace_back(row[raters[place]], place);
      const auto kept = std::min<int64_t>(options_.neighbors, static_cast<int64_t>(near.size()));
      std::partial_sort(near.begin(), near.begin() + kept, near.end(), before);
      float values = 0.0F, similarities = 0.0F;
      for (int64_t n = 0; n < kept; ++n) {
        const auto& [similarity, place] = near[static_cast<size_t>(n)];
        values += similarity * ratings[place];
        similarities += similarity;
      }
      sums_of_values[pair] = values;
      sums_of_similarities[pair] = similarities;
      counts[pair] = kept;
    }
  });
  return out;
}

// In operations that a trace keeps: all raters of all pairs in one list, sorted within each pair.
KnnRatings::Neighbors KnnRatings::neighbors_of(const torch::Tensor& x,
                                               const torch::Tensor& y) const {
  const auto spread = ragged_rows(offsets_, y.masked_fill(x.lt(0), kUnknownId));
  const auto similar = similarities_.index(
      {x.clamp_min(0).index({spread.segments}), raters_.index({spread.places})});  // [L]
  const auto by_similarity = std::get<1>(similar.sort(/*stable=*/true, 0, /*descending=*/true));
  const auto by_pair = std::get<1>(
      spread.segments.index({by_similarity}).sort(/*stable=*/true, 0, /*descending=*/false));
  const auto order = by_similarity.index({by_pair});  // [L]
  const auto pairs = spread.segments.index({order});  // [L]
  const auto sorted = similar.index({order});         // [L]
  // Segments are contiguous again, so that the rank within one is the place behind its first.
  const auto ranks = torch::ones_like(order).cumsum(0) - 1 - spread.begins.index({pairs});  // [L]
  const auto kept = ranks.lt(options_.neighbors).logical_and(sorted.gt(0));                 // [L]
  return {.pairs = pairs,
          .ranks = ranks,
          .kept = kept,
          .similarities = sorted * kept.to(torch::kFloat),
          .places = spread.places.index({order})};
}

KnnRatings::Sums KnnRatings::sums_of(const Neighbors& near, const torch::Tensor& x) const {
  const auto none = x.to(torch::kFloat) * 0.0;                             // [P]
  const auto products = near.similarities * values_.index({near.places});  // [L]
  return {none.index_add(0, near.pairs, products), none.index_add(0, near.pairs, near.similarities),
          (x * 0).index_add(0, near.pairs, near.kept.to(torch::kLong))};
}

Explanation KnnRatings::contributions(const Batch& request, const torch::Tensor& items) {
  const auto state = encode(request);
  const auto& users = state.tensors[0];          // [B]
  const auto x = is_of_users() ? users : items;  // [B]
  const auto y = is_of_users() ? items : users;  // [B]
  const auto near = neighbors_of(x, y);          // [L]
  const auto sums = sums_of(near, x);            // [B]
  // Of too few neighbours nothing is said.
  const auto enough = sums.counts.ge(options_.min_neighbors).logical_and(sums.similarities.gt(0));
  auto factor = enough / sums.similarities.masked_fill(enough.logical_not(), 1.0);  // [B]
  if (options_.kind == Options::Kind::kZScore)
    factor = factor * deviations_.index({x.clamp_min(0)});
  const auto count = std::min(options_.neighbors, num_sides());
  const auto told = near.kept.logical_and(enough.index({near.pairs}));       // [L]
  const auto place = (near.pairs * count + near.ranks).masked_select(told);  // [S]
  const auto pairs = near.pairs.masked_select(told);                         // [S]
  const auto from = near.places.masked_select(told);                         // [S]
  const auto shares =
      near.similarities.masked_select(told) * values_.index({from}) * factor.index({pairs});  // [S]
  const auto empty = items.unsqueeze(1) * torch::zeros({1, count}, torch::kLong);
  const auto sources =
      at::index_put((empty + kPaddingId).flatten(), {place}, raters_.index({from}));  // [B * N]
  const auto contributions =
      at::index_put(empty.to(torch::kFloat).flatten(), {place}, shares).view_as(empty);  // [B, N]
  const auto scores = score(state, items.unsqueeze(1)).squeeze(1);                       // [B]
  return {.sources = sources.view_as(empty),
          .contributions = contributions,
          .rest = scores - contributions.sum(1)};
}

}  // namespace reckon
