#include "evaluation/reranker.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/diagnostics.h"

namespace reckon {

void Reranker::Common::describe(Schema<Common>& schema) {
  schema.field("candidates", &Common::candidates)
      .must_be_in(1, 100000)
      .doc("How many of the best ranked items the list is chosen from; at least its length.");
}

std::vector<double> relevance_of(std::span<const float> scores) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double score : scores) {
    if (!std::isfinite(score)) continue;
    low = std::min(low, score);
    high = std::max(high, score);
  }
  std::vector<double> relevance;
  relevance.reserve(scores.size());
  for (const double score : scores) {
    if (std::isfinite(score))
      relevance.push_back(high > low ? (score - low) / (high - low) : 1.0);
    else
      relevance.push_back(score > 0.0 ? 1.0 : 0.0);
  }
  return relevance;
}

void fill_as_ranked(std::vector<size_t>& list, size_t num_candidates, size_t length) {
  if (list.size() >= std::min(num_candidates, length)) return;
  std::vector<uint8_t> is_chosen(num_candidates, 0);
  for (const auto place : list) is_chosen[place] = 1;
  for (size_t place = 0; place < num_candidates && list.size() < length; ++place)
    if (is_chosen[place] == 0) list.push_back(place);
}

std::shared_ptr<const ItemCategories> require_categories(const Reranker::Deps& deps) {
  if (deps.categories == nullptr) throw ConfigError(kWithoutCategories, kHowToNameCategories);
  return deps.categories;
}

torch::Tensor require_unit_vectors(const Reranker::Deps& deps) {
  auto vectors = deps.unit_vectors ? deps.unit_vectors() : torch::Tensor();  // [I, D]
  if (!vectors.defined())
    throw ConfigError("compares item vectors, and this model has none",
                      "compare what they are of, with `similarity: categories`");
  return vectors;
}

std::shared_ptr<Reranker> build_reranker(const Component<Reranker>& chosen,
                                         const Reranker::Deps& deps) {
  try {
    return chosen.build(deps);
  } catch (const ConfigError& error) {
    Problems problems;
    for (const auto& problem : error.diagnostics())
      problems.add(chosen.location(),
                   "evaluation.reranking: " + chosen.type() + " " + problem.message, problem.hint);
    problems.throw_if_any();
  }
  return nullptr;
}

}  // namespace reckon
