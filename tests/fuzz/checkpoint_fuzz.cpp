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
    for (const auto& tensor : parse_checkpoint(bytes, "fuzz").tensors) {
      uint64_t numbers = 1;
      for (const auto extent : tensor.shape) numbers *= static_cast<uint64_t>(extent);
      if (tensor.bytes.size() != numbers * static_cast<uint64_t>(size_of(tensor.type))) std::abort();
      if (!names.insert(tensor.name).second) std::abort();
      unsigned sum = 0;
      for (const char byte : tensor.bytes) sum += static_cast<unsigned char>(byte);
      if (sum == 1234567891U) std::abort();  // reads every byte
    }
  } catch (const DataError&) {
  }
}

void put(std::string& bytes, size_t at, uint64_t value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

// The same input with lengths and checksum that agree, since nobody guesses a hash: only so is what the
// head says of the tensors ever read.
std::string with_head_that_agrees(std::string_view input) {
  std::string bytes(input);
  uint64_t head_size = 0;
  std::memcpy(&head_size, bytes.data() + kHeadSizeAt, sizeof(head_size));
  const uint64_t rest = bytes.size() - kFixedSize;
  if (head_size > rest) head_size = rest == 0 ? 0 : head_size % rest;
  put(bytes, kSizeAt, bytes.size());
  put(bytes, kHeadSizeAt, head_size);
  put(bytes, kHeadHashAt, hash64(std::string_view(bytes).substr(kFixedSize, head_size)));
  return bytes;
}

}  // namespace
}  // namespace reckon

/// Any bytes are a checkpoint whose tensors lie within them, or a DataError; also when lengths and
/// checksum of the head are right.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reckon;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_read(bytes);
  if (size >= kFixedSize) check_read(with_head_that_agrees(bytes));
  return 0;
}
