#include "layers/neumf_scorer.h"

#include <stdexcept>
#include <string>

namespace reckon {

void NeumfScorer::Options::describe(Schema<Options>& schema) {
  schema.field("gmf_width", &Options::gmf_width)
      .at_least(0)
      .doc("How much of the model's dim the factorisation has, the network the rest; 0: half.");
  describe_mlp(schema);
}

NeumfScorer::NeumfScorer(const Options& options, const Deps& deps)
    : width_(deps.width), gmf_width_(options.gmf_width == 0 ? deps.width / 2 : options.gmf_width) {
  if (gmf_width_ < 1 || gmf_width_ >= width_)
    throw std::invalid_argument("gmf_width " + std::to_string(gmf_width_) + " of model.dim " +
                                std::to_string(width_) +
                                " leaves the factorisation or the network no width");
  auto part = deps;
  part.width = gmf_width_;
  gmf_ = register_module("gmf", std::make_shared<GmfScorer>(GmfScorer::Options{}, part));
  part.width = width_ - gmf_width_;
  mlp_ = register_module(
      "mlp", std::make_shared<MlpScorer>(MlpScorer::Options{.hidden_units = options.hidden_units,
                                                            .activation = options.activation,
                                                            .dropout = options.dropout,
                                                            .product = false},
                                         part));
}

torch::Tensor NeumfScorer::forward(const ScorerSide& users, const ScorerSide& items) {
  const auto part = [](const ScorerSide& side, int64_t begin, int64_t end) {
    return ScorerSide{side.vectors.slice(-1, begin, end), side.ids};
  };
  return gmf_->forward(part(users, 0, gmf_width_), part(items, 0, gmf_width_)) +
         mlp_->forward(part(users, gmf_width_, width_), part(items, gmf_width_, width_));  // [P, C]
}

}  // namespace reckon
