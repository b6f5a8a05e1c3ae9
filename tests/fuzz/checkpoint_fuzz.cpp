#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <string_view>

#include "core/diagnostics.h"
#include "core/files.h"
#include "training/checkpoint_format.h"

namespace reckon {
namespace {

// Where the fixed part has them (see CheckpointContent): lengths of the file and of the head, its hash.
constexpr size_t kSizeAt = 16, kHeadSizeAt = 24, kHeadHashAt = 32, kFixedSize = 40;

void check_read(std::string_view bytes) {
  try {
    std::set<std::string> names;
    const char* begin = bytes.data();
    for (const auto& tensor : parse_checkpoint(bytes, "fuzz").tensors) {
      uint64_t numbers = 1;
      for (const auto extent : tensor.shape) {
        if (extent < 0) std::abort();
        numbers *= static_cast<uint64_t>(extent);
      }
      if (tensor.bytes.size() != numbers * static_cast<uint64_t>(size_of(tensor.type)))
        std::abort();
      if (!names.insert(tensor.name).second) std::abort();
      // One behind the other: no two share bytes.
      if (tensor.bytes.data() < begin) std::abort();
      begin = tensor.bytes.data() + tensor.bytes.size();
      unsigned sum = 0;
      for (const char byte : tensor.bytes) sum += static_cast<unsigned char>(byte);
      if (sum == 1234567891U) std::abort();  // reads every byte
    }
    if (begin > bytes.data() + bytes.size()) std::abort();
  } catch (const DataError&) {
  }
}

uint64_t number_at(const std::string& bytes, uint64_t at, size_t size = sizeof(uint64_t)) {
  uint64_t value = 0;
  std::memcpy(&value, bytes.data() + at, size);
  return value;
}

void put(std::string& bytes, uint64_t at, uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

// Gives each tensor whose record lies within the head the hash of what the record names.
void correct_tensors(std::string& bytes, uint64_t head_size) {
  const uint64_t end = kFixedSize + head_size;
  uint64_t at = kFixedSize;
  const auto skip = [&](uint64_t count) { return count <= end - at ? (at += count, true) : false; };
  const auto skip_text = [&] { return end - at >= 8 && skip(8) && skip(number_at(bytes, at - 8)); };
  if (!skip_text()) return;
  while (skip_text() && skip(2)) {
    const auto type = static_cast<StoredType>(number_at(bytes, at - 2, 1));
    const uint64_t rank = number_at(bytes, at - 1, 1);
    uint64_t count = static_cast<uint64_t>(size_of(type));
    for (uint64_t d = 0; d < rank; ++d) {
      if (!skip(8)) return;
      count *= number_at(bytes, at - 8);
    }
    if (!skip(16)) return;
    const uint64_t offset = number_at(bytes, at - 16);
    if (offset <= bytes.size())
      put(bytes, at - 8, hash64(std::string_view(bytes).substr(offset, count)));
  }
}

// The same input with lengths and hashes that agree, since nobody guesses a hash: only so is read what
// stands behind them.
std::string corrected(std::string_view input) {
  std::string bytes(input);
  const uint64_t rest = bytes.size() - kFixedSize;
  uint64_t head_size = number_at(bytes, kHeadSizeAt);
  if (head_size > rest) head_size = rest == 0 ? 0 : head_size % rest;
  correct_tensors(bytes, head_size);
  put(bytes, kSizeAt, bytes.size());
  put(bytes, kHeadSizeAt, head_size);
  put(bytes, kHeadHashAt, hash64(std::string_view(bytes).substr(kFixedSize, head_size)));
  return bytes;
}

}  // namespace
}  // namespace reckon

/// Any bytes are a checkpoint whose tensors lie within them, or a DataError; also when all lengths and
/// hashes are right.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reckon;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_read(bytes);
  if (size >= kFixedSize) check_read(corrected(bytes));
  return 0;
}
