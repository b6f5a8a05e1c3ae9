#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/data_options.h"
#include "datasets/dataset.h"

namespace reckon {

struct PrepareResult {
  Dataset dataset;
  bool from_cache = false;
  std::string cache_directory;        ///< Of this data set: holds dataset.bin and report.json.
  std::vector<std::string> warnings;  ///< What the person should know; also in the report.
};

/// Reads, cleans, numbers and divides the data, or finds it prepared.
///
/// Prepared data lies below `options.cache` in a folder named by a fingerprint of the content of the
/// files and the options, so that it is never stale; it is written whole or not at all, and a damaged
/// one is made anew. `rebuild` makes it anew in any case.
/// Throws DataError when a file cannot be read, holds what the options do not forgive, or nothing is
/// left of it.
PrepareResult prepare_dataset(const DataOptions& options, bool rebuild = false);

/// To be raised with every change of readers, cleaning, splits or numbering that makes other data of
/// the same files and options: prepared data of another version is not found again.
inline constexpr int kPreparationVersion = 2;

/// Hex digest of the content of all files, of the options that matter, and of the version of the code.
std::string dataset_fingerprint(const DataOptions& options, int version = kPreparationVersion);

struct PreparedSizes {
  int64_t num_users = 0;
  int64_t num_items = 0;
  std::shared_ptr<const Graph> graph;  ///< Without edges; null when the data declares none.
  std::string report;                  ///< The content of report.json.
};

/// The sizes of what prepare_dataset() would find prepared; nothing where it would build. Looks at the
/// files once, and at no more than the head of the prepared data.
std::optional<PreparedSizes> prepared_sizes(const DataOptions& options);

/// Whether prepare_dataset() would find these options prepared.
bool is_prepared(const DataOptions& options);

/// What a report (the content of report.json) says of the graph, as text for a terminal; empty when there
/// is none.
std::string format_graph(const std::string& report);

/// The report of a data set as text for a terminal.
std::string format_report(const Dataset& dataset);

}  // namespace reckon
