#pragma once

#include <torch/nn/functional/activation.h>
#include <torch/nn/modules/linear.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/ids.h"
#include "datasets/id_map.h"
#include "export/exporter.h"
#include "models/model.h"

namespace reckon {

/// What a TinyModel is made of: every combination that an export must cope with.
struct TinyOptions {
  int64_t num_items = 23;
  int64_t num_users = 7;
  int64_t dim = 6;
  int64_t max_length = 5;  ///< 0: reads no history.
  bool reads_users = false;
  int64_t num_queries = 1;
  bool reduce_max = false;
  bool inner_product = true;  ///< Else an MLP over user state and item.
  bool bias = true;
  bool user_bias = false;     ///< Of every score of a user; with reads_users.
  bool own_factors = false;   ///< Factors that are no view of the weights.
  int64_t num_untrained = 0;  ///< The first users, of which nothing was learnt.
  bool bakes_length = false;  ///< The mistake that parity must find.
  bool gives_nan = false;
};

/// A small recommender of random weights over the model interface, with attention over the history.
class TinyModel : public Model {
 public:
  explicit TinyModel(const TinyOptions& options, uint64_t seed = 5) : options_(options) {
    torch::manual_seed(seed);
    const auto dim = options.dim;
    items_ = register_parameter("items", torch::randn({2 + options.num_items, dim}));
    positions_ = register_parameter("positions",
                                    torch::randn({std::max<int64_t>(options.max_length, 1), dim}));
    if (options.reads_users)
      users_ = register_parameter("users", torch::randn({2 + options.num_users, dim}));
    bias_ = register_parameter("bias", torch::randn({options.num_items}));
    if (options.user_bias)
      user_bias_ = register_parameter("user_bias", torch::randn({2 + options.num_users}) * 5);
    heads_ = register_module("heads", torch::nn::Linear(dim, dim * options.num_queries));
    hidden_ = register_module("hidden", torch::nn::Linear(2 * dim, dim));
    output_ = register_module("output", torch::nn::Linear(dim, 1));
  }

  RequestNeeds request_needs() const override {
    return {.users = options_.reads_users, .max_length = options_.max_length};
  }
  Contract contract() const override {
    return {.known_user = options_.reads_users, .new_user_with_history = options_.max_length > 0};
  }
  int64_t num_items() const override { return options_.num_items; }

  State encode(const Batch& request) override {
    torch::Tensor query;
    if (options_.max_length > 0) query = history_state(request.at(batch_key::kHistory));  // [B, D]
    if (options_.reads_users) {
      const auto users = known_users(request.at(batch_key::kUsers));            // [B]
      const auto rows = users_.index({users + 2}) * users.ge(0).unsqueeze(-1);  // [B, D]
      query = query.defined() ? query + rows : rows;                            // [B, D]
      State state{{query, users.to(torch::kFloat) * 0.001}};
      if (options_.user_bias) state.tensors.push_back(user_bias_.index({users + 2}));  // [B]
      return state;
    }
    return {{query}};
  }

  torch::Tensor known_users(const torch::Tensor& users) override {
    return users.masked_fill(users.lt(options_.num_untrained), kUnknownId);  // [B]
  }

  torch::Tensor score(const State& state, const torch::Tensor& candidates) override {
    const auto items = items_.index({candidates + 2});  // [B, C, D]
    torch::Tensor out;
    if (options_.inner_product) {
      const auto products = queries(state).matmul(items.transpose(1, 2));  // [B, M, C]
      out = options_.reduce_max ? products.amax(1) : products.sum(1);      // [B, C]
      if (options_.bias) out = out + bias_.index({candidates});            // [B, C]
    } else {
      const auto query = state.tensors[0].unsqueeze(1).expand_as(items);                // [B, C, D]
      out = output_(torch::tanh(hidden_(torch::cat({query, items}, -1)))).squeeze(-1);  // [B, C]
    }
    if (options_.user_bias) out = out + state.tensors[2].unsqueeze(1);  // [B, C]
    return options_.gives_nan ? out / out.mul(0.0) : out;
  }

  std::optional<Factors> factors() override {
    if (!options_.inner_product) return std::nullopt;
    return Factors{.items = options_.own_factors ? items_.slice(0, 2) * 1.0 : items_.slice(0, 2),
                   .item_bias = options_.bias ? bias_ : torch::Tensor(),
                   .reduction =
                       options_.reduce_max ? Factors::Reduction::kMax : Factors::Reduction::kSum};
  }
  torch::Tensor queries(const State& state) override {
    if (!options_.inner_product) return Model::queries(state);
    return heads_(state.tensors[0]).unflatten(-1, {options_.num_queries, -1});  // [B, M, D]
  }
  torch::Tensor query_bias(const State& state) override {
    return options_.user_bias ? state.tensors[2] : torch::Tensor();  // [B]
  }
  std::optional<torch::Tensor> item_vectors() override { return items_.slice(0, 2); }

