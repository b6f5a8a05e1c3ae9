#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reckon {

/// Writes an event file that TensorBoard shows: scalars by tag over steps.
///
/// Records are TFRecords (length, its masked CRC-32C, data, its masked CRC-32C) of `Event` messages
/// in protocol-buffer encoding; both formats are written here, as they are small.
class EventWriter {
 public:
  /// Begins a file of its own in `directory`. Events of earlier files from `first_step` on are void,
  /// which is how a resumed run takes back what it will do again.
  /// Throws   DataError when the file cannot be written.
  EventWriter(const std::string& directory, int64_t first_step);

  void add(int64_t step, const std::vector<std::pair<std::string, double>>& scalars);

  const std::string& path() const { return path_; }

 private:
  void write(const std::string& event);

  std::string path_;
  std::ofstream file_;
};

/// CRC-32C (Castagnoli), as RFC 3720 defines it.
uint32_t crc32c(std::string_view bytes);

/// A record as it stands in the file.
std::string tf_record(std::string_view data);

/// An Event message: wall time in seconds, step, and scalars.
std::string scalar_event(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, double>>& scalars);

}  // namespace reckon
