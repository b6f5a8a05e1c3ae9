#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/data_options.h"
#include "datasets/id_map.h"

namespace reckon {

/// The files of a data set that hold interactions.
enum class Origin : uint8_t { kInteractions = 0, kValidation = 1, kTest = 2 };

/// Interactions as they are read: in file order, with ids in order of first appearance.
///
/// A column that the files do not have is empty; the others have one value for each row.
struct Rows {
  IdMap users;
  IdMap items;
  std::vector<int32_t> user;
  std::vector<int32_t> item;
  std::vector<float> label;
  std::vector<int64_t> time;
  int64_t time_scale = 1;  ///< How many of `time` make a second, or a unit of the file.
  std::vector<float> weight;
  std::vector<uint8_t> event;
  std::vector<uint8_t> origin;  ///< Values of Origin.
  std::vector<std::string> event_names;

  size_t size() const { return user.size(); }
  bool has_labels() const { return !label.empty(); }
  bool has_times() const { return !time.empty(); }
};

/// What one step of the preparation took away.
struct CleaningStep {
  std::string name;
  int64_t removed = 0;
  std::string detail;  ///< Where and why, for a person; may be empty.
};

/// Rows read and what was removed while reading.
struct ReadResult {
  Rows rows;
  int64_t num_read = 0;  ///< Rows that the files hold, the malformed ones included.
  std::vector<CleaningStep> steps;
};

/// Reads all interaction files and applies the cleaning that looks at one row alone: malformed rows,
/// missing values, event kinds, value filters, time range, rating threshold.
/// Throws DataError when a file cannot be read, or holds what the options do not forgive.
ReadResult read_interactions(const DataOptions& options, int num_threads = 2);

/// The same for text in memory, read as the first file of `options.files.interactions` says (of the
/// formats `sequences` and `delimited`).
ReadResult read_interactions_text(const DataOptions& options, std::string_view text);

}  // namespace reckon
