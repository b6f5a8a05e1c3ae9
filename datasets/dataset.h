#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/graph.h"
#include "datasets/id_map.h"
#include "datasets/interactions.h"
#include "datasets/table_column.h"

namespace reckon {

/// The users whose held-out items a split asks for, and what is known of them at that moment.
///
/// Shapes   V users. Ragged arrays are given by offsets; items are dense ids in time order.
struct EvaluationData {
  Split split = Split::kTest;
  torch::Tensor users;            // [V] int64, ascending
  torch::Tensor history_offsets;  // [V + 1] int64
  torch::Tensor history_items;    // [H] int32, all the user did before the split; masked as seen
  torch::Tensor target_offsets;   // [V + 1] int64
  torch::Tensor target_items;     // [R] int32
  torch::Tensor target_labels;    // [R] float32; undefined when the data has no ratings
};

/// A prepared data set: id maps, interactions with their split, display columns.
///
/// The large arrays are views into a memory-mapped cache, so that copies are cheap and read-only.
class Dataset {
 public:
  const IdMap& users() const { return *users_; }
  const IdMap& items() const { return *items_; }
  int64_t num_users() const { return users_->size(); }
  int64_t num_items() const { return items_->size(); }

  /// Everything, of all splits.
  const Interactions& interactions() const { return interactions_; }
  /// The same, ordered by item.
  const InteractionsByItem& by_item() const { return by_item_; }
  const torch::Tensor& split_of() const { return split_of_; }  // [E] uint8, values of Split

  /// The interactions of one split alone.
  Interactions part(Split split) const;

  /// What is not to be recommended to each user again: all interactions, users and items alone; of mutual
  /// data each user in front of them.
  Interactions seen() const;

  /// Users with at least one item in `split`. The history of kTest holds training and validation
  /// items, that of kValidation the training items only; of mutual data it begins with the user.
  EvaluationData evaluation(Split split) const;

  const std::vector<TableColumn>& item_columns() const { return item_columns_; }
  const std::vector<TableColumn>& user_columns() const { return user_columns_; }
  const std::vector<std::string>& event_names() const { return event_names_; }

  /// What `data.graph` declares, of the training part alone; null when it declares nothing.
  const Graph* graph() const { return graph_.get(); }

  /// Hex digest of the source files and the options that made this data set.
  const std::string& fingerprint() const { return fingerprint_; }

  /// Names what runs are measured on: the fingerprint, or of data with a graph a digest of users, items,
  /// interactions and split alone, so that runs compare which know more or less of the same items.
  std::string measured_fingerprint() const;

  /// What each preparation step did, as JSON text (the content of report.json).
  const std::string& report() const { return report_; }

 private:
  friend class DatasetBuilder;

  std::shared_ptr<const IdMap> users_, items_;
  Interactions interactions_;
  InteractionsByItem by_item_;
  torch::Tensor split_of_;
  std::vector<TableColumn> item_columns_, user_columns_;
  std::vector<std::string> event_names_;
  std::shared_ptr<const Graph> graph_;
  std::string fingerprint_, report_;
};

}  // namespace reckon
