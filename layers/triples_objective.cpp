#include "layers/triples_objective.h"

#include "core/ids.h"

namespace reckon {

void TriplesObjective::Options::describe(Schema<Options>& schema) {
  schema.field("scorer", &Options::scorer)
      .default_type("transe")
      .doc("How plausible a fact is by its vectors.");
  schema.field("loss", &Options::loss).doc("What a fact that holds loses to corrupted ones.");
  schema.field("margin", &Options::margin)
      .at_least(0.0)
      .doc("How far above a corrupted fact is enough; the constant of self_adversarial.");
  schema.field("temperature", &Options::temperature)
      .at_least(0.0)
      .doc("Of self_adversarial: how much more the more plausible of the corrupted count.");
  describe_facts(schema);
  schema.field("init", &Options::init).doc("How vectors of entities that are no items are drawn.");
}

TriplesObjective::TriplesObjective(const Options& options, const Deps& deps)
    : options_(options),
      num_items_(deps.num_items),
      sampler_(deps.triples, options.corrupt, options.negatives) {
  const auto& triples = deps.triples;
  const auto num_relations = triples ? triples->num_relations : 0;
  scorer_ = register_module("scorer", options.scorer.build({.width = deps.table_width,
                                                            .num_relations = num_relations}));
  if (triples && triples->num_entities > num_items_)
    entities_ = register_module("entities", EmbeddingTable(EmbeddingTableImpl::Options{
                                                .num_rows = triples->num_entities - num_items_,
                                                .width = deps.table_width,
                                                .init = options.init}));
}

torch::Tensor TriplesObjective::losses(const torch::Tensor& holds,
                                       const torch::Tensor& corrupted) const {
  const auto s = holds.unsqueeze(1);  // [n, 1]
  switch (options_.loss) {
    case Options::Loss::kMargin:
      return at::relu(options_.margin - s + corrupted).mean(1);  // [n]
    case Options::Loss::kLogistic:
      return at::softplus(corrupted - s).mean(1);  // [n]
    case Options::Loss::kSelfAdversarial:
      break;
  }
  const auto p = at::softmax(options_.temperature * corrupted.detach(), 1);  // [n, N]
  return at::softplus(-(options_.margin + holds)) +
         (p * at::softplus(corrupted + options_.margin)).sum(1);  // [n]
}

torch::Tensor TriplesObjective::entity_rows(const torch::Tensor& entities,
                                            const ObjectiveInput& input) const {
  if (entities_.is_empty()) return input.item_table(entities);  // [..., D]
  // Rows of padding are zero and learn nothing.
  const auto is_item = entities.lt(num_items_);                                     // [...]
  const auto items = input.item_table(entities.masked_fill(~is_item, kPaddingId));  // [..., D]
  const auto others =
      entities_->lookup((entities - num_items_).masked_fill(is_item, kPaddingId));  // [..., D]
  return items + others;                                                            // [..., D]
}

LossParts TriplesObjective::forward(const ObjectiveInput& input) {
  return loss_of_facts(
      input, sampler_, options_.triples, options_.l2, *scorer_,
      [&](const torch::Tensor& entities) { return entity_rows(entities, input); },
      [&](const torch::Tensor& holds, const torch::Tensor& corrupted) {
        return losses(holds, corrupted);
      });
}

}  // namespace reckon
