#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/diagnostics.h"
#include "serving/requests.h"

// Any bytes are a request, or a DataError; what was read can be answered in one line.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  reckon::split_ids(text);
  try {
    const auto request = reckon::parse_request(text, {}, "fuzz", 1);
    if (request.k < 1) std::abort();
    reckon::Recommendation answer;
    answer.unknown = request.history;
    answer.items.push_back({.id = request.id, .score = 0.5, .columns = {{"title", request.id}}});
    if (reckon::to_json_line(answer).find('\n') != std::string::npos) std::abort();
    reckon::to_table(answer);
  } catch (const reckon::DataError&) {
  }
  return 0;
}
