#include "layers/mlp_scorer.h"

#include <cmath>

#include "kernels/dropout.h"
#include "layers/initialize.h"

namespace reckon {

void MlpScorer::Options::describe(Schema<Options>& schema) {
  describe_mlp(schema);
  schema.field("product", &Options::product).doc("Give the network u * i beside u and i.");
}

MlpScorer::MlpScorer(const Options& options, const Deps& deps) : options_(options) {
  const auto& units = options.hidden_units;
  const auto part = [&](bool bias) {
    return torch::nn::Linear(torch::nn::LinearOptions(deps.width, units.front()).bias(bias));
  };
  user_ = register_module("user", part(true));
  item_ = register_module("item", part(false));
  if (options.product) product_ = register_module("product", part(false));
  // Drawn as the one layer over the joined parts that they are.
  const double fan_in = static_cast<double>(deps.width) * (options.product ? 3.0 : 2.0);
  const double bound = std::sqrt(6.0 / (fan_in + static_cast<double>(units.front())));
  {
    torch::NoGradGuard no_grad;
    user_->bias.zero_();
    for (auto& linear : {user_, item_, product_})
      if (!linear.is_empty()) linear->weight.uniform_(-bound, bound);
  }
  if (units.size() > 1) {
    const MlpImpl::Options rest{.hidden_units = {units.begin() + 1, units.end()},
                                .activation = options.activation,
                                .dropout = options.dropout};
    tower_ = register_module("tower", Mlp(rest, units.front()));
  }
  output_ = register_module("output", torch::nn::Linear(units.back(), 1));
  xavier_uniform(output_);
}

torch::Tensor MlpScorer::forward(const ScorerSide& users, const ScorerSide& items) {
  const auto& u = users.vectors;  // [P, D]
  const auto& v = items.vectors;  // [P, C, D] or [C, D]
  TORCH_CHECK(u.dim() == 2 && (v.dim() == 2 || v.dim() == 3),
              "MlpScorer: expected users [P, D] and items [P, C, D] or [C, D], got ", u.sizes(),
              " and ", v.sizes());
  auto h = user_->forward(u).unsqueeze(1) + item_->forward(v);              // [P, C, H]
  if (!product_.is_empty()) h = h + product_->forward(u.unsqueeze(1) * v);  // [P, C, H]
  h = reckon::dropout(activate(h, options_.activation), options_.dropout,
                      is_training());              // [P, C, H]
  if (!tower_.is_empty()) h = tower_->forward(h);  // [P, C, H']
  return output_->forward(h).squeeze(-1);          // [P, C]
}

}  // namespace reckon
