// A program that adds an encoder of its own; YAML can name it, and everything else works as in `reckon`.
#include <torch/nn/modules/linear.h>

#include "cli/default_catalog.h"
#include "cli/run.h"
#include "layers/sequence_encoder.h"

namespace {

/// A weighted sum over the history in which each older item counts `decay` times as much.
class DecayEncoder : public reckon::SequenceEncoder {
 public:
  struct Options {
    double decay = 0.8;
    static void describe(reckon::Schema<Options>& schema) {
      schema.field("decay", &Options::decay)
          .must_be_in(0.0, 1.0)
          .doc("Weight of an item one step older.");
    }
  };

  DecayEncoder(const Options& options, const Deps& deps)
      : decay_(options.decay),
        width_(deps.width),
        output_(register_module("output", torch::nn::Linear(deps.width, deps.width))) {}

  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid) override {
    const auto steps = torch::ones_like(valid, torch::kFloat).cumsum(1);  // [B, T]
    const auto age = steps.unsqueeze(2) - steps.unsqueeze(1);             // [B, T, T]
    const auto weights = torch::pow(torch::full_like(age, decay_), age.clamp_min(0)) * age.ge(0) *
                         valid.unsqueeze(1);     // [B, T, T]
    return output_->forward(weights.matmul(x));  // [B, T, D]
  }
  reckon::OutputSpec output_spec() const override { return {.width = width_}; }

 private:
  double decay_;
  int64_t width_;
  torch::nn::Linear output_{nullptr};
};

}  // namespace

int main(int argc, char** argv) {
  auto catalog = reckon::default_catalog();
  catalog.add<DecayEncoder>("decay", "A sum in which older items fade.");
  return reckon::run(argc, argv, catalog);
}
