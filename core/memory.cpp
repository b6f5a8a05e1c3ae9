#include "core/memory.h"

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

}  // namespace reckon
