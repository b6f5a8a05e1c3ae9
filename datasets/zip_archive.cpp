#include "datasets/zip_archive.h"

#include <zlib.h>

#include <algorithm>

#include "core/diagnostics.h"
#include "core/files.h"

namespace reckon {

namespace {

// Sizes and signatures of the three records that are read (APPNOTE 4.3.7, 4.3.12, 4.3.16).
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint64_t kLocalSize = 30;
constexpr uint64_t kCentralSize = 46;
constexpr uint64_t kEndSize = 22;
constexpr uint64_t kMaxComment = 0xffff;

constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
constexpr uint16_t kEncrypted = 1;

/// Unpacks a raw deflate stream. Grows as bytes come, so that a lying size costs no memory.
/// Returns false when the stream is damaged or does not have exactly `size` bytes.
bool inflate_raw(std::string_view packed, uint64_t size, std::string& out) {
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  int status = Z_OK;
  constexpr uint64_t kBlock = 1 << 20;
  while (status == Z_OK && out.size() <= size) {
    const auto done = out.size();
    out.resize(std::min(size + 1, done + kBlock));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    stream.avail_out = static_cast<uInt>(out.size() - done);
    status = inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
    if (status == Z_OK && stream.avail_in == 0 && stream.avail_out > 0) break;
  }
  inflateEnd(&stream);
  return status == Z_STREAM_END && out.size() == size;
}

}  // namespace

ZipArchive::ZipArchive(std::string path, std::string bytes)
    : path_(std::move(path)), bytes_(std::move(bytes)) {
  if (bytes_.size() < kEndSize) fail("is not a zip file: too short");
  // The end record is the last thing but for a comment of unknown length.
  const uint64_t last = bytes_.size() - kEndSize;
  const uint64_t first = last > kMaxComment ? last - kMaxComment : 0;
  uint64_t end = last;
  while (number(end, 4) != kEndSignature) {
    if (end == first) fail("is not a zip file: it has no end record");
    --end;
  }
  const auto count = number(end + 10, 2);
  uint64_t offset = number(end + 16, 4);
  for (uint32_t i = 0; i < count; ++i) {
    if (number(offset, 4) != kCentralSignature) fail("has a damaged list of entries");
    Entry entry;
    entry.flags = static_cast<uint16_t>(number(offset + 8, 2));
    entry.method = static_cast<uint16_t>(number(offset + 10, 2));
    entry.crc = number(offset + 16, 4);
    entry.packed_size = number(offset + 20, 4);
    entry.size = number(offset + 24, 4);
    entry.offset = number(offset + 42, 4);
    const uint64_t name_size = number(offset + 28, 2);
    entry.name = slice(offset + kCentralSize, name_size);
    offset += kCentralSize + name_size + number(offset + 30, 2) + number(offset + 32, 2);
    entries_.push_back(std::move(entry));
  }
}

ZipArchive ZipArchive::open(const std::string& path) { return {path, read_file(path)}; }

std::vector<std::string> ZipArchive::names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const auto& entry : entries_) names.push_back(entry.name);
  return names;
}

std::string ZipArchive::read(std::string_view name, uint64_t max_size) const {
  const auto* entry = find(name);
  if (!entry) fail("has no entry '" + std::string(name) + "'");
  const auto quoted = "entry '" + entry->name + "' ";
  if (entry->flags & kEncrypted) fail(quoted + "is encrypted");
  if (entry->size > max_size)
    fail(quoted + "has " + std::to_string(entry->size) + " bytes, more than the " +
         std::to_string(max_size) + " allowed");
  if (number(entry->offset, 4) != kLocalSignature) fail(quoted + "is damaged: no header");
  const uint64_t data = entry->offset + kLocalSize + number(entry->offset + 26ULL, 2) +
                        number(entry->offset + 28ULL, 2);
  const auto packed = slice(data, entry->packed_size);
  std::string bytes;
  if (entry->method == kStored) {
    bytes = packed;
  } else if (entry->method != kDeflated) {
    fail(quoted + "is packed by method " + std::to_string(entry->method) +
         "; stored (0) and deflated (8) are known");
  } else if (!inflate_raw(packed, entry->size, bytes)) {
    fail(quoted + "is damaged: it does not unpack");
  }
  const auto* start = reinterpret_cast<const Bytef*>(bytes.data());
  if (crc32(crc32(0, nullptr, 0), start, static_cast<uInt>(bytes.size())) != entry->crc)
    fail(quoted + "is damaged: its checksum differs");
  return bytes;
}

const ZipArchive::Entry* ZipArchive::find(std::string_view name) const {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [name](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

void ZipArchive::fail(const std::string& message) const { throw DataError(path_, 0, message); }

uint32_t ZipArchive::number(uint64_t offset, int width) const {
  const auto bytes = slice(offset, static_cast<uint64_t>(width));
  uint32_t value = 0;
  for (int i = width; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

std::string_view ZipArchive::slice(uint64_t offset, uint64_t size) const {
  if (offset > bytes_.size() || size > bytes_.size() - offset)
    fail("is damaged: it ends in the middle");
  return std::string_view(bytes_).substr(offset, size);
}

}  // namespace reckon
