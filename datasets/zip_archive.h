#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reckon {

/// Reads a zip file (wheels are zip files too): stored and deflated entries, each checked against its
/// CRC. Encrypted entries and archives beyond 4 GiB are refused.
class ZipArchive {
 public:
  /// `path` is only what errors name.   Throws   DataError when these are not the bytes of a zip file.
  ZipArchive(std::string path, std::string bytes);
  /// Throws   DataError when the file cannot be read.
  static ZipArchive open(const std::string& path);

  bool contains(std::string_view name) const { return find(name) != nullptr; }
  std::vector<std::string> names() const;

  /// The unpacked bytes of an entry.
  /// Throws   DataError when it is missing, damaged, or larger than `max_size` bytes.
  std::string read(std::string_view name, uint64_t max_size = 1ULL << 30) const;

 private:
  struct Entry {
    std::string name;
    uint16_t flags = 0;
    uint16_t method = 0;
    uint32_t crc = 0;
    uint32_t packed_size = 0;
    uint32_t size = 0;
    uint32_t offset = 0;
  };

  const Entry* find(std::string_view name) const;
  [[noreturn]] void fail(const std::string& message) const;
  /// The little-endian number of `width` bytes at `offset`, which must lie inside.
  uint32_t number(uint64_t offset, int width) const;
  std::string_view slice(uint64_t offset, uint64_t size) const;

  std::string path_;
  std::string bytes_;
  std::vector<Entry> entries_;
};

}  // namespace reckon
