#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace reckon {

/// The bytes of a file.   Throws   DataError with the system's reason.
std::string read_file(const std::string& path);

/// A file that appears whole or not at all: bytes go to a temporary file in the same folder, and
/// commit() syncs it, renames it into place and syncs the folder. Without commit() nothing stays.
class AtomicFile {
 public:
  /// Throws   DataError when the folder cannot be written to.
  explicit AtomicFile(std::string path);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  /// Throws   DataError, as when the disk is full.
  void write(std::string_view bytes);
  void commit();

  /// Where the bytes are before commit(), for writers that want a path of their own.
  const std::string& temporary_path() const { return temporary_path_; }

 private:
  [[noreturn]] void fail(const std::string& what) const;

  std::string path_;
  std::string temporary_path_;
  int descriptor_ = -1;
  int slot_ = -1;  // of the list for remove_temporary_files()
};

/// Unlinks the temporary files of all AtomicFiles that are not committed. Safe in a signal handler.
void remove_temporary_files() noexcept;

/// Looks now whether a file could be put at `path`, so that nobody works for it in vain.
/// Throws   DataError when a folder stands there, or its own folder is missing or not to be written to.
void check_can_write(const std::string& path);

/// Replaces a file as a whole: after a crash at any moment the old or the new content is there.
/// Throws   DataError; the old file then stays as it was.
void write_file_atomic(const std::string& path, std::string_view bytes);
/// The same with a callback that writes; when it throws, nothing has changed.
void write_file_atomic(const std::string& path, const std::function<void(AtomicFile&)>& write);

/// The SHA-256 digest as 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);
/// Throws   DataError when the file cannot be read.
std::string sha256_file(const std::string& path);

/// A fast 64-bit hash, to notice changes; not against adversaries.
uint64_t hash64(std::string_view bytes, uint64_t seed = 0);

}  // namespace reckon
