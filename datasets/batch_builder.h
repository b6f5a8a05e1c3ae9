#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"
#include "datasets/batch.h"
#include "datasets/interactions.h"
#include "datasets/needs.h"

namespace reckon {

/// What an epoch is made of.
enum class Sampling {
  kExamples,  ///< Each example once, in random order.
  kUsers,     ///< As many draws: a user, all alike, and one of its interactions.
};

template <>
struct EnumNames<Sampling> {
  static std::vector<std::pair<std::string, Sampling>> all() {
    return {{"examples", Sampling::kExamples}, {"users", Sampling::kUsers}};
  }
};

/// Makes the batches of a training run: batch (epoch, step) is a pure function of the data, the
/// options and the seed, so any thread may build any step and a resumed run needs no position but
/// the two numbers.
class BatchBuilder {
 public:
  struct Options {
    int64_t batch_size = 128;  ///< Rows of a step, over all its shards.
    int64_t num_shards = 2;    ///< Parts of a step; results depend on it, threads do not matter.
    bool bucket_by_length = false;  ///< Put histories of like length into one step, to pad less.
    Sampling sampling = Sampling::kExamples;  ///< kUsers: where an example is an interaction.
    uint64_t seed = 0;
  };

  /// `train` holds the training split only. Throws DataError when nothing can be learnt from it.
  BatchBuilder(const Interactions& train, const Needs& needs, const Options& options);
  ~BatchBuilder();
  BatchBuilder(BatchBuilder&&) noexcept;

  int64_t num_examples() const;
  int64_t steps_per_epoch() const;

  StepBatch build(int64_t epoch, int64_t step) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Requests for the users `[begin, end)` of an evaluation: keys "users" and "history" as asked for.
/// Histories keep their last `max_length` items.
struct EvaluationData;
Batch build_requests(const EvaluationData& data, int64_t begin, int64_t end,
                     const RequestNeeds& needs);

}  // namespace reckon
