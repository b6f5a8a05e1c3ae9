#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/dataset.h"

namespace reckon {

/// Everything that a data set is made of.
struct DatasetParts {
  IdMap users, items;
  Interactions interactions;
  InteractionsByItem by_item;  ///< Made from `interactions` where it is left out.
  torch::Tensor split_of;      // [E] uint8
  std::vector<TableColumn> item_columns, user_columns;
  std::vector<std::string> event_names;
  std::shared_ptr<const Graph> graph;
  std::string fingerprint, report;
};

/// Puts a data set together from parts that were read, loaded or made up.
class DatasetBuilder {
 public:
  /// Throws c10::Error when sizes or types do not fit each other.
  static Dataset build(DatasetParts parts);
};

}  // namespace reckon