 private:
  torch::Tensor history_state(const torch::Tensor& history) {
    const auto valid = history.ne(kPaddingId);  // [B, T]
    const auto length = valid.sum(1, true);     // [B, 1]
    // Counted from the newest item, so that padding in front changes nothing.
    auto back = (torch::ones_like(history).flip(1).cumsum(1) - 1).flip(1);  // [B, T]
    if (options_.bakes_length) back = torch::arange(history.size(1) - 1, -1, -1).unsqueeze(0);
    auto x = items_.index({history + 2}) + positions_.index({back});  // [B, T, D]
    const auto weights =
        x.select(2, 0).masked_fill(valid.logical_not(), -1e9).softmax(1);  // [B, T]
    const auto pooled = (x * weights.unsqueeze(-1)).sum(1);                // [B, D]
    return pooled * length.gt(0);                                          // [B, D]
  }

  TinyOptions options_;
  torch::Tensor items_, positions_, users_, bias_, user_bias_;
  torch::nn::Linear heads_{nullptr}, hidden_{nullptr}, output_{nullptr};
};

/// The same list for everybody, with many equal scores; asks for users and no history.
class TinyPopularity : public Model {
 public:
  explicit TinyPopularity(const torch::Tensor& counts)
      : counts_(register_buffer("counts", counts.to(torch::kFloat))) {}
  RequestNeeds request_needs() const override { return {.users = true, .max_length = 0}; }
  Contract contract() const override { return {.known_user = true, .new_user_with_history = true}; }
  int64_t num_items() const override { return counts_.size(0); }
  State encode(const Batch& request) override {
    return {{torch::ones_like(request.at(batch_key::kUsers), torch::kFloat)}};  // [B]
  }
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override {
    return counts_.index({candidates}) * state.tensors[0].unsqueeze(1);  // [B, C]
  }

 private:
  torch::Tensor counts_;  // [I]
};

/// Ids, columns, counts and histories that go with a TinyModel. Item i is "item-i" and has the title
/// "Title i"; user u is "user-u" and chose the items u, u + 1, ..., 2 u (none for user 0).
struct TinyData {
  explicit TinyData(const TinyOptions& options) {
    std::vector<std::string> raw_items, raw_users;
    TableColumn title{.name = "title", .values = {}}, year{.name = "year", .values = {}};
    for (int64_t i = 0; i < options.num_items; ++i) {
      raw_items.push_back("item-" + std::to_string(i));
      title.values.push_back(i == 3 ? "" : "Title " + std::to_string(i));
      year.values.push_back(std::to_string(1990 + i));
    }
    std::vector<int64_t> offsets = {0};
    std::vector<int32_t> chosen;
    for (int64_t u = 0; u < options.num_users; ++u) {
      raw_users.push_back("user-" + std::to_string(u));
      for (int64_t i = u; u > 0 && i <= 2 * u; ++i)
        chosen.push_back(static_cast<int32_t>(i % options.num_items));
      offsets.push_back(static_cast<int64_t>(chosen.size()));
    }
    items = IdMap::from_ids(raw_items);
    users = IdMap::from_ids(raw_users);
    columns = {title, year};
    // Few different counts, so that the fallback has to break ties.
    counts = torch::arange(options.num_items).remainder(4);  // [I]
    user_offsets = torch::tensor(offsets, torch::kLong);     // [U + 1]
    user_items = torch::tensor(chosen, torch::kInt);         // [E]
  }

  ExportInputs inputs() const {
    ExportInputs out;
    out.items = &items;
    out.users = &users;
    out.item_columns = &columns;
    out.item_counts = counts;
    out.user_offsets = user_offsets;
    out.user_items = user_items;
    out.config_yaml = "model:\n  preset: tiny\n";
    out.metrics_json = R"({"ndcg@10": 0.25})";
    out.fingerprint = "abc123";
    return out;
  }

  IdMap items, users;
  std::vector<TableColumn> columns;
  torch::Tensor counts, user_offsets, user_items;
};

/// A path for a test's own file; the file is removed when this goes.
class TemporaryPath {
 public:
  explicit TemporaryPath(const std::string& name) {
    std::string folder = (std::filesystem::temp_directory_path() / "reckon_test_XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    path_ = (std::filesystem::path(folder_) / name).string();
  }
  ~TemporaryPath() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  TemporaryPath(const TemporaryPath&) = delete;
  TemporaryPath& operator=(const TemporaryPath&) = delete;

  const std::string& path() const { return path_; }
  const std::string& folder() const { return folder_; }

  /// Names in the folder.
  std::vector<std::string> entries() const {
    std::vector<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      out.push_back(entry.path().filename().string());
    return out;
  }

 private:
  std::string folder_, path_;
};

}  // namespace reckon
