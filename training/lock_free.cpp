#include "training/lock_free.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <span>
#include <vector>

#include "core/random.h"
#include "kernels/bpr_update.h"
#include "models/interaction_matrix.h"
#include "models/pairwise.h"
#include "training/workers.h"

namespace reckon {

namespace {

// Samples that a thread draws before it learns from them: few enough for the first cache.
constexpr int64_t kSamplesAtOnce = 512;

PairwiseLearnable::Form require_form(const Procedure::Deps& deps) {
  TORCH_CHECK(deps.model != nullptr, "lock_free: expected a model");
  auto* pairwise = dynamic_cast<PairwiseLearnable*>(deps.model);
  if (pairwise == nullptr)
    throw MisfitError(
        {{"type", "model `" + model_type_name(*deps.model) + "` does not learn from pairs",
          "use training.type: " + std::string(deps.model->learnable() ? "supervised" : "fit")}});
  try {
    return pairwise->pairwise_form();
  } catch (const std::invalid_argument& error) {
    throw MisfitError({{"type", error.what(), "use training.type: supervised"}});
  }
}

}  // namespace

/// One epoch of updates as one round of a fit.
class LockFree::Sweeps : public Fittable {
 public:
  Sweeps(const Options& options, const Deps& deps) : options_(options), form_(require_form(deps)) {}

  int64_t num_rounds() const override { return options_.epochs; }
  double fit(const Interactions& train, const Context& context) override;

 private:
  // What a drawn row is made of, asked for before it is needed: each lies anywhere in memory.
  struct Draws {
    size_t rows[kSamplesAtOnce];
    BprSample samples[kSamplesAtOnce];
  };

  void index(const Interactions& train);
  // Draws the samples of counters [begin, end); users that have every item are left out.
  std::span<const BprSample> draw(const RandomKey& key, int64_t begin, int64_t end,
                                  Draws& draws) const;
  // The item of a rank among those that the user does not have.
  int32_t not_owned(int32_t user, int64_t rank) const;
  int64_t num_owned(int32_t user) const {
    return owned_offsets_[static_cast<size_t>(user) + 1] -
           owned_offsets_[static_cast<size_t>(user)];
  }

