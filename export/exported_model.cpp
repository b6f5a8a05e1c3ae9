#include "export/exported_model.h"

#include "core/ids.h"

namespace reckon {

RequestNeeds ExportedModel::request_needs() const {
  return {.users = file_->description().reads_users, .max_length = file_->description().max_length};
}

Contract ExportedModel::contract() const {
  const auto& d = file_->description();
  return {.known_user = d.known_user,
          .new_user_with_history = d.new_user_with_history,
          .user_features = d.user_features,
          .new_item_with_content = d.new_item_with_content,
          .fallback = d.fallback};
}

namespace {
// Users [B] and histories [B, T] of a request, of which it may lack one.
std::pair<torch::Tensor, torch::Tensor> parts_of(const Batch& request) {
  auto users = request.find(batch_key::kUsers);      // [B]
  auto history = request.find(batch_key::kHistory);  // [B, T]
  TORCH_CHECK(users.defined() || history.defined(), "the request has neither users nor a history");
  if (!users.defined()) users = torch::full({history.size(0)}, kUnknownId, torch::kLong);  // [B]
  if (!history.defined())
    history = torch::full({users.size(0), 0}, kPaddingId, torch::kLong);  // [B, 0]
  return {users, history};
}
}  // namespace

State ExportedModel::encode(const Batch& request) {
  const auto [users, history] = parts_of(request);
  return {file_->encode(users, history)};
}

torch::Tensor ExportedModel::usable(const Batch& request) {
  const auto [users, history] = parts_of(request);
  return file_->usable(users, history);  // [B]
}

torch::Tensor ExportedModel::score(const State& state, const torch::Tensor& candidates) {
  return file_->score_states(state.tensors, candidates);  // [B, C]
}

std::optional<Factors> ExportedModel::factors() {
  const auto& d = file_->description();
  if (!d.inner_product) return std::nullopt;
  return Factors{.items = file_->factor_items(),     // [I, D]
                 .item_bias = file_->factor_bias(),  // [I]
                 .reduction =
                     d.sum_of_queries ? Factors::Reduction::kSum : Factors::Reduction::kMax};
}

torch::Tensor ExportedModel::queries(const State& state) {
  if (!file_->description().inner_product) return Model::queries(state);
  return file_->queries(state.tensors);  // [B, M, D]
}

}  // namespace reckon
