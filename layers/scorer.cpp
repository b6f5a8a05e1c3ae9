#include "layers/scorer.h"

namespace reckon {

torch::Tensor Scorer::query_form(const ScorerSide&) {
  TORCH_CHECK(false, name(), ": scores are not inner products");
}

InnerProduct Scorer::item_form(const ScorerSide&) {
  TORCH_CHECK(false, name(), ": scores are not inner products");
}

torch::Tensor Scorer::query_parts(const torch::Tensor& parts, const torch::Tensor&) {
  return query_form({parts, {}});  // [P, N, D']
}

torch::Tensor paired_scores(Scorer& scorer, const ScorerSide& users, const ScorerSide& items) {
  return scorer
      .forward(users, {items.vectors.unsqueeze(1),
                       items.ids.defined() ? items.ids.unsqueeze(1) : items.ids})
      .squeeze(1);  // [P]
}

}  // namespace reckon
