#include "layers/ultra_gcn_objective.h"

#include "core/ids.h"
#include "layers/objective_terms.h"

namespace reckon {

void UltraGcnObjective::Options::describe(Schema<Options>& schema) {
  describe_negatives(schema);
  schema.field("own", &Options::own).at_least(0.0).doc("Weight of every target alike.");
  schema.field("graph", &Options::graph)
      .at_least(0.0)
      .doc("Weight of a target by the degrees of user and item.");
  schema.field("negative_own", &Options::negative_own)
      .at_least(0.0)
      .doc("Weight of every negative alike.");
  schema.field("negative_graph", &Options::negative_graph)
      .at_least(0.0)
      .doc("Weight of a negative by the degrees of user and item.");
  schema.field("negative_weight", &Options::negative_weight)
      .at_least(0.0)
      .doc("Weight of the mean over a target's negatives.");
  schema.field("item_weight", &Options::item_weight)
      .at_least(0.0)
      .doc("Weight of the items closest to a target; 0: none are looked for.");
  schema.field("neighbours", &Options::neighbours)
      .must_be_in(1, 1000)
      .doc("How many items count as closest.");
}

UltraGcnObjective::UltraGcnObjective(const Options& options, const Deps& deps) : options_(options) {
  const int64_t num_neighbours = options.item_weight > 0.0 ? options.neighbours : 0;
  // While only sizes are known: what a user and an item alone with each other would have.
  auto counted = deps.statistics
                     ? deps.statistics(num_neighbours)
                     : InteractionStatistics{torch::ones({deps.num_users}),
                                             torch::ones({deps.num_items}),
                                             {torch::full({deps.num_items, num_neighbours},
                                                          kPaddingId, torch::kLong),
                                              torch::zeros({deps.num_items, num_neighbours})}};
  const auto& users = counted.user_degrees;                                          // [U]
  of_users_ = register_buffer("of_users", (users + 1).sqrt() / users.clamp_min(1));  // [U]
  of_items_ = register_buffer("of_items", (counted.item_degrees + 1).rsqrt());       // [I]
  if (num_neighbours == 0) return;
  neighbours_ = register_buffer("neighbours", counted.neighbours.ids);                    // [I, K]
  neighbour_weights_ = register_buffer("neighbour_weights", counted.neighbours.weights);  // [I, K]
}

ObjectiveNeeds UltraGcnObjective::needs() const {
  auto needs = negative_needs(options_);
  needs.any_items = options_.item_weight > 0.0;
  needs.user_ids = true;
  return needs;
}

torch::Tensor UltraGcnObjective::weights_of(const torch::Tensor& of_users,
                                            const torch::Tensor& items, double own,
                                            double graph) const {
  return own + graph * of_users * of_items_.index({items});  // [...]
}

LossParts UltraGcnObjective::forward(const ObjectiveInput& input) {
  const auto of_users = of_users_.index({input.users.ids});  // [P]
  const auto of_targets =
      weights_of(of_users, input.targets.ids, options_.own, options_.graph);  // [P]
  torch::Tensor near_losses;                                                  // [P]
  if (options_.item_weight > 0.0) {
    const auto near = neighbours_.index({input.targets.ids});                             // [P, K]
    const auto how_near = neighbour_weights_.index({input.targets.ids});                  // [P, K]
    const auto near_scores = input.scorer->forward(input.users, input.items(near));       // [P, K]
    near_losses = options_.item_weight * (how_near * at::softplus(-near_scores)).sum(1);  // [P]
  }
  const auto others = negative_side(input);
  if (shares_inner_products(input)) {
    const auto products = inner_products(input);
    const auto losses = of_targets * at::softplus(-chosen_scores(input, products));  // [P]
    auto parts = weighted_sum(sum_of(losses, near_losses), input.weights);
    const double share = options_.negative_weight / static_cast<double>(input.negative_ids.size(0));
    const auto all =
        share * (input.weights.defined() ? input.weights : torch::ones_like(of_users));  // [P]
    parts.sum =
        parts.sum + shared_negatives_loss(input, products, others,
                                          {.weights = options_.negative_own * all,
                                           .scales = options_.negative_graph * all * of_users,
                                           .columns = of_items_.index({others.ids}),
                                           .hits = input.negative_hits});  // []
    return parts;
  }
  const auto scores = negative_scores(input, others);  // [P, N]
  const auto weights = weights_of(of_users.unsqueeze(1), others.ids, options_.negative_own,
                                  options_.negative_graph);  // [P, N]
  auto against = weights * at::softplus(scores);             // [P, N]
  if (input.negative_hits.defined()) against = against.masked_fill(input.negative_hits, 0.0);
  const auto losses = of_targets * at::softplus(-target_scores(input)) +
                      options_.negative_weight * against.mean(1);  // [P]
  return weighted_sum(sum_of(losses, near_losses), input.weights);
}

}  // namespace reckon
