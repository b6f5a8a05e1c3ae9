#pragma once

#include "models/model.h"

namespace reckon {

/// Recommends what most interactions in training chose, the same to everybody.
///
/// score(u, i) = number of training interactions with i.
class Popularity : public Model, public Fittable {
 public:
  struct Options {
    static void describe(Schema<Options>& schema);
  };

  Popularity(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

  RequestNeeds request_needs() const override { return {.users = true, .max_length = 0}; }
  Contract contract() const override;
  int64_t num_items() const override { return counts_.size(0); }
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  std::optional<Factors> factors() override;
  torch::Tensor queries(const State& state) override;
  Fittable* fittable() override { return this; }

 private:
  torch::Tensor counts_;  // [I] float32
};

}  // namespace reckon
