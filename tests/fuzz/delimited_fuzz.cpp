#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/diagnostics.h"
#include "datasets/data_options.h"
#include "datasets/rows.h"

// Any text is interactions or a DataError, whatever the form and what is forgiven. The first byte
// chooses both, so that every path is reached from one corpus.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  reckon::FileOptions file;
  file.path = "fuzz.tsv";
  file.format = data[0] % 2 == 0 ? reckon::FileFormat::kSequences : reckon::FileFormat::kDelimited;
  file.separator = data[0] % 4 == 1 ? "\t" : ",";
  if (data[0] % 2 == 0) file.separator.clear();
  reckon::DataOptions options;
  options.files.interactions.files = {file};
  if (data[0] & 8) options.cleaning.malformed = reckon::CleaningOptions::Malformed::kSkip;
  if (data[0] & 16) options.cleaning.missing = reckon::CleaningOptions::Missing::kDrop;
  try {
    reckon::read_interactions_text(options, {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const reckon::DataError&) {
  } catch (const reckon::ConfigError&) {
  }
  return 0;
}
