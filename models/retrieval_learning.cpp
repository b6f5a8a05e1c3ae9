#include "models/retrieval.h"

#include <algorithm>

#include "core/format.h"
#include "core/ids.h"
#include "kernels/spmm.h"
#include "layers/bpr_objective.h"
#include "layers/dot_scorer.h"

namespace reckon {

namespace {

// Positions in Represented::fixed; a tensor that nobody needs is not in the batch, and undefined here.
// Behind them stand four of each stream of negatives; of those that a whole step shares, two are in
// Represented::step instead, and hits are there for them alone.
enum Fixed { kTargetIds, kUserIds, kLabelValues, kWeightValues, kTargetFrequency };
constexpr size_t kFirstOfStreams = kTargetFrequency + 1;
enum FixedOfStream { kTargetQ, kNegativeIds, kNegativeQ, kNegativeHits };
constexpr size_t kNumOfStream = kNegativeHits + 1;
enum StepOfStream { kStepIds, kStepQ };
constexpr size_t kNumOfStep = kStepQ + 1;

// Vectors that are gathered for one loss: 16 GB. More would end in the hands of the system, which
// kills without a word.
constexpr int64_t kMaxGathered = int64_t{1} << 32;

}  // namespace

Needs Retrieval::needs() const {
  Needs needs = objective_needs_;
  needs.examples = !has_history()           ? Needs::Examples::kInteractions
                   : encoder_->reads_sets() ? Needs::Examples::kSets
                                            : Needs::Examples::kSequences;
  // A request's history, of which a propagation makes new users, is not asked for in training: it would
  // be propagated too, and steps would be drawn by its length.
  needs.max_length = has_history() ? options_.user.history->max_length : 0;
  needs.windows = has_history() && options_.user.history->windows;
  needs.one_target = has_history() && options_.user.history->one_target;
  needs.users = reads_users();
  return needs;
}

Objective::Coupling Retrieval::coupling() const {
  for (const auto& objective : objectives_)
    if (objective->coupling() == Objective::Coupling::kBatch) return Objective::Coupling::kBatch;
  return Objective::Coupling::kExample;
}

torch::Tensor Retrieval::nodes_of(std::span<const Batch* const> step) const {
  auto is_asked = torch::zeros({num_users_ + num_items()}, item_ids_.options().dtype(torch::kBool));
  const auto ask = [&](const torch::Tensor& ids, int64_t first) {
    if (!ids.defined()) return;
    const auto flat = ids.flatten();  // [.]
    is_asked.index_fill_(0, flat.masked_select(flat.ge(0)) + first, true);
  };
  for (const auto* shard : step) {
    ask(shard->find(batch_key::kUsers), 0);
    ask(shard->find(batch_key::kHistory), num_users_);
    ask(shard->find(batch_key::kTargets), num_users_);
    for (size_t stream = 0; stream < objective_needs_.negatives.size(); ++stream)
      ask(shard->find(batch_key::of_stream(batch_key::kNegatives, stream)), num_users_);
  }
  if (wants_all_items_) is_asked.slice(0, num_users_).fill_(true);
  if (wants_channels_) is_asked.slice(0, 0, num_users_).fill_(true);
  return is_asked.nonzero().squeeze(1);  // [R]
}

std::vector<torch::Tensor> Retrieval::shared(std::span<const Batch* const> step) {
  if (!propagation_) return {};
  const auto rows = nodes_of(step);  // [R]
  const auto tensors_of = [&](const Propagated& made) {
    return std::vector<torch::Tensor>{made.vectors, row_index(rows, num_users_ + num_items()),
                                      wants_origins_ ? made.origin : torch::Tensor(),
                                      torch::Tensor()};
  };
  if (is_training() && propagation_->samples_neighbours())
    return tensors_of(propagation_->forward_sampled(node_inputs(), rows, next_random_key()));
  const auto users = all_users(), items = all_item_inputs();  // [U, D], [I, D]
  auto shared = tensors_of(propagation_->forward(users, items, rows, std::nullopt));
  if (wants_nodes_) shared[kNodes] = propagation_->node_vectors(users, items);  // [N, D]
  if (view_needs_.kind != ViewNeeds::Kind::kNone)
    for (int64_t view = 0; view < view_needs_.count; ++view)
      shared.push_back(
          propagation_->forward(users, items, rows, GraphView{view_needs_, next_random_key()})
              .vectors);  // [R, D']
  return shared;
}

Learnable::Represented Retrieval::represent(const Batch& shard,
                                            const std::vector<torch::Tensor>& shared) {
  const auto& streams = objective_needs_.negatives;
  Represented out;
  out.fixed.resize(kFirstOfStreams + streams.size() * kNumOfStream);
  out.step.resize(streams.size() * kNumOfStep);
  auto targets = shard.at(batch_key::kTargets);  // [B] or [B, T]
  auto users = shard.find(batch_key::kUsers);    // [B]
  // Row of the shard and index into the flattened [B * T] of each of the P positions learnt from.
  torch::Tensor rows, flat;
  torch::Tensor queries;
  if (has_history()) {
    flat = targets.flatten().ne(kPaddingId).nonzero().squeeze(1);                // [P]
    rows = torch::div(flat, targets.size(1), "floor");                           // [P]
    queries = target_states(shard.at(batch_key::kHistory), flat, rows, shared);  // [P, D]
    if (reads_users())
      queries = joined(queries, user_rows(users, shared).index_select(0, rows));  // [P, D]
  } else {
    queries = user_rows(users, shared);  // [P, D]
  }
  const auto pick = [&](const torch::Tensor& values, bool of_position) {
    if (!values.defined() || !has_history()) return values;
    return of_position ? values.flatten(0, 1).index_select(0, flat) : values.index_select(0, rows);
  };
  out.rows = {queries};
  out.fixed[kTargetIds] = pick(targets, true);                                           // [P]
  out.fixed[kUserIds] = pick(users, false);                                              // [P]
  out.fixed[kLabelValues] = pick(shard.find(batch_key::kLabels), true);                  // [P]
  out.fixed[kWeightValues] = pick(shard.find(batch_key::kWeights), true);                // [P]
  out.fixed[kTargetFrequency] = pick(shard.find(batch_key::kTargetLogFrequency), true);  // [P]
  for (size_t stream = 0; stream < streams.size(); ++stream) {
    const auto find = [&](const char* name) {
      return shard.find(batch_key::of_stream(name, stream));
    };
    auto* fixed = &out.fixed[kFirstOfStreams + stream * kNumOfStream];
    auto* step = &out.step[stream * kNumOfStep];
    fixed[kTargetQ] = pick(find(batch_key::kTargetLogQ), true);  // [P]
    if (streams[stream].serves_many_users()) {
      step[kStepIds] = find(batch_key::kNegatives);                        // [N]
      step[kStepQ] = find(batch_key::kNegativeLogQ);                       // [N]
      fixed[kNegativeHits] = pick(find(batch_key::kNegativeHits), false);  // [P, N]
      continue;
    }
    const bool per_position = streams[stream].per == NegativeNeeds::Per::kPosition;
    fixed[kNegativeIds] = pick(find(batch_key::kNegatives), per_position);   // [P, N]
    fixed[kNegativeQ] = pick(find(batch_key::kNegativeLogQ), per_position);  // [P, N]
  }
  return out;
}

void Retrieval::require_room(const torch::Tensor& negatives, size_t objective) const {
  if (!negatives.defined() || negatives.numel() <= kMaxGathered / options_.dim) return;
  throw ConfigError(
      {{options_.objectives[objective].location(),
        "model.objectives[" + std::to_string(objective) + "]: the vectors of " +
            format_count(negatives.numel()) + " negatives of one step would take " +
            format_bytes(4 * options_.dim * negatives.numel()),
        "lower `negatives` or training.batch_size, or let the step share its draws with "
        "`sharing: step`"}});
}

LossParts Retrieval::loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                          int64_t step_number) {
  const bool has_origins = !shared.empty() && shared[kOrigin].defined();
  const auto side = [&](const torch::Tensor& ids) {
    if (!ids.defined()) return ScorerSide{};
    return ScorerSide{item_rows(ids, shared), ids,
                      has_origins ? node_rows(ids + num_users_, shared, kOrigin) : torch::Tensor()};
  };
  ObjectiveInput input;
  input.users = {rows.rows[0], rows.fixed[kUserIds]};
  if (has_origins && !has_history())
    input.users.origin = node_rows(rows.fixed[kUserIds], shared, kOrigin);  // [P, D]
  input.targets = side(rows.fixed[kTargetIds]);
  input.labels = rows.fixed[kLabelValues];
  input.weights = rows.fixed[kWeightValues];
  input.target_log_frequency = rows.fixed[kTargetFrequency];
  input.items = side;
  input.num_items = num_items();
  input.all_items = [&] { return all_items(shared); };
  // Of what is propagated only the rows of the step are there.
  input.items_are_sparse =
      shared.empty() ? options_.item.id && options_.item.id->sparse : !wants_all_items_;
  if (!shared.empty()) {
    input.views = views(shared);
    input.nodes = shared[kNodes];                                 // [N, D]
    if (wants_intents_) input.intents = propagation_->intents();  // [K, D]
  }
  if (wants_channels_) {
    input.all_users = [&] {
      return shared[kVectors].slice(0, 0, num_users_);  // [U, D'], all asked for and the first
    };
    input.channels = propagation_->channels();
  }
  input.item_table = node_inputs().items;
  input.scorer = scorer_.get();
  // What an objective sees beside that: the negatives that it asked for.
  const auto input_of = [&](size_t objective) {
    auto own = input;
    if (objectives_[objective]->needs().negatives == 0) return own;
    const auto stream = stream_of_[objective];
    const auto* fixed = &rows.fixed[kFirstOfStreams + stream * kNumOfStream];
    const auto* step = &rows.step[stream * kNumOfStep];
    const bool is_shared = step[kStepIds].defined();
    own.negative_hits = fixed[kNegativeHits];                             // [P, N]
    own.negative_ids = is_shared ? step[kStepIds] : fixed[kNegativeIds];  // [N] or [P, N]
    own.negative_log_q = is_shared ? step[kStepQ] : fixed[kNegativeQ];    // [N] or [P, N]
    own.target_log_q = fixed[kTargetQ];                                   // [P]
    own.negatives = [&, objective, ids = own.negative_ids] {
      require_room(ids, objective);
      return side(ids);
    };
    return own;
  };

  LossParts total;
  for (size_t i = 0; i < objectives_.size(); ++i) {
    const auto& common = options_.objectives[i].common();
    if (step_number % common.every != 0) continue;
    auto parts = objectives_[i]->forward(input_of(i));
    // Every objective is a sum over the same targets, so one weight divides them all.
    total.sum = total.sum.defined() ? total.sum + common.weight * parts.sum
                                    : common.weight * parts.sum;  // []
    total.weight = std::max(total.weight, parts.weight);
    if (objectives_.size() > 1)
      total.logged[options_.objectives[i].type()] += parts.sum.item<double>();
    for (const auto& [name, value] : parts.logged) total.logged[name] += value;
  }
  if (!total.sum.defined()) total.sum = rows.rows[0].sum() * 0.0;  // []
  return total;
}

