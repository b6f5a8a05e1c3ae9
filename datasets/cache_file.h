#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "datasets/mapped_file.h"

namespace reckon {

/// Writes a file of named sections of bytes, each with its checksum.
///
/// The file begins and ends with a mark, and the table of sections stands at its end: a file that
/// broke off has no end mark, one that was changed has a wrong sum.
class SectionWriter {
 public:
  explicit SectionWriter(AtomicFile& file);

  void add(const std::string& name, std::string_view bytes);
  void finish();

 private:
  struct Section {
    std::string name;
    uint64_t offset, size, checksum;
  };

  void write(std::string_view bytes);

  AtomicFile& file_;
  uint64_t position_ = 0;
  std::vector<Section> sections_;
};

/// Reads such a file through a memory map.
class SectionReader {
 public:
  /// When the checksum of a section is looked at.
  enum class Check { kAll, kWhenRead };

  /// Throws DataError when the file is missing, is of another kind or version, broke off, or a
  /// checksum is wrong.
  explicit SectionReader(const std::string& path, Check check = Check::kAll);

  bool has(const std::string& name) const { return sections_.count(name) != 0; }

  /// Throws DataError when there is no such section, or it is damaged.
  std::string_view at(const std::string& name) const;

  const MappedFile& file() const { return file_; }

 private:
  struct Section {
    std::string_view bytes;
    uint64_t checksum;
  };

  void require_whole(const std::string& name, const Section& section) const;

  std::string path_;
  MappedFile file_;
  Check check_;
  std::map<std::string, Section> sections_;
};

}  // namespace reckon
