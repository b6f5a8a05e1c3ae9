#include "export/archive.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/diagnostics.h"

namespace reckon {
namespace {

// Signatures, lengths and fields of the ZIP format (APPNOTE 6.3, sections 4.3 and 4.5).
constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kEndOfDirectory = 0x06054b50;
constexpr uint32_t kEndOfDirectory64 = 0x06064b50;
constexpr uint32_t kLocator64 = 0x07064b50;
constexpr uint64_t kLocalHeaderSize = 30;
constexpr uint64_t kDirectoryEntrySize = 46;
constexpr uint64_t kEndOfDirectorySize = 22;
constexpr uint64_t kEndOfDirectory64Size = 56;
constexpr uint64_t kLocator64Size = 20;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint16_t kExtra64 = 1;
// Descriptions and program text are all that LibTorch deflates; more than this is no such record.
constexpr uint64_t kMaxDeflatedSize = uint64_t{1} << 30;
constexpr const char* kScriptRecord = "constants.pkl";

struct Entry {
  std::string name;
  uint16_t method = 0;
  uint32_t checksum = 0;
  uint64_t packed_size = 0;
  uint64_t size = 0;
  uint64_t header = 0;
  bool has_attributes = false;
};

// All records of an archive stand in one folder, named after the file it was written as.
std::string name_of(const Entry& entry) {
  const auto slash = entry.name.find('/');
  return slash == std::string::npos ? entry.name : entry.name.substr(slash + 1);
}

struct Directory {
  uint64_t begin = 0;
  uint64_t size = 0;
  uint64_t entries = 0;
};

class Reader {
 public:
  Reader(const std::string& path, const void* data, uint64_t size)
      : path_(path), data_(static_cast<const unsigned char*>(data)), size_(size) {}

  [[noreturn]] void fail(const std::string& message) const { throw DataError(path_, 0, message); }

  uint64_t size() const { return size_; }

  // Never reads outside the file, whatever its numbers say.
  std::string_view bytes(uint64_t begin, uint64_t count) const {
    if (begin > size_ || count > size_ - begin)
      fail(
          "the file is damaged: it speaks of bytes beyond its end; export the model again or copy "
          "the file again");
    return {reinterpret_cast<const char*>(data_) + begin, count};
  }

  template <class T>
  T number(uint64_t at) const {
    const auto view = bytes(at, sizeof(T));
    T value = 0;
    for (size_t i = 0; i < sizeof(T); ++i)
      value = static_cast<T>(
          value | static_cast<T>(static_cast<T>(static_cast<unsigned char>(view[i])) << (8 * i)));
    return value;
  }

