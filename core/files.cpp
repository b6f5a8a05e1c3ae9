#include "core/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/diagnostics.h"

namespace reckon {

namespace {

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }

 private:
  int number_;
};

std::string reason() { return std::strerror(errno); }

std::string folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

std::string read_file(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0) throw DataError(path, 0, "cannot be read: " + reason());
  constexpr size_t kBlock = 1 << 16;
  std::string bytes;
  struct stat status {};
  if (::fstat(file.number(), &status) == 0 && status.st_size > 0)
    bytes.reserve(static_cast<size_t>(status.st_size) + 1);
  for (;;) {
    const auto old_size = bytes.size();
    bytes.resize(old_size + kBlock);
    const auto got = ::read(file.number(), bytes.data() + old_size, kBlock);
    bytes.resize(old_size + static_cast<size_t>(got > 0 ? got : 0));
    if (got == 0) return bytes;
    if (got < 0 && errno != EINTR) throw DataError(path, 0, "cannot be read: " + reason());
  }
}

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  static std::atomic<uint64_t> next{0};
  temporary_path_ = path_ + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(next++);
  descriptor_ = ::open(temporary_path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("cannot be written");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_path_.c_str());
}

void AtomicFile::fail(const std::string& what) const {
  throw DataError(path_, 0, what + ": " + reason());
}

void AtomicFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot be written");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void AtomicFile::commit() {
  // Opened anew: a writer with a path of its own may have replaced the file that is open here.
  const Descriptor current(::open(temporary_path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (current.number() < 0 || ::fsync(current.number()) != 0) fail("cannot be synced");
  if (::rename(temporary_path_.c_str(), path_.c_str()) != 0) fail("cannot be renamed into place");
  ::close(descriptor_);
  descriptor_ = -1;
  // The rename itself must reach the disk; some file systems cannot sync folders, which is no error.
  const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.number() >= 0 && ::fsync(folder.number()) != 0 && errno != EINVAL && errno != ENOTSUP)
    fail("its folder cannot be synced");
}

void write_file_atomic(const std::string& path, std::string_view bytes) {
  write_file_atomic(path, [&](AtomicFile& file) { file.write(bytes); });
}

void write_file_atomic(const std::string& path, const std::function<void(AtomicFile&)>& write) {
  AtomicFile file(path);
  write(file);
  file.commit();
}

}  // namespace reckon
