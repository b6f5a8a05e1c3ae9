#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "datasets/dataset.h"
#include "evaluation/evaluator.h"
#include "models/model.h"

namespace reckon {

/// A model of given factors, that offers them or hides them behind score().
///
/// Small whole numbers as factors make every score exact, so that equal scores are really equal and
/// both ways to rank must agree to the last place.
class GivenModel : public Model {
 public:
  torch::Tensor user_factors;  // [U, M, D]
  torch::Tensor item_factors;  // [I, D]
  torch::Tensor bias;          // [I] or undefined
  torch::Tensor user_bias;     // [U] or undefined
  Factors::Reduction reduction = Factors::Reduction::kSum;
  bool offers_factors = true;
  bool was_in_training_mode = false;  ///< While it was asked.

  RequestNeeds request_needs() const override { return {.users = true, .max_length = 0}; }
  Contract contract() const override { return {.known_user = true}; }
  int64_t num_items() const override { return item_factors.size(0); }
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  std::optional<Factors> factors() override;
  torch::Tensor queries(const State& state) override { return state.tensors.at(0); }
  torch::Tensor query_bias(const State& state) override {
    return user_bias.defined() ? state.tensors.at(1) : torch::Tensor();
  }
};

/// Factors of whole numbers from -limit to limit.
std::shared_ptr<GivenModel> given_model(int64_t num_users, int64_t num_vectors, int64_t num_items,
                                        int64_t limit, uint64_t seed);

/// What one user did before the split, and what is held out.
struct UserSplit {
  std::vector<int32_t> history, targets;
  std::vector<float> labels;  ///< Ones when empty.
};

/// User u is row u.
EvaluationData evaluation_data(const std::vector<UserSplit>& users);

/// Random histories and targets; a target may be seen already, and stand twice.
std::vector<UserSplit> random_users(int64_t num_users, int64_t num_items, uint64_t seed);

EvaluationInput input_of(const std::vector<UserSplit>& users, int64_t num_items);

/// Metrics by their names.
EvaluationOptions options_for(const std::vector<std::string>& metrics);

}  // namespace reckon
