#pragma once

#include <torch/nn/modules/linear.h>

#include <string>
#include <vector>

#include "core/catalog.h"
#include "core/random.h"
#include "datasets/dataset_builder.h"
#include "kernels/dropout.h"
#include "layers/embedding_table.h"
#include "models/model.h"

namespace reckon {

/// A recommender of a few numbers that exercises every way of learning: dense and sparse tables, a
/// parameter that only the loss looks at, shared outputs, both couplings, dropout.
class TinyModel : public Model, public Learnable {
 public:
  struct Options {
    int64_t dim = 4;
    bool sparse = false;
    bool shared = false;
    double dropout = 0.0;
    Objective::Coupling coupling = Objective::Coupling::kExample;
    double poison_from_step = -1;  ///< From this step on the loss is no number.
  };

  TinyModel(const Options& options, int64_t num_users, int64_t num_items) : options_(options) {
    const EmbeddingInit init{.kind = EmbeddingInit::Kind::kNormal, .scale = 0.3};
    const auto table = [&](int64_t rows, int64_t width, bool sparse) {
      return EmbeddingTable(EmbeddingTableImpl::Options{
          .num_rows = rows, .width = width, .sparse = sparse, .init = init});
    };
    users_ = register_module("users", table(num_users, options.dim, options.sparse));
    items_ =
        register_module("items", table(num_items, options.dim, options.sparse && !options.shared));
    item_bias_ = register_module("item_bias", table(num_items, 1, false));
    mix_ = register_module("mix", torch::nn::Linear(options.dim, options.dim));
  }

  RequestNeeds request_needs() const override { return {.users = true, .max_length = 0}; }
  Contract contract() const override { return {.known_user = true}; }
  int64_t num_items() const override { return items_->num_rows(); }
  State encode(const Batch& request) override {
    return {{mix_->forward(users_->lookup(request.at(batch_key::kUsers)))}};  // [B, D]
  }
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override {
    const auto items = items_->lookup(candidates);                                   // [B, C, D]
    const auto bias = item_bias_->lookup(candidates).squeeze(-1);                    // [B, C]
    return torch::matmul(items, state.tensors[0].unsqueeze(-1)).squeeze(-1) + bias;  // [B, C]
  }
  std::optional<Factors> factors() override {
    return Factors{.items = items_->all(), .item_bias = item_bias_->all().squeeze(1)};
  }
  torch::Tensor queries(const State& state) override { return state.tensors[0].unsqueeze(1); }
  Learnable* learnable() override { return this; }

  Needs needs() const override {
    return {.examples = Needs::Examples::kInteractions,
            .users = true,
            .negatives = {NegativeNeeds{.count = 2, .exclude_positives = false}}};
  }
  Objective::Coupling coupling() const override { return options_.coupling; }
  std::vector<torch::Tensor> shared(std::span<const Batch* const>) override {
    if (!options_.shared) return {};
    return {items_->all() * 0.5 + items_->all().mean(0, true)};  // [I, D]
  }
  Represented represent(const Batch& shard, const std::vector<torch::Tensor>&) override {
    const auto users = users_->lookup(shard.at(batch_key::kUsers));  // [B, D]
    const auto query =
        reckon::dropout(mix_->forward(users), options_.dropout, is_training());  // [B, D]
    Represented out;
    out.rows = {query};
    out.fixed = {shard.at(batch_key::kTargets), shard.find(batch_key::kNegatives)};
    return out;
  }
  LossParts loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                 int64_t step_number) override {
    const auto item_rows = [&](const torch::Tensor& ids) {
      return shared.empty() ? items_->lookup(ids) : shared[0].index({ids});  // [..., D]
    };
    const auto& query = rows.rows[0];     // [B, D]
    const auto& targets = rows.fixed[0];  // [B]
    LossParts parts;
    if (options_.coupling == Objective::Coupling::kBatch) {
      const auto scores = torch::matmul(query, item_rows(targets).t()) +
                          item_bias_->lookup(targets).squeeze(1);   // [B, B]
      parts.sum = (scores.logsumexp(1) - scores.diagonal()).sum();  // []
    } else {
      const auto& negatives = rows.fixed[1];  // [B, N]
      const auto positive = (query * item_rows(targets)).sum(1, true) + item_bias_->lookup(targets);
      const auto negative = torch::matmul(item_rows(negatives), query.unsqueeze(-1)).squeeze(-1) +
                            item_bias_->lookup(negatives).squeeze(-1);  // [B, N]
      parts.sum = torch::softplus(negative - positive).sum();           // []
    }
    if (options_.poison_from_step >= 0 &&
        static_cast<double>(step_number) >= options_.poison_from_step)
      parts.sum = parts.sum * std::numeric_limits<double>::quiet_NaN();
    parts.weight = static_cast<double>(targets.size(0));
    parts.logged["tiny"] = parts.sum.item<double>();
    return parts;
  }

 private:
  Options options_;
  EmbeddingTable users_{nullptr}, items_{nullptr}, item_bias_{nullptr};
  torch::nn::Linear mix_{nullptr};
};

/// Users who mostly choose items of their own third of the catalogue; the last choice is for validation,
/// the one before for the test.
inline Dataset tiny_dataset(int64_t num_users = 60, int64_t num_items = 30,
                            bool validation = true) {
  const RandomKey key(7);
  std::vector<int64_t> offsets = {0};
  std::vector<int32_t> items;
  std::vector<uint8_t> splits;
  for (int64_t user = 0; user < num_users; ++user) {
    CounterRng rng(key.child(static_cast<uint64_t>(user)));
    const int64_t count = 5 + static_cast<int64_t>(rng.below(6));
    for (int64_t i = 0; i < count; ++i) {
      const bool own = rng.uniform() < 0.9;
      const auto third = static_cast<uint64_t>(num_items / 3);
      const auto item = own ? static_cast<uint64_t>(user % 3) * third + rng.below(third)
                            : rng.below(static_cast<uint64_t>(num_items));
      items.push_back(static_cast<int32_t>(item));
      const auto split = i + 1 == count && validation ? Split::kValidation
                         : i + 2 == count             ? Split::kTest
                                                      : Split::kTrain;
      splits.push_back(static_cast<uint8_t>(split));
    }
    offsets.push_back(static_cast<int64_t>(items.size()));
  }
  DatasetParts parts;
  for (int64_t u = 0; u < num_users; ++u) parts.users.add("u" + std::to_string(u));
  for (int64_t i = 0; i < num_items; ++i) parts.items.add("i" + std::to_string(i));
  const auto size = static_cast<int64_t>(items.size());
  parts.interactions.num_users = num_users;
  parts.interactions.num_items = num_items;
  parts.interactions.user_offsets = torch::tensor(offsets, torch::kLong);
  parts.interactions.items =
      torch::tensor(std::vector<int64_t>(items.begin(), items.end())).to(torch::kInt);
  parts.interactions.labels = torch::ones({size});
  parts.split_of =
      torch::tensor(std::vector<int64_t>(splits.begin(), splits.end())).to(torch::kByte);
  parts.fingerprint = "fingerprint-of-tiny-data";
  parts.report = "{}";
  return DatasetBuilder::build(std::move(parts));
}

}  // namespace reckon
