#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace reckon {

/// What `reckon recommend` is asked for. Of the first five after the path one is given, or a history
/// with a user or with features.
struct RecommendOptions {
  enum class Format { kTable, kJson };

  std::string model_path;
  std::optional<std::string> history;  ///< `id,id`, oldest first; may be empty.
  std::optional<std::string> user;
  std::optional<std::string> features;  ///< `age=25,gender=F`: what describes a user.
  std::optional<std::string> similar_to;
  std::optional<std::string> input_path;  ///< A file of request lines (serving/requests.h), or `-`.

  int64_t k = 10;
  bool exclude_seen = false;
  std::string candidates_path;  ///< A file with one id a line.
  Format format = Format::kTable;
};

/// Writes the recommendations to `out`: a table for each request, or a line of JSON for each.
///
/// `warn` gets what to say beside the lists, as they are written: ids that the file does not know,
/// fallbacks. In JSON it stands in the lines too. All requests are checked before the first is
/// answered.
/// Throws   DataError about the model, the candidates, or a request with its line; ConfigError about
///          options that do not go together.
void run_recommend(const RecommendOptions& options, std::ostream& out,
                   const std::function<void(const std::string&)>& warn);

/// What is in an exported file, for people: who it serves and by which methods, sizes, metrics, how it
/// was made. With `as_json` the description as the file has it.
/// Throws   DataError when the file cannot be used.
std::string inspect_model(const std::string& path, bool as_json = false);

}  // namespace reckon
