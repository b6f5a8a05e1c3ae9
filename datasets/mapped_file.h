#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace reckon {

/// A file mapped into memory, private to this process: writing through it never reaches the disk.
///
/// Copies share the mapping, which lives as long as the last of them.
class MappedFile {
 public:
  MappedFile() = default;
  /// Throws DataError with the system's reason when the file cannot be read.
  explicit MappedFile(const std::string& path);

  std::string_view bytes() const { return {data_.get(), size_}; }
  const std::shared_ptr<char>& data() const { return data_; }

 private:
  std::shared_ptr<char> data_;
  size_t size_ = 0;
};

}  // namespace reckon
