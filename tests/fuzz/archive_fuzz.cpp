#include <cstdint>
#include <cstdlib>

#include "core/diagnostics.h"
#include "export/archive.h"

// Any bytes are an exported file, or a DataError.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    if (reckon::check_archive("fuzz", data, size).records.empty()) std::abort();
  } catch (const reckon::DataError&) {
  }
  return 0;
}
