#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace reckon {

/// What a run logged of one epoch.
struct CurveEpoch {
  int64_t epoch = 0;
  double loss = 0.0;  ///< NaN when nothing was minimised.
  double lr = 0.0;
  std::map<std::string, double> validation;  ///< Empty when it was not validated.
};

/// The epochs of a metrics.jsonl, ascending; of an epoch that was logged twice, as one that a resumed
/// run made whole, the last line counts. A last line without an end is left out: a run that was killed
/// leaves one. No file, no epochs.
///
/// Throws   DataError with the line when another line is no JSON of a run.
std::vector<CurveEpoch> read_training_curve(const std::string& path);

}  // namespace reckon
