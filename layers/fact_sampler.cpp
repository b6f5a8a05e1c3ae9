#include "layers/fact_sampler.h"

#include <tuple>

#include "kernels/dropout.h"

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

FactSampler::FactSampler(std::shared_ptr<const Triples> triples, Corrupt corrupt, int64_t negatives)
    : triples_(std::move(triples)), negatives_(negatives) {
  if (!triples_) return;
  if (corrupt == Corrupt::kBernoulli)
    head_share_ = bernoulli_shares(*triples_);
  else
    head_share_.assign(static_cast<size_t>(triples_->num_relations),
                       corrupt == Corrupt::kTail ? 0.0 : 0.5);
}

bool FactSampler::holds(int64_t head, int64_t relation, int64_t tail) const {
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

FactSampler::Drawn FactSampler::draw(int64_t count, const RandomKey& key) const {
  TORCH_CHECK(triples_ && triples_->size() > 0, "triples: there are none to draw from");
  Drawn out{torch::empty({count}, torch::kLong),               // [n]
            torch::empty({count, negatives_}, torch::kLong),   // [n, N]
            torch::empty({count, negatives_}, torch::kLong)};  // [n, N]
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
    for (int64_t n = 0; n < negatives_; ++n) {
      const bool is_head = random.uniform() < head_share_[static_cast<size_t>(relation)];
      auto head = heads[fact], tail = tails[fact];
      for (int64_t attempt = 0; attempt < kMaxDraws; ++attempt) {
        (is_head ? head : tail) = static_cast<int64_t>(random.below(num_entities));
        if (!holds(head, relation, tail)) break;
      }
      new_heads[i * negatives_ + n] = head;
      new_tails[i * negatives_ + n] = tail;
    }
  }
  return out;
}

FactSampler::Facts FactSampler::facts(int64_t count, const RandomKey& key,
                                      const torch::Device& device) const {
  const auto drawn = draw(count, key);
  const auto of_facts = [&](const torch::Tensor& all) { return all.index_select(0, drawn.facts); };
  const auto with_facts = [&](const torch::Tensor& all, const torch::Tensor& corrupted) {
    return at::cat({of_facts(all).unsqueeze(1), corrupted}, 1).to(device);  // [n, 1 + N]
  };
  return {.heads = with_facts(triples_->heads, drawn.heads),
          .relations = of_facts(triples_->relations).to(device),
          .tails = with_facts(triples_->tails, drawn.tails)};
}

torch::Tensor squared_lengths(const FactSampler::Facts& facts, const torch::Tensor& head_rows,
                              const torch::Tensor& tail_rows) {
  const auto of_heads = squared_norm(head_rows), of_tails = squared_norm(tail_rows);  // [n, 1 + N]
  const auto is_new_head = facts.heads.ne(facts.heads.slice(1, 0, 1));                // [n, 1 + N]
  const auto of_new = at::where(is_new_head, of_heads, of_tails).slice(1, 1);         // [n, N]
  return of_heads.select(1, 0) + of_tails.select(1, 0) + of_new.mean(1);              // [n]
}

LossParts loss_of_facts(
    const ObjectiveInput& input, const FactSampler& sampler, int64_t per_target, double l2,
    TripleScorer& scorer, const std::function<torch::Tensor(const torch::Tensor&)>& rows_of,
    const std::function<torch::Tensor(const torch::Tensor& holds, const torch::Tensor& corrupted)>&
        losses) {
  const auto num_positions = input.users.vectors.size(0);
  if (num_positions == 0)  // of a shard: a sum of nothing
    return weighted_sum(input.users.vectors.sum(1), input.weights);
  const auto facts = sampler.facts(num_positions * per_target, RandomKey(next_random_key()),
                                   input.users.vectors.device());
  const auto head_rows = rows_of(facts.heads);                                // [n, 1 + N, D]
  const auto tail_rows = rows_of(facts.tails);                                // [n, 1 + N, D]
  const auto scores = scorer.forward(head_rows, facts.relations, tail_rows);  // [n, 1 + N]
  auto each = losses(scores.select(1, 0), scores.slice(1, 1));                // [n]
  if (l2 > 0.0) each = each + (0.5 * l2) * squared_lengths(facts, head_rows, tail_rows);  // [n]
  return weighted_sum(each.unflatten(0, {num_positions, per_target}).mean(1), input.weights);
}

}  // namespace reckon
