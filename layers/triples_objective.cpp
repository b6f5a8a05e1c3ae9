#include "layers/triples_objective.h"

#include <algorithm>
#include <tuple>

#include "core/ids.h"
#include "kernels/dropout.h"
#include "layers/objective_terms.h"

namespace reckon {
namespace {

constexpr int64_t kMaxDraws = 16;

// For each relation, tails per head over the sum of those and heads per tail: who has many partners is
// replaced more often, since a random partner would more often be a right one (Wang, Zhang, Feng, Chen,
// "Knowledge Graph Embedding by Translating on Hyperplanes", AAAI 2014).
std::vector<double> bernoulli_shares(const Triples& triples) {
  std::vector<double> shares(static_cast<size_t>(triples.num_relations), 0.5);
  for (int64_t relation = 0; relation < triples.num_relations; ++relation) {
    const auto rows = triples.relations.eq(relation).nonzero().squeeze(1);  // [F_r]
    if (rows.size(0) == 0) continue;
    const auto different = [&rows](const torch::Tensor& ends) {
      return static_cast<double>(std::get<0>(at::_unique(ends.index_select(0, rows))).size(0));
    };
    // tails per head = F / heads, heads per tail = F / tails
    const double heads = different(triples.heads), tails = different(triples.tails);
    shares[static_cast<size_t>(relation)] = tails / (heads + tails);
  }
  return shares;
}

}  // namespace

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
  schema.field("triples", &Options::triples)
      .must_be_in(1, 1000)
      .doc("Facts drawn for each target of the step.");
  schema.field("negatives", &Options::negatives)
      .must_be_in(1, kMaxNegatives)
      .doc("Corrupted facts drawn for each fact.");
  schema.field("corrupt", &Options::corrupt)
      .doc(
          "What is replaced: head or tail with even chances, always the tail, or (bernoulli) more "
          "often the one of which a relation has fewer for each of the others.");
  schema.field("l2", &Options::l2)
      .at_least(0.0)
      .doc(
          "Half of this times the squared length of the entities' vectors is added for each fact.");
  schema.field("init", &Options::init).doc("How vectors of entities that are no items are drawn.");
}

TriplesObjective::TriplesObjective(const Options& options, const Deps& deps)
    : options_(options), num_items_(deps.num_items), triples_(deps.triples) {
  const auto num_relations = triples_ ? triples_->num_relations : 0;
  scorer_ = register_module("scorer", options.scorer.build({.width = deps.table_width,
                                                            .num_relations = num_relations}));
  if (!triples_) return;
  if (options.corrupt == Options::Corrupt::kBernoulli)
    head_share_ = bernoulli_shares(*triples_);
  else
    head_share_.assign(static_cast<size_t>(num_relations),
                       options.corrupt == Options::Corrupt::kTail ? 0.0 : 0.5);
  if (triples_->num_entities > num_items_)
    entities_ = register_module("entities", EmbeddingTable(EmbeddingTableImpl::Options{
                                                .num_rows = triples_->num_entities - num_items_,
                                                .width = deps.table_width,
                                                .init = options.init}));
}

bool TriplesObjective::holds(int64_t head, int64_t relation, int64_t tail) const {
  const auto* heads = triples_->heads.data_ptr<int64_t>();
  const auto* relations = triples_->relations.data_ptr<int64_t>();
  const auto* tails = triples_->tails.data_ptr<int64_t>();
  const auto wanted = std::tuple(relation, head, tail);
  int64_t low = 0, high = triples_->size();
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (std::tuple(relations[middle], heads[middle], tails[middle]) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low < triples_->size() && std::tuple(relations[low], heads[low], tails[low]) == wanted;
}

TriplesObjective::Drawn TriplesObjective::draw(int64_t count, const RandomKey& key) const {
  TORCH_CHECK(triples_ && triples_->size() > 0, "triples: there are none to draw from");
  const auto num_negatives = options_.negatives;
  Drawn out{torch::empty({count}, torch::kLong),                  // [n]
            torch::empty({count, num_negatives}, torch::kLong),   // [n, N]
            torch::empty({count, num_negatives}, torch::kLong)};  // [n, N]
  auto* facts = out.facts.data_ptr<int64_t>();
  auto* new_heads = out.heads.data_ptr<int64_t>();
  auto* new_tails = out.tails.data_ptr<int64_t>();
  const auto* heads = triples_->heads.data_ptr<int64_t>();
  const auto* relations = triples_->relations.data_ptr<int64_t>();
  const auto* tails = triples_->tails.data_ptr<int64_t>();
  const auto num_facts = static_cast<uint64_t>(triples_->size());
  const auto num_entities = static_cast<uint64_t>(triples_->num_entities);
  for (int64_t i = 0; i < count; ++i) {
    CounterRng random(key.child(static_cast<uint64_t>(i)));
    const auto fact = static_cast<int64_t>(random.below(num_facts));
    facts[i] = fact;
    const auto relation = relations[fact];
    for (int64_t n = 0; n < num_negatives; ++n) {
      const bool is_head = random.uniform() < head_share_[static_cast<size_t>(relation)];
      auto head = heads[fact], tail = tails[fact];
      for (int64_t attempt = 0; attempt < kMaxDraws; ++attempt) {
        (is_head ? head : tail) = static_cast<int64_t>(random.below(num_entities));
        if (!holds(head, relation, tail)) break;
      }
      new_heads[i * num_negatives + n] = head;
      new_tails[i * num_negatives + n] = tail;
    }
  }
  return out;
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
  const auto num_positions = input.users.vectors.size(0);
  if (num_positions == 0)  // of a shard: a sum of nothing
    return weighted_sum(input.users.vectors.sum(1), input.weights);
  const auto count = num_positions * options_.triples;
  const auto drawn = draw(count, RandomKey(next_random_key()));
  const auto device = input.users.vectors.device();
  const auto of_facts = [&](const torch::Tensor& all) { return all.index_select(0, drawn.facts); };
  // Each fact, and behind it those that were made of it.
  const auto with_facts = [&](const torch::Tensor& all, const torch::Tensor& corrupted) {
    return at::cat({of_facts(all).unsqueeze(1), corrupted}, 1).to(device);  // [n, 1 + N]
  };
  const auto heads = with_facts(triples_->heads, drawn.heads);            // [n, 1 + N]
  const auto tails = with_facts(triples_->tails, drawn.tails);            // [n, 1 + N]
  const auto head_rows = entity_rows(heads, input);                       // [n, 1 + N, D]
  const auto tail_rows = entity_rows(tails, input);                       // [n, 1 + N, D]
  const auto relations = of_facts(triples_->relations).to(device);        // [n]
  const auto scores = scorer_->forward(head_rows, relations, tail_rows);  // [n, 1 + N]
  auto each = losses(scores.select(1, 0), scores.slice(1, 1));            // [n]
  if (options_.l2 > 0.0) {
    const auto of_heads = squared_norm(head_rows),
               of_tails = squared_norm(tail_rows);  // [n, 1 + N]
    // Of a corrupted fact the entity that is new in it.
    const auto other =
        at::where(heads.ne(heads.slice(1, 0, 1)), of_heads, of_tails).slice(1, 1);  // [n, N]
    each = each + (0.5 * options_.l2) *
                      (of_heads.select(1, 0) + of_tails.select(1, 0) + other.mean(1));  // [n]
  }
  return weighted_sum(each.unflatten(0, {num_positions, options_.triples}).mean(1), input.weights);
}

}  // namespace reckon
