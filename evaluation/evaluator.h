#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "evaluation/options.h"
#include "evaluation/ranked_lists.h"
#include "evaluation/result.h"
#include "models/model.h"

namespace reckon {

/// What an evaluation looks at besides the model.
struct EvaluationInput {
  EvaluationData data;
  int64_t num_users = 0;
  int64_t num_items = 0;
  /// Training interactions of each item: popularity, novelty, popular negatives and users without
  /// anything usable ask for them.
  torch::Tensor item_counts;  // [I] int64
  /// What diversity compares; when undefined, the model's own item vectors.
  torch::Tensor item_vectors;  // [I, D]
  /// Columns of the table of items, for what looks at categories.
  const std::vector<TableColumn>* item_columns = nullptr;
  const IdMap* users = nullptr;  ///< Raw ids for messages; without it the dense ones are shown.
  const IdMap* items = nullptr;
  std::string fingerprint;  ///< Of what is measured on; runs on different data are never compared.
};

/// What items of a model are compared by: its item vectors, or else those of its inner product, of
/// length 1; undefined when it has neither.   Shapes  -> [I, D] float32 contiguous
torch::Tensor unit_item_vectors(Model& model);

/// `options.split` of a prepared data set. The data set must outlive the input.
EvaluationInput evaluation_input(const Dataset& dataset, const EvaluationOptions& options);

/// Ranks items for every user of a split and measures the lists.
///
/// A user whose request holds nothing usable (Model::usable) gets what serving would give: the items
/// most popular in training; the notes count them. Ratings are the model's own in any case.
/// Where the model has factors() the blocked top-k kernel does it, else blocks of score(); memory is
/// bounded by batches, never users x items. Results do not depend on the number of threads.
/// With `options.reranking` each list is chosen from the user's best candidates, that of the fallback
/// too; its scores then count its places down. The area under the curve stays that of the model.
/// Throws   DataError naming the user when a score is NaN; ConfigError when diversity finds no item
///          vectors, or ratings are asked of data without any; c10::Error when model, data and options do not fit each other.
EvaluationResult evaluate(Model& model, const EvaluationInput& input,
                          const EvaluationOptions& options);
EvaluationResult evaluate(Model& model, const Dataset& dataset, const EvaluationOptions& options);

/// Measures lists that were made elsewhere.
///
/// A user of the split without a list gets the empty one; an item that is unknown, or seen while
/// `mask_seen` holds, keeps its place and is no hit. Metrics that need scores of all items are left
/// out; all of this stands in the notes.
/// Throws   ConfigError when no metric is left.
EvaluationResult evaluate_lists(const RankedLists& lists, const EvaluationInput& input,
                                const EvaluationOptions& options);

}  // namespace reckon
