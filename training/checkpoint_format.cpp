#include "training/checkpoint_format.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <stdexcept>

#include "core/diagnostics.h"
#include "core/files.h"

namespace reckon {

namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints are little-endian");

constexpr std::string_view kMagic = "reckonCK";
constexpr uint64_t kFixedSize = kMagic.size() + 2 * sizeof(uint32_t) + 3 * sizeof(uint64_t);
constexpr uint64_t kAlignment = 64;
constexpr uint64_t kMaxRank = 16;

uint64_t aligned(uint64_t offset) { return (offset + kAlignment - 1) / kAlignment * kAlignment; }

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(std::string& out, const std::string& text) {
  put<uint64_t>(out, text.size());
  out += text;
}

/// The number of bytes that a shape needs, or none when that is beyond all files.
bool byte_count(StoredType type, const std::vector<int64_t>& shape, uint64_t& bytes) {
  bytes = static_cast<uint64_t>(size_of(type));
  bool is_empty = false;
  for (const int64_t extent : shape) {
    if (extent < 0) return false;
    if (extent == 0) {
      is_empty = true;
      continue;
    }
    if (bytes > std::numeric_limits<uint64_t>::max() / static_cast<uint64_t>(extent)) return false;
    bytes *= static_cast<uint64_t>(extent);
  }
  if (is_empty) bytes = 0;
  return true;
}

/// Reads forward through bytes, and never beyond them.
class Reader {
 public:
  Reader(std::string_view bytes, const std::string& path) : rest_(bytes), path_(path) {}