PairwiseLearnable::Form Retrieval::pairwise_form() {
  const auto refuse = [](const std::string& what) { throw std::invalid_argument(what); };
  if (!item_features_.is_empty() || !user_features_.is_empty())
    refuse(
        "single updates move the vectors of user and item ids; neither of model.user and "
        "model.item may have features");
  if (has_history() || !has_user_ids() || propagation_)
    refuse(
        "single updates move the vectors of user and item ids; model.user must be `id` alone, "
        "without propagation");
  const auto* scorer = dynamic_cast<DotScorer*>(scorer_.get());
  if (scorer == nullptr || !scorer->is_plain())
    refuse(
        "single updates are those of a plain inner product: model.scorer must be `dot`, with no "
        "more than item_bias");
  const auto* bpr =
      objectives_.size() == 1 ? dynamic_cast<BprObjective*>(objectives_[0].get()) : nullptr;
  if (bpr == nullptr || bpr->options().negatives != 1 || bpr->options().popularity_exponent != 0.0)
    refuse(
        "single updates are those of the objective `bpr` alone, with one negative drawn "
        "uniformly");
  if (options_.item.dropout != 0.0 || options_.item.id->frozen || options_.user.id->frozen)
    refuse("single updates know neither item.dropout nor frozen vectors");
  return {.users = users_->all().detach(),
          .items = items_->all().detach(),
          .item_bias = scorer->item_biases(),
          .l2 = bpr->options().l2};
}

}  // namespace reckon
