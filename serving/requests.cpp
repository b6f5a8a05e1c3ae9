#include "serving/requests.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "core/diagnostics.h"
#include "core/files.h"
#include "core/format.h"

namespace reckon {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> kKeys = {"history", "user",    "features",   "similar_to",
                                        "k",       "exclude", "candidates", "exclude_seen"};
constexpr size_t kShownCharacters = 60;
constexpr int kMaxDepth = 16;

// A request as it stands in its file, for messages.
struct Place {
  const std::string& path;
  int64_t line;

  [[noreturn]] void fail(const std::string& message) const { throw DataError(path, line, message); }
};

std::string shown(const Json& value) {
  auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kShownCharacters) text = text.substr(0, kShownCharacters) + "...";
  return text;
}

std::string id_of(const Json& value, const std::string& key, const Place& at) {
  if (value.is_string()) return value.get<std::string>();
  // Files often hold ids as numbers; 1.5 or true are no ids.
  if (value.is_number_unsigned()) return std::to_string(value.get<uint64_t>());
  if (value.is_number_integer()) return std::to_string(value.get<int64_t>());
  at.fail("'" + key + "': expected an id (text or whole number), got " + shown(value));
}

std::vector<std::string> ids_of(const Json& value, const std::string& key, const Place& at) {
  if (!value.is_array())
    at.fail("'" + key + "': expected a list of ids, got " + shown(value) +
            "; write [\"a\", \"b\"]");
  std::vector<std::string> out;
  for (size_t i = 0; i < value.size(); ++i)
    out.push_back(id_of(value[i], key + "[" + std::to_string(i) + "]", at));
  return out;
}

std::map<std::string, std::string> features_of(const Json& value, const Place& at) {
  if (!value.is_object())
    at.fail("'features': expected an object such as {\"age\": 25}, got " + shown(value));
  std::map<std::string, std::string> out;
  for (const auto& [name, text] : value.items()) {
    if (text.is_string())
      out[name] = text.get<std::string>();
    else if (text.is_number())
      out[name] = text.dump();
    else if (!text.is_null())  // nothing is known
      at.fail("'features." + name + "': expected a text or a number, got " + shown(text));
  }
  return out;
}

Json parse_object(std::string_view line, const Place& at) {
  std::set<std::string> seen, seen_inside;  // of the object, and of the features in it
  std::string repeated;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    // Values are written in messages by a recursive function, which must not meet endless nesting.
    if (depth > kMaxDepth) at.fail("nested too deeply; expected an object of ids and lists of ids");
    if (event == Json::parse_event_t::key && (depth == 1 || depth == 2) &&
        !(depth == 1 ? seen : seen_inside).insert(parsed.get<std::string>()).second)
      repeated = parsed.get<std::string>();
    return true;
  };
  Json object;
  try {
    object = Json::parse(line, watch);
  } catch (const Json::parse_error& e) {
    at.fail("not JSON at character " + std::to_string(e.byte) +
            R"(; expected an object such as {"history": ["50", "181"], "k": 10})");
  } catch (const Json::out_of_range&) {
    at.fail("holds a number that is too large for any id or k; write ids as text");
  }
  if (!object.is_object())
    at.fail("expected an object such as {\"history\": [\"50\", \"181\"], \"k\": 10}, got " +
            shown(object));
  if (!repeated.empty()) at.fail("'" + repeated + "' is given twice");
  return object;
}

bool is_blank(std::string_view line) {
  return std::all_of(line.begin(), line.end(),
                     [](unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); });
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

template <class Visit>
void for_each_line(std::string_view text, const Visit& visit) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  for (int64_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!is_blank(line)) visit(line, number);
  }
}

}  // namespace

