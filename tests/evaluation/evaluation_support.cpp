#include "tests/evaluation/evaluation_support.h"

#include <torch/types.h>

#include "core/random.h"

namespace reckon {

State GivenModel::encode(const Batch& request) {
  was_in_training_mode = was_in_training_mode || is_training();
  State state{{user_factors.index_select(0, request.at(batch_key::kUsers))}};  // [B, M, D]
  if (user_bias.defined())
    state.tensors.push_back(user_bias.index_select(0, request.at(batch_key::kUsers)));  // [B]
  return state;
}

torch::Tensor GivenModel::score(const State& state, const torch::Tensor& candidates) {
  const auto items = item_factors.index({candidates});                      // [B, C, D]
  const auto products = state.tensors.at(0).matmul(items.transpose(1, 2));  // [B, M, C]
  auto scores =
      reduction == Factors::Reduction::kMax ? products.amax(1) : products.sum(1);  // [B, C]
  if (user_bias.defined()) scores = scores + state.tensors.at(1).unsqueeze(1);     // [B, C]
  return bias.defined() ? scores + bias.index({candidates}) : scores;              // [B, C]
}

std::optional<Factors> GivenModel::factors() {
  if (!offers_factors) return std::nullopt;
  return Factors{.items = item_factors, .item_bias = bias, .reduction = reduction};
}

std::shared_ptr<GivenModel> given_model(int64_t num_users, int64_t num_vectors, int64_t num_items,
                                        int64_t limit, uint64_t seed) {
  constexpr int64_t kWidth = 3;
  CounterRng random(RandomKey{seed});
  const auto draw = [&](at::IntArrayRef sizes) {
    auto tensor = torch::empty(sizes);
    for (int64_t i = 0; i < tensor.numel(); ++i) {
      tensor.mutable_data_ptr<float>()[i] =
          static_cast<float>(static_cast<int64_t>(random.below(2 * limit + 1)) - limit);
    }
    return tensor;
  };
  auto model = std::make_shared<GivenModel>();
  model->user_factors = draw({num_users, num_vectors, kWidth});
  model->item_factors = draw({num_items, kWidth});
  return model;
}

EvaluationData evaluation_data(const std::vector<UserSplit>& users) {
  std::vector<int64_t> ids, history_offsets = {0}, target_offsets = {0};
  std::vector<int32_t> history, targets;
  std::vector<float> labels;
  for (const auto& user : users) {
    ids.push_back(static_cast<int64_t>(ids.size()));
    history.insert(history.end(), user.history.begin(), user.history.end());
    targets.insert(targets.end(), user.targets.begin(), user.targets.end());
    if (user.labels.empty()) {
      labels.insert(labels.end(), user.targets.size(), 1.0F);
    } else {
      labels.insert(labels.end(), user.labels.begin(), user.labels.end());
    }
    history_offsets.push_back(static_cast<int64_t>(history.size()));
    target_offsets.push_back(static_cast<int64_t>(targets.size()));
  }
  return {.split = Split::kTest,
          .users = torch::tensor(ids, torch::kInt64),
          .history_offsets = torch::tensor(history_offsets, torch::kInt64),
          .history_items = torch::tensor(history, torch::kInt32),
          .target_offsets = torch::tensor(target_offsets, torch::kInt64),
          .target_items = torch::tensor(targets, torch::kInt32),
          .target_labels = torch::tensor(labels)};
}

std::vector<UserSplit> random_users(int64_t num_users, int64_t num_items, uint64_t seed) {
  CounterRng random(RandomKey{seed});
  const auto draw = [&](uint64_t most) {
    std::vector<int32_t> items(random.below(most + 1));
    for (auto& item : items) item = static_cast<int32_t>(random.below(num_items));
    return items;
  };
  std::vector<UserSplit> users(num_users);
  for (auto& user : users) {
    user.history = draw(num_items / 2);
    user.targets = draw(6);
    if (user.targets.empty()) user.targets = {static_cast<int32_t>(random.below(num_items))};
    for (size_t i = 0; i < user.targets.size(); ++i) {
      user.labels.push_back(static_cast<float>(1 + random.below(5)));
    }
  }
  return users;
}

EvaluationInput input_of(const std::vector<UserSplit>& users, int64_t num_items) {
  auto counts = torch::zeros({num_items}, torch::kInt64);  // [I]
  for (const auto& user : users) {
    for (const int32_t item : user.history) counts.mutable_data_ptr<int64_t>()[item] += 1;
  }
  return {.data = evaluation_data(users),
          .num_users = static_cast<int64_t>(users.size()),
          .num_items = num_items,
          .item_counts = counts,
          .fingerprint = "test"};
}

EvaluationOptions options_for(const std::vector<std::string>& metrics) {
  EvaluationOptions options;
  options.metrics.clear();
  for (const auto& name : metrics) options.metrics.push_back(MetricName::parse(name));
  return options;
}

}  // namespace reckon
