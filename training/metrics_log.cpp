#include "training/metrics_log.h"

#include <filesystem>

#include "core/diagnostics.h"
#include "core/files.h"

namespace reckon {

MetricsLog::MetricsLog(const std::string& path, int64_t keep_lines) : path_(path) {
  std::string kept;
  if (keep_lines > 0 && std::filesystem::exists(path)) {
    const auto text = read_file(path);
    size_t end = 0;
    while (num_lines_ < keep_lines) {
      const auto next = text.find('\n', end);
      if (next == std::string::npos) break;
      end = next + 1;
      ++num_lines_;
    }
    kept = text.substr(0, end);
  }
  write_file_atomic(path, kept);
  file_.open(path, std::ios::binary | std::ios::app);
  if (!file_) throw DataError(path, 0, "the metrics file cannot be opened for writing");
}

void MetricsLog::write(const std::string& json) {
  file_ << json << '\n';
  file_.flush();
  if (!file_) throw DataError(path_, 0, "the metrics file cannot be written");
  ++num_lines_;
}

}  // namespace reckon
