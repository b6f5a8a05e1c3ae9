#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace reckon {

/// Somebody who asks for items: by a history, as a known user, as a user with a history in place of
/// the stored one, by what describes a user (and perhaps a history), or for items like another.
struct Request {
  enum class Kind { kHistory, kUser, kUserWithHistory, kFeatures, kSimilar };

  Kind kind = Kind::kHistory;
  std::vector<std::string> history;  ///< Raw ids, oldest first; of the kinds that have one.
  std::map<std::string, std::string> features;  ///< Of kFeatures: column name to raw text.
  std::string id;                               ///< The user, or the item of kSimilar.
  int64_t k = 10;                               ///< At least 1.
  std::vector<std::string> exclude;
  std::vector<std::string> candidates;  ///< Empty: all items.
  bool exclude_seen = false;            ///< Leave out the history and what is stored of the user.
  int64_t line = 0;                     ///< Where it stands in its file; 0: in none.

  bool operator==(const Request&) const = default;
};

/// What a line of requests has when it does not say it.
struct RequestDefaults {
  int64_t k = 10;
  std::vector<std::string> candidates;
  bool exclude_seen = false;
};

/// One line of a request file, a JSON object:
///   {"history": ["50", 181], "k": 10, "exclude": ["7"], "candidates": ["1", "2"]}
/// with "user": "u" in place of the history or beside it, or "features": {"age": 25, "job": "cook"} in
/// place of it or beside it, or "similar_to": "i" with k alone, and perhaps "exclude_seen": true. Ids
/// are texts or whole numbers.
///
/// Throws   DataError as `path:line_number`, with what was expected: no JSON, an unknown or repeated
///          key, a value of the wrong type, k below 1, keys that do not go together.
Request parse_request(std::string_view line, const RequestDefaults& defaults,
                      const std::string& path, int64_t line_number);

/// All lines of a file, or of standard input for `-`; blank lines are left out.
/// Throws   DataError, also when it cannot be read.
std::vector<Request> read_requests(const std::string& path, const RequestDefaults& defaults);

/// `50,181,172`; white space around an id is left out, and so are empty ids.
std::vector<std::string> split_ids(std::string_view text);

/// `age=25,gender=F`; white space around names and values is left out.
/// Throws   std::invalid_argument with a sentence when a part has no `=`, or a name stands twice.
std::map<std::string, std::string> split_features(std::string_view text);

/// One id a line; blank lines are left out.   Throws   DataError when there are none.
std::vector<std::string> read_ids(const std::string& path);

/// The items found for one request, best first.
struct Recommendation {
  struct Item {
    std::string id;
    double score = 0.0;
    std::vector<std::pair<std::string, std::string>> columns;  ///< Name and text, to show.
  };

  std::vector<Item> items;
  std::vector<std::string> unknown;  ///< Ids of the request that the file does not know.
  bool unknown_user = false;         ///< The user is one of them.
  bool no_candidates = false;        ///< Candidates were given, and all of them are.
  int64_t items_left_out = 0;  ///< Older items of the user that mattered and are not in the file.
  std::string fallback;        ///< What the list is instead; empty when the model made it.
};

/// A table for people: rank, item, columns, score.
std::string to_table(const Recommendation& recommendation);

/// One line of JSON for programs, the answer to one line of requests:
///   {"items":[{"item":"50","score":1.5,"title":"..."}],"unknown":["x"],"items_left_out":7,
///    "fallback":"..."}
/// with the last three where they apply. A column called item or score is shown as item_ or score_.
std::string to_json_line(const Recommendation& recommendation);

}  // namespace reckon