Request parse_request(std::string_view line, const RequestDefaults& defaults,
                      const std::string& path, int64_t line_number) {
  const Place at{path, line_number};
  const auto object = parse_object(line, at);
  Request out;
  out.k = defaults.k;
  out.candidates = defaults.candidates;
  out.exclude_seen = defaults.exclude_seen;
  out.line = line_number;
  bool history = false, user = false, features = false, similar = false;
  for (const auto& [key, value] : object.items()) {
    if (key == "history") {
      history = true;
      out.history = ids_of(value, key, at);
    } else if (key == "user") {
      user = true;
      out.id = id_of(value, key, at);
    } else if (key == "features") {
      features = true;
      out.features = features_of(value, at);
    } else if (key == "similar_to") {
      similar = true;
      out.id = id_of(value, key, at);
    } else if (key == "k") {
      if (!value.is_number_integer() ||
          (value.is_number_unsigned() && value.get<uint64_t>() > INT32_MAX) ||
          value.get<int64_t>() < 1)
        at.fail("'k': expected a whole number of at least 1, got " + shown(value));
      out.k = value.get<int64_t>();
    } else if (key == "exclude") {
      out.exclude = ids_of(value, key, at);
    } else if (key == "candidates") {
      out.candidates = ids_of(value, key, at);
      if (out.candidates.empty())
        at.fail("'candidates': an empty list leaves nothing to choose from");
    } else if (key == "exclude_seen") {
      if (!value.is_boolean())
        at.fail("'exclude_seen': expected true or false, got " + shown(value));
      out.exclude_seen = value.get<bool>();
    } else {
      at.fail("unknown key '" + key + "'; " + suggest(key, kKeys));
    }
  }
  if (!history && !user && !features && !similar)
    at.fail(
        "none of 'history', 'user', 'features' and 'similar_to' given; expected one of them, or "
        "user "
        "and history");
  if (user && features)
    at.fail("'user' and 'features' do not go together; a user of the data has its own");
  if (similar) {
    if (object.size() > 1 + object.count("k")) at.fail("'similar_to' takes 'k' alone beside it");
    out.candidates.clear();
    out.exclude_seen = false;
  }
  out.kind = similar           ? Request::Kind::kSimilar
             : features        ? Request::Kind::kFeatures
             : user && history ? Request::Kind::kUserWithHistory
             : user            ? Request::Kind::kUser
                               : Request::Kind::kHistory;
  return out;
}

std::vector<Request> read_requests(const std::string& path, const RequestDefaults& defaults) {
  std::vector<Request> out;
  const bool is_standard = path == "-";
  const std::string name = is_standard ? "<standard input>" : path;
  const auto text = read_file(is_standard ? "/dev/stdin" : path);
  for_each_line(text, [&](std::string_view line, int64_t number) {
    out.push_back(parse_request(line, defaults, name, number));
  });
  return out;
}

std::vector<std::string> split_ids(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const auto id = trimmed(text.substr(0, end));
    if (!id.empty()) out.emplace_back(id);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::map<std::string, std::string> split_features(std::string_view text) {
  std::map<std::string, std::string> out;
  while (!text.empty()) {
    const auto end = std::min(text.find(','), text.size());
    const auto part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (trimmed(part).empty()) continue;
    const auto equals = part.find('=');
    const std::string name(trimmed(part.substr(0, equals)));
    if (equals == std::string_view::npos || name.empty())
      throw std::invalid_argument("expected name=value, got '" + std::string(part) + "'");
    if (!out.emplace(name, trimmed(part.substr(equals + 1))).second)
      throw std::invalid_argument("'" + name + "' is given twice");
  }
  return out;
}

std::vector<std::string> read_ids(const std::string& path) {
  std::vector<std::string> out;
  for_each_line(read_file(path),
                [&](std::string_view line, int64_t) { out.emplace_back(trimmed(line)); });
  if (out.empty()) throw DataError(path, 0, "holds no ids; expected one on each line");
  return out;
}

std::string to_table(const Recommendation& recommendation) {
  using Align = TextTable::Align;
  std::vector<std::string> head = {"rank", "item"};
  std::vector<Align> align = {Align::kRight, Align::kLeft};
  if (!recommendation.items.empty()) {
    for (const auto& [name, _] : recommendation.items[0].columns) {
      head.push_back(name);
      align.push_back(Align::kLeft);
    }
  }
  head.emplace_back("score");
  align.push_back(Align::kRight);
  TextTable table(head, align);
  double largest = 0.0;
  for (const auto& item : recommendation.items) largest = std::max(largest, std::fabs(item.score));
  const int digits = digits_of_column(largest);
  for (size_t i = 0; i < recommendation.items.size(); ++i) {
    const auto& item = recommendation.items[i];
    std::vector<std::string> row = {std::to_string(i + 1), item.id};
    for (const auto& [_, text] : item.columns) row.push_back(text);
    row.push_back(format_fixed(item.score, digits));
    table.add_row(row);
  }
  return table.to_string();
}

std::string to_json_line(const Recommendation& recommendation) {
  Json out;
  out["items"] = Json::array();
  for (const auto& item : recommendation.items) {
    Json one = {{"item", item.id}, {"score", item.score}};
    for (const auto& [name, text] : item.columns)
      one[name == "item" || name == "score" ? name + "_" : name] = text;
    out["items"].push_back(std::move(one));
  }
  if (!recommendation.unknown.empty()) out["unknown"] = recommendation.unknown;
  if (recommendation.items_left_out > 0) out["items_left_out"] = recommendation.items_left_out;
  if (!recommendation.fallback.empty()) out["fallback"] = recommendation.fallback;
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace reckon
