#include "cli/error_text.h"

#include <charconv>
#include <new>
#include <optional>

#include "core/format.h"

namespace reckon {
namespace {

// The message of c10::Error without the C++ backtrace that what() appends.
std::string first_part(const std::string& what) {
  for (const char* mark : {"\nException raised from", "\nframe #0"}) {
    const auto end = what.find(mark);
    if (end != std::string::npos) return what.substr(0, end);
  }
  return what;
}

// How much LibTorch's allocators say that they could not get: a number of bytes on a CPU, already in
// words on a GPU. Nothing when the message is about something else.
std::optional<std::string> memory_asked_for(const std::string& what) {
  const std::string on_cpu = "you tried to allocate ";
  if (const auto at = what.find(on_cpu); at != std::string::npos) {
    const char* begin = what.data() + at + on_cpu.size();
    int64_t bytes = 0;
    const auto [end, error] = std::from_chars(begin, what.data() + what.size(), bytes);
    return error == std::errc() && end != begin ? format_bytes(bytes) : "too much";
  }
  const std::string on_gpu = "Tried to allocate ";
  const auto at = what.find(on_gpu);
  if (what.find("out of memory") == std::string::npos || at == std::string::npos)
    return std::nullopt;
  const auto begin = at + on_gpu.size();
  return what.substr(begin, what.find("iB", begin) + 2 - begin);
}

}  // namespace

std::string error_text(const std::exception& error) {
  const std::string what = first_part(error.what());
  const auto asked_for = memory_asked_for(what);
  if (!asked_for && dynamic_cast<const std::bad_alloc*>(&error) == nullptr) return what;
  return "out of memory" +
         (asked_for ? ": " + *asked_for + " were asked for at once" : std::string()) +
         "; what a step needs grows with training.batch_size, the length of histories and the "
         "number of "
         "negatives, and `reckon check FILE` estimates what the model itself takes";
}

}  // namespace reckon
