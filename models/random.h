#pragma once

#include "models/model.h"

namespace reckon {

/// Scores every pair of user and item by a hash: what an evaluator must find at its expectation.
///
/// The same pair has the same score in every process; all users without an id share one ranking.
class Random : public Model, public Fittable {
 public:
  struct Options {
    int64_t seed = 0;
    static void describe(Schema<Options>& schema);
  };

  Random(const Options& options, const Deps& deps);

  /// Learns nothing.
  double fit(const Interactions&, const Context&) override;

  RequestNeeds request_needs() const override { return {.users = true, .max_length = 0}; }
  Contract contract() const override;
  int64_t num_items() const override { return num_items_; }
  State encode(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  Fittable* fittable() override { return this; }

 private:
  int64_t num_items_;
  int64_t seed_;
};

}  // namespace reckon
