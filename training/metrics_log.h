#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace reckon {

/// A file of JSON lines that only grows, but for a resumed run: it goes back to what was there at
/// its checkpoint.
class MetricsLog {
 public:
  /// Keeps the first `keep_lines` whole lines of what is there.
  /// Throws   DataError when the file cannot be written.
  MetricsLog(const std::string& path, int64_t keep_lines);

  /// `json` must hold no line break.
  void write(const std::string& json);

  int64_t num_lines() const { return num_lines_; }

 private:
  std::string path_;
  std::ofstream file_;
  int64_t num_lines_ = 0;
};

}  // namespace reckon