  template <class T>
  T take() {
    T value;
    const auto bytes = take_bytes(sizeof(value));
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  std::string_view take_bytes(uint64_t count) {
    if (count > rest_.size())
      throw DataError(path_, 0, "the checkpoint's head is damaged: it ends too early");
    const auto taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string take_text() { return std::string(take_bytes(take<uint64_t>())); }
  bool is_at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  const std::string& path_;
};

}  // namespace

int64_t size_of(StoredType type) {
  switch (type) {
    case StoredType::kFloat64:
    case StoredType::kInt64:
      return 8;
    case StoredType::kFloat32:
    case StoredType::kInt32:
      return 4;
    case StoredType::kFloat16:
    case StoredType::kBFloat16:
    case StoredType::kInt16:
      return 2;
    case StoredType::kInt8:
    case StoredType::kUInt8:
    case StoredType::kBool:
      return 1;
  }
  return 0;
}

void write_checkpoint(const std::string& path, const CheckpointContent& content) {
  // Offsets stand in the head and begin after it, so its length is counted first.
  uint64_t head_size = sizeof(uint64_t) + content.json.size();
  std::set<std::string> names;
  for (const auto& tensor : content.tensors) {
    uint64_t bytes = 0;
    if (tensor.shape.size() > kMaxRank || !byte_count(tensor.type, tensor.shape, bytes) ||
        bytes != tensor.bytes.size())
      throw std::invalid_argument("write_checkpoint: the bytes of `" + tensor.name +
                                  "` do not fit its shape");
    if (!names.insert(tensor.name).second)
      throw std::invalid_argument("write_checkpoint: `" + tensor.name + "` stands twice");
    head_size += sizeof(uint64_t) + tensor.name.size() + 2 * sizeof(uint8_t) +
                 tensor.shape.size() * sizeof(int64_t) + 2 * sizeof(uint64_t);
  }
  std::string head;
  head.reserve(head_size);
  put_text(head, content.json);
  uint64_t end = kFixedSize + head_size;
  std::vector<uint64_t> offsets;
  for (const auto& tensor : content.tensors) {
    offsets.push_back(aligned(end));
    end = offsets.back() + tensor.bytes.size();
    put_text(head, tensor.name);
    put(head, static_cast<uint8_t>(tensor.type));
    put(head, static_cast<uint8_t>(tensor.shape.size()));
    for (const int64_t extent : tensor.shape) put(head, extent);
    put(head, offsets.back());
    put(head, hash64(tensor.bytes));
  }

  std::string begin(kMagic);
  put(begin, CheckpointContent::kVersion);
  put(begin, static_cast<uint32_t>(content.tensors.size()));
  put(begin, end);
  put(begin, head_size);
  put(begin, hash64(head));
  write_file_atomic(path, [&](AtomicFile& file) {
    file.write(begin);
    file.write(head);
    uint64_t position = kFixedSize + head_size;
    for (size_t i = 0; i < offsets.size(); ++i) {
      file.write(std::string(offsets[i] - position, '\0'));
      file.write(content.tensors[i].bytes);
      position = offsets[i] + content.tensors[i].bytes.size();
    }
  });
}

CheckpointContent parse_checkpoint(std::string_view bytes, const std::string& path) {
  const auto magic = bytes.substr(0, kMagic.size());
  if (magic != kMagic.substr(0, magic.size()) || bytes.empty())
    throw DataError(path, 0, "this is no checkpoint of reckon: it does not begin like one");
  if (bytes.size() < kFixedSize)
    throw DataError(path, 0,
                    "the checkpoint is truncated: it has only " + std::to_string(bytes.size()) +
                        " bytes");
  Reader fixed(bytes.substr(kMagic.size(), kFixedSize - kMagic.size()), path);
  const auto version = fixed.take<uint32_t>();
  if (version != CheckpointContent::kVersion)
    throw DataError(path, 0,
                    "the checkpoint has format version " + std::to_string(version) +
                        "; this program reads version " +
                        std::to_string(CheckpointContent::kVersion));
  const auto num_tensors = fixed.take<uint32_t>();
  const auto size = fixed.take<uint64_t>();
  const auto head_size = fixed.take<uint64_t>();
  const auto head_hash = fixed.take<uint64_t>();
  if (bytes.size() < size)
    throw DataError(path, 0,
                    "the checkpoint is truncated: expected " + std::to_string(size) +
                        " bytes, found " + std::to_string(bytes.size()));
  if (bytes.size() > size)
    throw DataError(path, 0,
                    "the checkpoint is damaged: expected " + std::to_string(size) +
                        " bytes, found " + std::to_string(bytes.size()));
  if (head_size > size - kFixedSize)
    throw DataError(path, 0, "the checkpoint's head is damaged: its length is beyond the file");
  const auto head_bytes = bytes.substr(kFixedSize, head_size);
  if (hash64(head_bytes) != head_hash)
    throw DataError(path, 0, "the checkpoint's head is damaged: its checksum differs");

  Reader head(head_bytes, path);
  CheckpointContent content;
  content.json = head.take_text();
  std::set<std::string> names;
  uint64_t previous_end = kFixedSize + head_size;
  for (uint32_t t = 0; t < num_tensors; ++t) {
    StoredTensor tensor;
    tensor.name = head.take_text();
    tensor.type = static_cast<StoredType>(head.take<uint8_t>());
    const auto rank = head.take<uint8_t>();
    for (uint8_t d = 0; d < std::min<uint64_t>(rank, kMaxRank); ++d)
      tensor.shape.push_back(head.take<int64_t>());
    const auto offset = head.take<uint64_t>();
    const auto hash = head.take<uint64_t>();
    const auto refuse = [&](const std::string& why) {
      throw DataError(path, 0, "tensor `" + tensor.name + "` of the checkpoint is damaged: " + why);
    };
    uint64_t count = 0;
    if (size_of(tensor.type) == 0 || rank > kMaxRank ||
        !byte_count(tensor.type, tensor.shape, count))
      refuse("its type or shape is none");
    // Data lies in order, so that no two tensors share bytes.
    if (offset < previous_end || offset > size || count > size - offset)
      refuse("its data is outside of the file");
    if (!names.insert(tensor.name).second) refuse("its name stands twice");
    tensor.bytes = bytes.substr(offset, count);
    if (hash64(tensor.bytes) != hash) refuse("its checksum differs");
    previous_end = offset + count;
    content.tensors.push_back(std::move(tensor));
  }
  if (!head.is_at_end() || previous_end != size)
    throw DataError(path, 0, "the checkpoint is damaged: something is left over");
  return content;
}

}  // namespace reckon
