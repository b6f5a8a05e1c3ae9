#include "layers/transr_scorer.h"

#include <vector>

#include "layers/objective_terms.h"
#include "layers/relation_vectors.h"
#include "layers/unit_vectors.h"

namespace reckon {
namespace {

// Rows that stand together by their relation times its matrix, one product for each relation that is
// there: gathering a matrix for each row would move D times as much memory.
// Shapes   x [n, ..., D] -> [n, ..., K]
torch::Tensor products(const torch::Tensor& x, const std::vector<int64_t>& counts,
                       const std::vector<torch::Tensor>& matrices) {
  const auto parts = x.split_with_sizes(counts, 0);
  std::vector<torch::Tensor> made;
  for (size_t r = 0; r < parts.size(); ++r)
    if (counts[r] > 0) made.push_back(at::matmul(parts[r], matrices[r]));
  return torch::cat(made);  // [n, ..., K]
}

// Shapes   x [n, M, D] -> [n, M, K]
torch::Tensor projected(const torch::Tensor& x, const GroupedRows& groups,
                        const std::vector<torch::Tensor>& matrices) {
  return products(x.index_select(0, groups.order), groups.counts, matrices)
      .index_select(0, groups.inverse);  // [n, M, K]
}

}  // namespace

GroupedRows grouped_by(const torch::Tensor& relations, int64_t num_relations) {
  GroupedRows out;
  out.order = std::get<1>(relations.sort(/*stable=*/true, /*dim=*/0, /*descending=*/false));  // [n]
  out.inverse = out.order.argsort();                                                          // [n]
  const auto counts = at::bincount(relations, {}, num_relations).cpu();                       // [R]
  out.counts.assign(counts.data_ptr<int64_t>(), counts.data_ptr<int64_t>() + counts.numel());
  return out;
}

void TransrScorer::Options::describe(Schema<Options>& schema) {
  schema.field("relation_dim", &Options::relation_dim)
      .positive()
      .at_most(65536)
      .doc("Width of the spaces of relations; left out, that of the vectors.");
  schema.field("normalize", &Options::normalize)
      .doc("Compare vectors divided by their lengths, so that none can escape by growing.");
}

TransrScorer::TransrScorer(const Options& options, const Deps& deps) : options_(options) {
  const auto width = options.relation_dim.value_or(deps.width);
  relations_ = register_parameter("relations", draw_relation_vectors(deps.num_relations, width));
  matrices_ = register_parameter(
      "matrices", torch::eye(deps.width, width).expand({deps.num_relations, -1, -1}).clone());
}

torch::Tensor TransrScorer::in_spaces(const torch::Tensor& x,
                                      const std::vector<int64_t>& counts) const {
  if (x.size(0) == 0) return at::empty({0, matrices_.size(2)}, x.options());  // [0, K]
  return products(x, counts, matrices_.unbind(0));                            // [n, K]
}

torch::Tensor TransrScorer::forward(const torch::Tensor& heads, const torch::Tensor& relations,
                                    const torch::Tensor& tails) {
  const auto unit = [&](const torch::Tensor& x) {
    return options_.normalize ? unit_vectors(x) : x;
  };
  const auto groups = grouped_by(relations, relations_.size(0));
  const auto matrices = matrices_.unbind(0);
  const auto h = unit(projected(unit(heads), groups, matrices));            // [n, M, K]
  const auto t = unit(projected(unit(tails), groups, matrices));            // [n, M, K]
  const auto r = unit(relations_.index_select(0, relations)).unsqueeze(1);  // [n, 1, K]
  return -squared_norm(h + r - t);                                          // [n, M]
}

}  // namespace reckon
