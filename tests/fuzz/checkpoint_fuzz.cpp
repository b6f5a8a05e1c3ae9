#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/diagnostics.h"
#include "training/checkpoint_format.h"

// Any bytes are a checkpoint whose tensors lie within them, or a DataError.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    for (const auto& tensor : reckon::parse_checkpoint(bytes, "fuzz").tensors) {
      int64_t numbers = 1;
      for (const auto extent : tensor.shape) numbers *= extent;
      if (static_cast<int64_t>(tensor.bytes.size()) != numbers * reckon::size_of(tensor.type)) std::abort();
      unsigned sum = 0;
      for (const char byte : tensor.bytes) sum += static_cast<unsigned char>(byte);
      if (sum == 1234567891U) std::abort();  // reads every byte
    }
  } catch (const reckon::DataError&) {
  }
  return 0;
}
