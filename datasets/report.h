#pragma once

#include <string>
#include <vector>

#include "datasets/dataset_builder.h"
#include "datasets/graph_builder.h"
#include "datasets/rows.h"

namespace reckon {

/// What the preparation knows beside the data itself.
struct PreparationFacts {
  int64_t num_read = 0;
  std::vector<CleaningStep> steps;
  std::vector<std::string> warnings;
  std::vector<std::string> notes;  ///< What is in order, but worth knowing.
  std::vector<EdgeCounts> edges;   ///< Of the graph, if there is one.
};

/// Sentences about a split that gives training what it should not know, and about held-out rows
/// whose users or items training never saw.
std::vector<std::string> split_warnings(const Interactions& interactions,
                                        const torch::Tensor& split_of);

/// The content of report.json.
std::string make_report(const DatasetParts& parts, const PreparationFacts& facts);

}  // namespace reckon
