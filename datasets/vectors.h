#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>

#include "datasets/id_map.h"

namespace reckon {

/// Vectors by dense id, as they were found in a file.
struct IdVectors {
  torch::Tensor rows;       // [ids.size(), width] float32; NaN where the file has no vector
  int64_t num_missing = 0;  ///< Ids without a vector.
  int64_t num_unknown = 0;  ///< Vectors of ids that the map does not have; left out.
};

/// Reads vectors for the ids of a map: `.npy` (row = dense id), `.parquet` or `.tsv` (column `id` and
/// a vector).   Throws   DataError.
IdVectors read_vectors(const std::string& path, const IdMap& ids, int64_t width);

/// Writes one vector for each id, in the form that the extension names.   Throws   DataError.
void write_vectors(const std::string& path, const IdMap& ids, const torch::Tensor& vectors);

}  // namespace reckon
