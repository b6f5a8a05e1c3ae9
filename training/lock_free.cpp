#include "training/lock_free.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <span>
#include <vector>

#include "core/random.h"
#include "datasets/negative_sampler.h"
#include "kernels/bpr_update.h"
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
  void index(const Interactions& train);
  // Draws the sample of one counter; false when the user has every item that there is.
  bool draw(const RandomKey& key, uint64_t counter, BprSample& sample) const;

  Options options_;
  PairwiseLearnable::Form form_;
  torch::Tensor offsets_, items_;  // of the training data, kept alive
  std::vector<int32_t> users_;     // [E], of each row
  std::optional<NegativeSampler> sampler_;
};

void LockFree::Sweeps::index(const Interactions& train) {
  TORCH_CHECK(train.num_users == form_.users.size(0) && train.num_items == form_.items.size(0),
              "lock_free: the model is made for ", form_.users.size(0), " users and ",
              form_.items.size(0), " items, the data has ", train.num_users, " and ",
              train.num_items);
  if (train.size() == 0)
    throw std::invalid_argument("the training split has no interactions to learn from");
  offsets_ = train.user_offsets.contiguous();  // [U + 1]
  items_ = train.items.contiguous();           // [E]
  const auto* offsets = offsets_.const_data_ptr<int64_t>();
  users_.resize(static_cast<size_t>(train.size()));
  for (int64_t user = 0; user < train.num_users; ++user)
    std::fill(users_.begin() + offsets[user], users_.begin() + offsets[user + 1],
              static_cast<int32_t>(user));
  sampler_.emplace(train, NegativeNeeds{});
}

bool LockFree::Sweeps::draw(const RandomKey& key, uint64_t counter, BprSample& sample) const {
  const auto row = random_below(key, 2 * counter, users_.size());
  sample.user = users_[row];
  const auto* items = items_.const_data_ptr<int32_t>();
  const auto* offsets = offsets_.const_data_ptr<int64_t>();
  sample.positive = items[row];
  const std::span<const int32_t> own(items + offsets[sample.user],
                                     items + offsets[sample.user + 1]);
  int64_t negative = 0;
  sampler_->draw(key.child(2 * counter + 1), {*sampler_, own, 1}, {&negative, 1});
  sample.negative = static_cast<int32_t>(negative);
  // Only who has every item is given one of them.
  return static_cast<int64_t>(own.size()) < form_.items.size(0) ||
         std::find(own.begin(), own.end(), sample.negative) == own.end();
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
    BprSample samples[kSamplesAtOnce];
    size_t count = 0;
    const int64_t end = std::min(num_samples, (part + 1) * kSamplesAtOnce);
    for (int64_t counter = part * kSamplesAtOnce; counter < end; ++counter)
      count += draw(key, static_cast<uint64_t>(counter), samples[count]);
    losses[static_cast<size_t>(part)] =
        bpr_update(form_.users, form_.items, form_.item_bias, {samples, count}, lr, form_.l2);
    num_learnt += static_cast<int64_t>(count);
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
