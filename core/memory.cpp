#include "core/memory.h"

#include <malloc.h>

#include <fstream>
#include <string>

namespace reckon {

std::optional<int64_t> available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  int64_t kibibytes = 0;
  while (file >> key >> kibibytes) {
    if (key == "MemAvailable:") return kibibytes * 1024;
    std::getline(file, unit);
  }
  return std::nullopt;
}

void tune_allocator() {
  mallopt(M_MMAP_MAX, 0);         // large tensors come from the heap, whose pages are kept
  mallopt(M_TRIM_THRESHOLD, -1);  // and are not given back between two steps
  mallopt(M_TOP_PAD, 64 << 20);   // and the heap grows in few large pieces
}

void give_back_memory() { malloc_trim(0); }

}  // namespace reckon
