#pragma once

#include <string>

#include "datasets/dataset_builder.h"

namespace reckon {

/// Writes a data set to a file, whole or not at all. Throws DataError.
void write_dataset(const std::string& path, const Dataset& dataset);

/// Maps what write_dataset() wrote. Throws DataError when it is damaged or of another version.
Dataset read_dataset(const std::string& path);

}  // namespace reckon
