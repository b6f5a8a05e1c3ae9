#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace reckon {

/// Types of the numbers in a stored tensor. The values stand in files and never change their meaning.
enum class StoredType : uint8_t {
  kFloat32 = 1,
  kFloat64 = 2,
  kFloat16 = 3,
  kBFloat16 = 4,
  kInt8 = 5,
  kInt16 = 6,
  kInt32 = 7,
  kInt64 = 8,
  kUInt8 = 9,
  kBool = 10,
};

/// Bytes of one number.
int64_t size_of(StoredType type);

/// A dense array as it lies in a checkpoint: row-major, little-endian.
struct StoredTensor {
  std::string name;
  StoredType type = StoredType::kFloat32;
  std::vector<int64_t> shape;
  std::string_view bytes;  ///< The numbers; a view into memory that somebody else holds.
};

/// What a checkpoint file holds: a JSON text and named arrays, nothing that could be executed.
///
/// Layout, little-endian: 8 bytes "reckonCK"; uint32 version; uint32 number of tensors; uint64 length
/// of the whole file; uint64 length of the head; uint64 hash of the head; the head; then the data of
/// each tensor, from a multiple of 64 on. The head is the JSON text and a record for each tensor,
/// every text with its length (uint64) before it: name, type (uint8), rank (uint8), shape (int64
/// each), offset (uint64) from the beginning of the file, hash of its data (uint64).
struct CheckpointContent {
  static constexpr uint32_t kVersion = 1;

  std::string json;
  std::vector<StoredTensor> tensors;
};

/// Writes a checkpoint as a whole: after a crash at any moment, the old file or the new one is there.
/// Throws   DataError when it cannot be written; std::invalid_argument when a tensor's bytes do not
///          fit its shape or a name stands twice.
void write_checkpoint(const std::string& path, const CheckpointContent& content);

/// Reads the bytes of a checkpoint file; `path` is for messages. Tensors are views into `bytes`.
/// Throws   DataError saying whether it is foreign, of another version, truncated or damaged, and
///          where.
CheckpointContent parse_checkpoint(std::string_view bytes, const std::string& path);

}  // namespace reckon