  Options options_;
  PairwiseLearnable::Form form_;
  torch::Tensor items_;         // [E] int32 of the training data, kept alive
  std::vector<int32_t> users_;  // [E], of each row
  // Of each user the items that she has, each once and in order, less its place in that order: how many
  // others come before it.
  std::vector<int64_t> owned_offsets_;  // [U + 1]
  std::vector<int32_t> owned_;
};

void LockFree::Sweeps::index(const Interactions& train) {
  TORCH_CHECK(train.num_users == form_.users.size(0) && train.num_items == form_.items.size(0),
              "lock_free: the model is made for ", form_.users.size(0), " users and ",
              form_.items.size(0), " items, the data has ", train.num_users, " and ",
              train.num_items);
  if (train.size() == 0)
    throw std::invalid_argument("the training split has no interactions to learn from");
  items_ = train.items.contiguous();                                                       // [E]
  const auto users = torch::repeat_interleave(train.user_offsets.diff()).to(torch::kInt);  // [E]
  const auto* user_of = users.const_data_ptr<int32_t>();
  users_.assign(user_of, user_of + users.numel());
  const auto owned = interaction_matrix(train);
  const auto* offsets = owned.offsets.const_data_ptr<int64_t>();
  const auto* columns = owned.columns.const_data_ptr<int32_t>();
  owned_offsets_.assign(offsets, offsets + train.num_users + 1);
  owned_.assign(columns, columns + owned.columns.numel());
  for (int64_t user = 0; user < train.num_users; ++user)
    for (auto e = offsets[user]; e < offsets[user + 1]; ++e)
      owned_[static_cast<size_t>(e)] -= static_cast<int32_t>(e - offsets[user]);
}

int32_t LockFree::Sweeps::not_owned(int32_t user, int64_t rank) const {
  const auto begin = owned_.begin() + owned_offsets_[static_cast<size_t>(user)];
  const auto before = std::upper_bound(begin, begin + num_owned(user), rank) - begin;
  return static_cast<int32_t>(rank + before);
}

std::span<const BprSample> LockFree::Sweeps::draw(const RandomKey& key, int64_t begin, int64_t end,
                                                  Draws& draws) const {
  const auto* items = items_.const_data_ptr<int32_t>();
  const auto num_draws = static_cast<size_t>(end - begin);
  for (size_t s = 0; s < num_draws; ++s) {
    const auto row = random_below(key, 2 * (static_cast<uint64_t>(begin) + s), users_.size());
    draws.rows[s] = row;
    __builtin_prefetch(&users_[row]);
    __builtin_prefetch(items + row);
  }
  for (size_t s = 0; s < num_draws; ++s) {
    draws.samples[s].user = users_[draws.rows[s]];
    draws.samples[s].positive = items[draws.rows[s]];
    __builtin_prefetch(&owned_offsets_[static_cast<size_t>(draws.samples[s].user)]);
  }
  for (size_t s = 0; s < num_draws; ++s) {
    const auto user = draws.samples[s].user;
    __builtin_prefetch(&owned_[static_cast<size_t>(owned_offsets_[static_cast<size_t>(user)] +
                                                   num_owned(user) / 2)]);
  }
  size_t count = 0;
  for (size_t s = 0; s < num_draws; ++s) {
    const auto sample = draws.samples[s];
    const auto num_others = form_.items.size(0) - num_owned(sample.user);
    if (num_others == 0) continue;
    const auto rank = random_below(key, 2 * (static_cast<uint64_t>(begin) + s) + 1,
                                   static_cast<uint64_t>(num_others));
    draws.samples[count++] = {sample.user, sample.positive,
                              not_owned(sample.user, static_cast<int64_t>(rank))};
  }
  return {draws.samples, count};
}

double LockFree::Sweeps::fit(const Interactions& train, const Context& context) {
  if (users_.empty()) index(train);
  const RandomKey key(context.seed, RandomStream::kNegatives, static_cast<uint64_t>(context.round));
  const double lr = options_.lr * std::pow(options_.lr_decay, static_cast<double>(context.round));
  const auto num_samples = train.size();
  const int64_t num_parts = (num_samples + kSamplesAtOnce - 1) / kSamplesAtOnce;
  std::vector<double> losses(static_cast<size_t>(num_parts));
  std::atomic<int64_t> num_learnt{0};
  const auto sweep = [&](int64_t part) {
    Draws draws;
    const auto samples =
        draw(key, part * kSamplesAtOnce, std::min(num_samples, (part + 1) * kSamplesAtOnce), draws);
    losses[static_cast<size_t>(part)] =
        bpr_update(form_.users, form_.items, form_.item_bias, samples, lr, form_.l2);
    num_learnt += static_cast<int64_t>(samples.size());
  };
  WorkerPool(at::get_num_threads()).run(num_parts, sweep);
  double loss = 0.0;
  for (const double part : losses) loss += part;
  if (!std::isfinite(loss))
    throw DivergenceError("training stopped at epoch " + std::to_string(context.round + 1) +
                              ": the loss is not finite",
                          "lower training.lr");
  if (num_learnt == 0)
    throw std::invalid_argument(
        "every user has every item in training: there is nothing to prefer to anything");
  return loss / static_cast<double>(num_learnt);
}

void LockFree::Options::describe(Schema<Options>& schema) {
  schema.field("epochs", &Options::epochs)
      .positive()
      .at_most(1'000'000)
      .doc("Times as many updates as there are training interactions, at most.");
  schema.field("lr", &Options::lr).positive().doc("Learning rate of each update.");
  schema.field("lr_decay", &Options::lr_decay)
      .positive()
      .at_most(1.0)
      .doc("Multiplies the learning rate after each epoch.");
  schema.field("threads", &Options::threads)
      .must_be_in(0, 1024)
      .doc(
          "Threads that update at once; 0: one for each core. More than one: results differ in "
          "their last digits from run to run.");
  schema.field("deterministic", &Options::deterministic)
      .doc("One thread, so that the same seed gives the same numbers.");
  describe_validation(schema, "after the last alone.");
  schema.field("checkpoint_every", &Options::checkpoint_every)
      .doc("Time between two checkpoints; 0: only at the end and on an interrupt.");
  schema.invariant("threads", "cannot be more than 1 with `deterministic: true`",
                   [](const Options& o) { return !o.deterministic || o.threads <= 1; });
}

LockFree::LockFree(const Options& options, const Deps& deps)
    : sweeps_(std::make_unique<Sweeps>(options, deps)),
      rounds_(
          std::make_unique<Fit>(Fit::Options{.threads = options.deterministic ? 1 : options.threads,
                                             .early_stopping = options.early_stopping,
                                             .validate_every = options.validate_every,
                                             .checkpoint_every = options.checkpoint_every},
                                deps, *sweeps_)) {}

LockFree::~LockFree() = default;

}  // namespace reckon
