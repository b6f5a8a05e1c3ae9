#include "core/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
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

// Paths of temporary files, for a signal handler: memory that nobody frees, and no locks.
struct Slot {
  enum State { kFree, kTaken, kReady };

  std::atomic<int> state{kFree};
  char path[PATH_MAX] = {};
};
constexpr int kNumSlots = 16;
std::array<Slot, kNumSlots> slots;
static_assert(std::atomic<int>::is_always_lock_free, "signal handlers must not wait");

// With all slots taken a file is merely not removed at a signal.
int take_slot(const std::string& path) {
  if (path.size() >= PATH_MAX) return -1;
  for (int i = 0; i < kNumSlots; ++i) {
    int expected = Slot::kFree;
    if (!slots[i].state.compare_exchange_strong(expected, Slot::kTaken)) continue;
    std::memcpy(slots[i].path, path.c_str(), path.size() + 1);
    slots[i].state = Slot::kReady;
    return i;
  }
  return -1;
}

void free_slot(int slot) {
  if (slot >= 0) slots[slot].state = Slot::kFree;
}

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
  struct stat status{};
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
  slot_ = take_slot(temporary_path_);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_path_.c_str());
  free_slot(slot_);
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
  free_slot(slot_);
  // The rename itself must reach the disk; some file systems cannot sync folders, which is no error.
  const Descriptor folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.number() >= 0 && ::fsync(folder.number()) != 0 && errno != EINVAL && errno != ENOTSUP)
    fail("its folder cannot be synced");
}

void remove_temporary_files() noexcept {
  for (auto& slot : slots)
    if (slot.state == Slot::kReady) ::unlink(slot.path);
}

void check_can_write(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode))
    throw DataError(path, 0, "cannot be written: it is a folder", "give the name of a file in it");
  const auto folder = folder_of(path);
  if (::stat(folder.c_str(), &status) != 0)
    throw DataError(path, 0, "cannot be written: its folder " + folder + " is not there",
                    "make it first");
  if (!S_ISDIR(status.st_mode))
    throw DataError(path, 0, "cannot be written: " + folder + " is no folder");
  if (::access(folder.c_str(), W_OK | X_OK) != 0)
    throw DataError(path, 0,
                    "cannot be written: its folder " + folder + " does not allow it: " + reason());
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
