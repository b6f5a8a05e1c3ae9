#pragma once

#include <cstdint>
#include <vector>

namespace reckon {

/// Negative items that an objective asks for beside every positive one.
struct NegativeNeeds {
  /// Who shares one draw: the whole step, one of its shards, one example (row), or each position of a
  /// sequence alone.
  enum class Per { kStep, kShard, kExample, kPosition };
  enum class Distribution { kUniform, kPopularity };

  int64_t count = 1;
  Per per = Per::kExample;
  Distribution distribution = Distribution::kUniform;
  double exponent = 1.0;  ///< Popularity is count ^ exponent.
  /// Never draw what the user has in training; of a draw that serves several users, say who has what.
  bool exclude_positives = true;
  bool log_q = false;  ///< Log probabilities of drawing each target and each negative.

  /// Whether one draw serves several users: batch key "negatives" is [N] then.
  bool serves_many_users() const { return per == Per::kStep || per == Per::kShard; }

  bool operator==(const NegativeNeeds&) const = default;
};

/// What a model needs of a training batch; the batch builder makes exactly this and nothing else.
struct Needs {
  /// kInteractions: a row is one (user, item, label). kSequences: a row is one user's history, each
  /// step of which predicts the next item. kSets: a row is one user's items, the newest max_length,
  /// as history and, step by step the same, as targets.
  enum class Examples { kInteractions, kSequences, kSets };

  Examples examples = Examples::kInteractions;
  int64_t max_length = 0;  ///< Longest history T; 0 when none is wanted.
  /// A history longer than T + 1 is several examples, each interaction but the first a target of one
  /// of them; otherwise its newest T + 1 interactions are the only example.
  bool windows = false;
  /// Of kSets: each interaction is a row of its own, the only target beside the whole set.
  bool one_target = false;
  bool users = false;          ///< Dense user ids, batch key "users".
  bool labels = false;         ///< Ratings, batch key "labels".
  bool log_frequency = false;  ///< Log share of each target in the training interactions.
  /// Each is a stream of draws of its own, see batch_key::of_stream().
  std::vector<NegativeNeeds> negatives;
};

/// What a model needs of a request to recommend.
struct RequestNeeds {
  /// For max_length: what reads all that a user did, as sets of items do.
  static constexpr int64_t kWholeHistory = 1'000'000;

  bool users = false;
  int64_t max_length = 0;  ///< Longest history read; 0 when none is.
};

}  // namespace reckon
