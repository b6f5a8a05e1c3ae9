#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/schema.h"
#include "datasets/interactions.h"
#include "evaluation/item_categories.h"
#include "evaluation/metric_name.h"
#include "evaluation/reranker.h"

namespace reckon {

/// Which items compete with the relevant ones: the whole catalogue, or a drawn few.
enum class EvaluationProtocol { kFull, kSampled };

/// How the competitors of a sampled evaluation are drawn: distinct, none that the user has.
struct NegativeSampling {
  enum class Distribution { kUniform, kPopularity };

  int64_t count = 100;
  Distribution distribution = Distribution::kUniform;
  int64_t seed = 0;
  static void describe(Schema<NegativeSampling>& schema);
};

/// The `evaluation:` part of an experiment.
struct EvaluationOptions {
  std::vector<MetricName> metrics = {{Metric::kRecall, 10}, {Metric::kNdcg, 10}};
  Split split = Split::kTest;
  EvaluationProtocol protocol = EvaluationProtocol::kFull;
  std::optional<NegativeSampling> negatives;  ///< For kSampled; its defaults when not given.
  bool mask_seen = true;
  std::optional<double> relevant_from;
  bool per_user = true;
  int64_t top_k_lists = 0;
  std::optional<CategoryOptions> categories;
  Component<Reranker> reranking;  ///< Empty: lists are as the model ranks.
  int64_t batch_size = 256;
  int64_t threads = 0;
  static void describe(Schema<EvaluationOptions>& schema);
};

/// Adds what these options ask of ratings, for data that has none: rmse, mae and `relevant_from`.
/// `section` is the part `evaluation` of the experiment, where its places come from; null without one.
void check_without_ratings(const EvaluationOptions& options, const ConfigNode* section,
                           Problems& problems);

}  // namespace reckon
