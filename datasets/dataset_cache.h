#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "datasets/dataset_builder.h"

namespace reckon {

/// Writes a data set to a file, whole or not at all. Throws DataError.
void write_dataset(const std::string& path, const Dataset& dataset);

/// What the head of such a file says, without a look at the rest.
struct DatasetHead {
  std::string fingerprint;
  int64_t num_users = 0;
  int64_t num_items = 0;
  std::shared_ptr<const Graph> graph;  ///< Without edges; null when there is none.
  std::string report;
};

/// Throws DataError when the file is not one, or its head is damaged.
DatasetHead read_dataset_head(const std::string& path);

/// The ids that such a file numbers.
struct DatasetIds {
  IdMap users;
  IdMap items;
};

/// Throws DataError when the file is not one, or its ids are damaged.
DatasetIds read_dataset_ids(const std::string& path);

/// Maps what write_dataset() wrote. Throws DataError when it is damaged or of another version.
Dataset read_dataset(const std::string& path);

}  // namespace reckon
