#include "models/model.h"

namespace reckon {

torch::Tensor Model::queries(const State&) {
  TORCH_CHECK(false, "queries: this model has no inner-product form; ask factors() first");
}

torch::Tensor Model::score_all(const State&) {
  TORCH_CHECK(false, "score_all: this model scores candidates alone; ask can_score_all() first");
}

Explanation Model::contributions(const Batch&, const torch::Tensor&) {
  TORCH_CHECK(false, "contributions: scores of this model are no sums; ask explains() first");
}

void fill_buffer(torch::Tensor& buffer, const torch::Tensor& value) {
  const torch::NoGradGuard no_grad;
  buffer.set_data(value.detach().to(buffer.options()).contiguous());
}

bool Model::ranks_for_everybody() const {
  const auto needs = request_needs();
  // A model that reads no history and still serves whoever has one needs nothing of a request.
  return needs.max_length == 0 && (!needs.users || contract().new_user_with_history);
}

torch::Tensor Model::usable(const Batch& request) {
  if (ranks_for_everybody()) return torch::ones({request.size()}, torch::kBool);  // [B]
  const auto needs = request_needs();
  torch::Tensor usable;
  if (needs.max_length > 0) usable = request.at(batch_key::kHistory).ge(0).any(1);  // [B]
  if (!needs.users) return usable;
  const auto known = known_users(request.at(batch_key::kUsers)).ge(0);  // [B]
  return usable.defined() ? usable.logical_or(known) : known;           // [B]
}

}  // namespace reckon
