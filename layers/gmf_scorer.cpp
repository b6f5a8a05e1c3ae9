#include "layers/gmf_scorer.h"

#include <cmath>

namespace reckon {

GmfScorer::GmfScorer(const Options&, const Deps& deps) {
  // Drawn as the linear layer with one output that it is (Xavier).
  const double bound = std::sqrt(6.0 / static_cast<double>(deps.width + 1));
  weight_ =
      register_parameter("weight", torch::empty({deps.width}).uniform_(-bound, bound));  // [D]
}

torch::Tensor GmfScorer::forward(const ScorerSide& users, const ScorerSide& items) {
  const auto& v = items.vectors;  // [P, C, D] or [C, D]
  TORCH_CHECK(users.vectors.dim() == 2 && (v.dim() == 2 || v.dim() == 3),
              "GmfScorer: expected users [P, D] and items [P, C, D] or [C, D], got ",
              users.vectors.sizes(), " and ", v.sizes());
  const auto queries = query_form(users);  // [P, D]
  return v.dim() == 2 ? at::matmul(queries, v.transpose(0, 1))
                      : at::matmul(v, queries.unsqueeze(-1)).squeeze(-1);  // [P, C]
}

torch::Tensor GmfScorer::query_form(const ScorerSide& users) {
  return users.vectors * weight_;  // [P, D]
}

InnerProduct GmfScorer::item_form(const ScorerSide& items) { return {items.vectors, {}}; }

}  // namespace reckon
