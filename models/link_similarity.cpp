#include "models/link_similarity.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/diagnostics.h"
#include "models/interaction_matrix.h"

namespace reckon {

namespace {

// Coefficients w of sum_p w_p A^p such that (A + I) times it has beta^l at A^l for l = 1 ... length.
std::vector<double> coefficients_of_walks(double beta, int64_t length) {
  std::vector<double> w(static_cast<size_t>(length));
  double next = 0.0;
  for (int64_t p = length - 1; p >= 0; --p) {
    next = std::pow(beta, static_cast<double>(p + 1)) - next;
    w[static_cast<size_t>(p)] = next;
  }
  return w;
}

}  // namespace

void LinkSimilarity::Options::describe(Schema<Options>& schema) {
  schema.field("measure", &Options::measure)
      .doc(
          "How near two users are: by how many both know, by how few others those know, or by "
          "walks from one to the other.");
  schema.field("beta", &Options::beta)
      .positive()
      .less_than(1.0)
      .doc("Of katz: what a walk counts for each step.");
  schema.field("length", &Options::length)
      .must_be_in(2, 16)
      .doc("Of katz: steps of the longest walk; of one step it leads to friends alone.");
  schema.field("neighbors", &Options::neighbors)
      .at_least(0)
      .doc("The largest elements that are kept of what knowing somebody is worth; 0: all.");
}

LinkSimilarity::LinkSimilarity(const Options& options, const Deps& deps)
    : ItemWeightsModel(deps), options_(options) {
  if (!deps.mutual)
    throw ConfigError("model: compares users by whom they know, and here they choose items",
                      "say `mutual: true` under data where interactions are pairs of users");
}

std::vector<SparseElement> LinkSimilarity::of_neighbours(const SparseRows& links,
                                                         int64_t row) const {
  const auto* offsets = links.offsets.const_data_ptr<int64_t>();
  const auto* columns = links.columns.const_data_ptr<int32_t>();
  // Whoever is common to two has two: a newcomer may be one whom the data does not know.
  const auto degree = static_cast<double>(std::max<int64_t>(2, offsets[row + 1] - offsets[row]));
  const auto worth =
      static_cast<float>(options_.measure == Measure::kAdamicAdar ? 1.0 / std::log(degree) : 1.0);
  std::vector<SparseElement> elements;
  for (auto e = offsets[row]; e < offsets[row + 1]; ++e) elements.push_back({worth, columns[e]});
  return elements;
}

std::vector<SparseElement> LinkSimilarity::of_walks(const SparseRows& links, int64_t row) const {
  const auto* offsets = links.offsets.const_data_ptr<int64_t>();
  const auto* columns = links.columns.const_data_ptr<int32_t>();
  const auto size = static_cast<size_t>(num_items());
  const auto weights = coefficients_of_walks(options_.beta, options_.length);
  std::vector<double> walks(size), longer(size), sum(size);
  walks[static_cast<size_t>(row)] = 1.0;
  for (size_t step = 1; step < weights.size(); ++step) {
    longer.assign(size, 0.0);
    for (size_t node = 0; node < size; ++node) {
      if (walks[node] == 0.0) continue;
      for (auto e = offsets[node]; e < offsets[node + 1]; ++e)
        longer[static_cast<size_t>(columns[e])] += walks[node];
    }
    walks.swap(longer);
    for (size_t node = 0; node < size; ++node) sum[node] += weights[step] * walks[node];
  }
  std::vector<SparseElement> elements;
  for (size_t node = 0; node < size; ++node)
    if (sum[node] != 0.0 && node != static_cast<size_t>(row))
      elements.push_back({static_cast<float>(sum[node]), static_cast<int32_t>(node)});
  return elements;
}

double LinkSimilarity::fit(const Interactions& train, const Context&) {
  TORCH_CHECK(train.mutual && train.num_items == num_items(), "link_similarity: made for ",
              num_items(), " users who are the items, got data of ", train.num_users, " users and ",
              train.num_items, " items");
  const auto links = interaction_matrix(train);
  std::vector<RowBlock> blocks(static_cast<size_t>(num_items()));
  at::parallel_for(0, num_items(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      auto elements =
          options_.measure == Measure::kKatz ? of_walks(links, row) : of_neighbours(links, row);
      keep_largest(elements, options_.neighbors);
      blocks[static_cast<size_t>(row)].add(elements);
    }
  });
  weights_->fill(join_blocks(blocks));
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace reckon