 private:
  const std::string& path_;
  const unsigned char* data_;
  uint64_t size_;
};

Directory find_directory(const Reader& file) {
  if (file.size() < kEndOfDirectorySize || file.number<uint32_t>(0) != kLocalHeader)
    file.fail(
        "not an exported model: it is no TorchScript archive; expected a file that `reckon "
        "export` wrote");
  // The end record may be followed by a comment of at most 64 KiB.
  const uint64_t last = file.size() - kEndOfDirectorySize;
  const uint64_t first = last > 0xffff ? last - 0xffff : 0;
  for (uint64_t at = last + 1; at-- > first;) {
    if (file.number<uint32_t>(at) != kEndOfDirectory) continue;
    Directory out{.begin = file.number<uint32_t>(at + 16),
                  .size = file.number<uint32_t>(at + 12),
                  .entries = file.number<uint16_t>(at + 10)};
    const bool has64 =
        at >= kLocator64Size && file.number<uint32_t>(at - kLocator64Size) == kLocator64;
    if (has64) {
      const auto at64 = file.number<uint64_t>(at - kLocator64Size + 8);
      if (file.bytes(at64, kEndOfDirectory64Size).empty() ||
          file.number<uint32_t>(at64) != kEndOfDirectory64)
        file.fail("the file is damaged: its table of contents is not where it should be");
      out = {.begin = file.number<uint64_t>(at64 + 48),
             .size = file.number<uint64_t>(at64 + 40),
             .entries = file.number<uint64_t>(at64 + 32)};
    }
    return out;
  }
  file.fail(
      "the file is cut short: its table of contents, which stands at the end, is missing; "
      "export the model again or copy the file again");
}

// Sizes and places of 4 GiB and more stand in an extra field, in the order of the entry's own.
void read_extra64(const Reader& file, uint64_t begin, uint64_t size, Entry& entry) {
  const uint64_t end = begin + size;
  while (begin + 4 <= end) {
    const auto id = file.number<uint16_t>(begin);
    const auto length = file.number<uint16_t>(begin + 2);
    begin += 4;
    if (id == kExtra64) {
      uint64_t at = begin;
      for (auto* value : {&entry.size, &entry.packed_size, &entry.header}) {
        if (*value != 0xffffffff) continue;
        if (at + 8 > begin + length)
          file.fail("the file is damaged: '" + entry.name + "' has no size");
        *value = file.number<uint64_t>(at);
        at += 8;
      }
      return;
    }
    begin += length;
  }
}

std::vector<Entry> read_directory(const Reader& file) {
  const auto directory = find_directory(file);
  file.bytes(directory.begin, directory.size);
  if (directory.entries > directory.size / kDirectoryEntrySize)
    file.fail("the file is damaged: its table of contents is shorter than it says");
  std::vector<Entry> out;
  uint64_t at = directory.begin;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (file.number<uint32_t>(at) != kDirectoryEntry)
      file.fail("the file is damaged: entry " + std::to_string(i + 1) +
                " of its table of contents is none");
    Entry entry;
    entry.method = file.number<uint16_t>(at + 10);
    entry.checksum = file.number<uint32_t>(at + 16);
    entry.packed_size = file.number<uint32_t>(at + 20);
    entry.size = file.number<uint32_t>(at + 24);
    const uint64_t name_size = file.number<uint16_t>(at + 28);
    const uint64_t extra_size = file.number<uint16_t>(at + 30);
    const uint64_t comment_size = file.number<uint16_t>(at + 32);
    entry.header = file.number<uint32_t>(at + 42);
    // Disk and attributes: always zero in an archive of LibTorch, which would read others wrongly.
    entry.has_attributes =
        file.number<uint32_t>(at + 34) != 0 || file.number<uint32_t>(at + 38) != 0;
    entry.name = file.bytes(at + kDirectoryEntrySize, name_size);
    file.bytes(at + kDirectoryEntrySize + name_size, extra_size);
    read_extra64(file, at + kDirectoryEntrySize + name_size, extra_size, entry);
    at += kDirectoryEntrySize + name_size + extra_size + comment_size;
    out.push_back(std::move(entry));
  }
  // What kind of archive it is comes first: an ordinary ZIP file is whole, only not for us.
  if (std::none_of(out.begin(), out.end(),
                   [](const auto& e) { return name_of(e) == kScriptRecord; }))
    file.fail(
        "not an exported model: the archive holds no TorchScript module; expected a file that "
        "`reckon export` wrote");
  for (size_t i = 0; i < out.size(); ++i)
    if (out[i].has_attributes)
      file.fail("the file is damaged: entry " + std::to_string(i + 1) +
                " of its table of contents has unknown attributes");
  return out;
}

std::string inflated(const Reader& file, const Entry& entry, std::string_view packed) {
  if (entry.size > kMaxDeflatedSize || packed.size() > kMaxDeflatedSize)
    file.fail("the file is damaged: '" + entry.name + "' claims " + std::to_string(entry.size) +
              " bytes");
  std::string out(entry.size, '\0');
  z_stream stream{};
  // Negative window bits: raw deflate data, without a zlib header.
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
    file.fail("no memory to unpack '" + entry.name + "'");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = inflate(&stream, Z_FINISH);
  const auto written = stream.total_out;
  inflateEnd(&stream);
  if (status != Z_STREAM_END || written != entry.size)
    file.fail("the file is damaged: '" + entry.name + "' does not unpack");
  return out;
}

// The content of `entry`; `holder` owns it when it had to be unpacked.
std::string_view content(const Reader& file, const Entry& entry, std::string& holder) {
  if (file.number<uint32_t>(entry.header) != kLocalHeader)
    file.fail("the file is damaged: '" + entry.name + "' is not where the table of contents says");
  const uint64_t name_size = file.number<uint16_t>(entry.header + 26);
  const uint64_t extra_size = file.number<uint16_t>(entry.header + 28);
  const auto packed =
      file.bytes(entry.header + kLocalHeaderSize + name_size + extra_size, entry.packed_size);
  std::string_view out = packed;
  if (entry.method == kDeflated) {
    holder = inflated(file, entry, packed);
    out = holder;
  } else if (entry.method != kStored || entry.size != entry.packed_size) {
    file.fail("the file is damaged: '" + entry.name + "' is packed in an unknown way");
  }
  uLong checksum = crc32_z(0, reinterpret_cast<const Bytef*>(out.data()), out.size());
  if (checksum != entry.checksum)
    file.fail("the file is damaged: '" + entry.name +
              "' does not match its checksum; export the model again or copy the file again");
  return out;
}

// A file's bytes, mapped for reading; unmapped when it goes.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw DataError(path, 0, std::string("cannot be read: ") + std::strerror(errno));
    struct stat status{};
    const bool regular = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    if (regular && status.st_size > 0) {
      size_ = static_cast<uint64_t>(status.st_size);
      data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    }
    const int error = errno;
    ::close(file);
    if (!regular)
      throw DataError(path, 0, "is not a file; expected a model that `reckon export` wrote");
    if (data_ == MAP_FAILED)
      throw DataError(path, 0, std::string("cannot be read: ") + std::strerror(error));
  }
  ~MappedFile() {
    if (size_ > 0) ::munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const void* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace

Archive check_archive(const std::string& path, const void* data, uint64_t size) {
  const Reader file(path, data, size);
  const auto entries = read_directory(file);
  Archive out;
  out.size = size;
  bool is_ours = false;
  for (const auto& entry : entries) {
    std::string holder;
    const auto bytes = content(file, entry, holder);
    const auto name = name_of(entry);
    if (name == std::string("extra/") + kDescriptionRecord) {
      out.description = bytes;
      is_ours = true;
    }
    out.records.push_back({name, entry.size});
  }
  if (!is_ours)
    file.fail("a TorchScript module, but not of reckon: it has no record '" +
              std::string(kDescriptionRecord) + "'; expected a file that `reckon export` wrote");
  return out;
}

Archive check_archive(const std::string& path) {
  const MappedFile file(path);
  return check_archive(path, file.data(), file.size());
}

}  // namespace reckon
