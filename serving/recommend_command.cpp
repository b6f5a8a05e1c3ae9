#include "serving/recommend_command.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/format.h"
#include "serving/recommender.h"
#include "serving/request_sentences.h"
#include "serving/requests.h"

namespace reckon {
namespace {

// Answered and written before the next are answered, so that long inputs give output as they go.
constexpr size_t kRequestsAtOnce = 1024;

[[noreturn]] void fail(const std::string& message, const std::string& hint) {
  throw ConfigError({{{.file = "<command line>"}, message, hint}});
}

void check_options(const RecommendOptions& options) {
  const int given = (options.history || options.user || options.features) +
                    options.similar_to.has_value() + options.input_path.has_value();
  if (given == 0)
    fail("none of --history, --user, --features, --similar-to and --input given",
         "give one of them, such as --history 50,181,172");
  if (given > 1)
    fail("several of --history, --user, --features, --similar-to and --input given",
         "give one of them; only --history goes together with --user or --features");
  if (options.user && options.features)
    fail("--user and --features do not go together", "a user of the data has its own features");
  if (options.k < 1) fail("-k: must be at least 1, got " + std::to_string(options.k), "");
  if (options.similar_to && (options.exclude_seen || !options.candidates_path.empty()))
    fail("--similar-to goes with -k alone", "leave out --exclude-seen and --candidates");
}

std::vector<Request> requests_of(const RecommendOptions& options, const RequestDefaults& defaults) {
  if (options.input_path) return read_requests(*options.input_path, defaults);
  Request request;
  request.k = defaults.k;
  if (options.similar_to) {
    request.kind = Request::Kind::kSimilar;
    request.id = *options.similar_to;
    return {request};
  }
  request.candidates = defaults.candidates;
  request.exclude_seen = defaults.exclude_seen;
  if (options.features) {
    try {
      request.features = split_features(*options.features);
    } catch (const std::invalid_argument& error) {
      fail(std::string("--features: ") + error.what(), "write --features age=25,gender=F");
    }
  }
  request.kind = options.features                  ? Request::Kind::kFeatures
                 : options.user && options.history ? Request::Kind::kUserWithHistory
                 : options.user                    ? Request::Kind::kUser
                                                   : Request::Kind::kHistory;
  request.id = options.user.value_or("");
  request.history = split_ids(options.history.value_or(""));
  return {request};
}

// The candidates of all requests, without those that the file does not know.
std::vector<std::string> read_candidates(const std::string& path, const ExportedFile& file,
                                         const std::function<void(const std::string&)>& warn) {
  const auto ids = read_ids(path);
  const auto known = file.known_items(ids);
  std::vector<std::string> out, unknown;
  for (size_t i = 0; i < ids.size(); ++i) (known[i] ? out : unknown).push_back(ids[i]);
  const auto count = format_count(static_cast<int64_t>(ids.size()));
  if (out.empty())
    throw DataError(path, 0, "the model knows none of its " + count + " ids: " + some_of(unknown),
                    "give the ids of items, as the training data has them, one on each line");
  if (!unknown.empty())
    warn(path + ": the model does not know " + format_count(static_cast<int64_t>(unknown.size())) +
         " of " + count + " candidates: " + some_of(unknown));
  return out;
}

void check_requests(const std::vector<Request>& requests, const RecommendOptions& options,
                    const Description& description) {
  for (const auto& request : requests) {
    const auto refusal = refusal_of(description, request);
    if (!refusal) continue;
    if (request.line == 0) throw DataError(options.model_path, 0, refusal->reason, refusal->hint);
    throw DataError(*options.input_path, request.line, options.model_path + ": " + refusal->reason,
                    refusal->hint);
  }
}

std::string name_of(const Request& request) {
  switch (request.kind) {
    case Request::Kind::kUser:
      return "user " + request.id;
    case Request::Kind::kSimilar:
      return "similar to " + request.id;
    case Request::Kind::kFeatures: {
      std::vector<std::string> parts;
      for (const auto& [name, text] : request.features) parts.push_back(name + "=" + text);
      return parts.empty() ? "no features" : "features " + join(parts, ",");
    }
    case Request::Kind::kUserWithHistory:
    case Request::Kind::kHistory:
      break;
  }
  const auto history =
      request.history.empty() ? "an empty history" : "history " + join(request.history, ",");
  return request.kind == Request::Kind::kHistory ? history
                                                 : "user " + request.id + " with " + history;
}

std::vector<std::string> warnings_of(const Request& request, const Recommendation& answer,
                                     const Description& d) {
  std::vector<std::string> out;
  auto items = answer.unknown;
  if (answer.unknown_user) {
    out.push_back("the model does not know user " + request.id);
    items.erase(items.begin());
  }
  if (!items.empty()) {
    const bool one = items.size() == 1;
    out.push_back("the model does not know " + some_of(items) + "; " +
                  (request.kind == Request::Kind::kSimilar ? "nothing is similar to it"
                   : one                                   ? "it is ignored"
                                                           : "they are ignored"));
  }
  if (answer.no_candidates)
    out.emplace_back("none of the candidates is known, so that the list is empty");
  if (answer.items_left_out > 0) {
    const auto held = "of the items of user " + request.id + " the file holds the newest " +
                      format_count(d.user_items);
    out.push_back((request.exclude_seen
                       ? held + "; the " + format_count(answer.items_left_out) +
                             " before them may stand in the list"
                       : held + ", and the model reads " + format_count(d.max_length)) +
                  " (export.user_items)");
  }
  if (!answer.fallback.empty())
    out.push_back((request.kind == Request::Kind::kUser && !answer.unknown_user
                       ? "nothing was learnt of user " + request.id
                       : std::string("nothing usable is left of the request")) +
                  "; it gets " + answer.fallback);
  return out;
}

const char* yes_or_no(bool value) { return value ? "yes" : "no"; }

std::string known_user_line(const Description& d) {
  std::string out = yes_or_no(d.user_ids);
  if (d.user_histories && d.user_items > 0)
    return out + ", with the newest " + format_count(d.user_items) + " items of each";
  if (d.user_histories) return out + ", with all items of each";
  if (d.user_ids && d.reads_users && d.max_length > 0)
    return out + ", by the id alone: the file holds no histories, so that theirs must be sent";
  return out;
}

// `name  value` for each metric: a plain number, or an object with its mean.
std::string metric_lines(const nlohmann::json& evaluation) {
  const auto& metrics = evaluation.contains("metrics") ? evaluation["metrics"] : evaluation;
  std::string out;
  if (!metrics.is_object()) return out;
  for (const auto& [name, value] : metrics.items()) {
    const auto& mean = value.is_object() && value.contains("mean") ? value["mean"] : value;
    if (mean.is_number())
      out += "  " + name + "  " + format_significant(mean.get<double>(), 4) + "\n";
  }
  return out;
}

std::string indented(const std::string& text) {
  std::string out = "  ";
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '\n' && i + 1 < text.size()) out += "  ";
  }
  return out.back() == '\n' ? out : out + "\n";
}

}  // namespace

void run_recommend(const RecommendOptions& options, std::ostream& out,
                   const std::function<void(const std::string&)>& warn) {
  check_options(options);
  const Recommender recommender(options.model_path);
  const auto& description = recommender.file().description();
  RequestDefaults defaults{.k = options.k, .candidates = {}, .exclude_seen = options.exclude_seen};
  if (!options.candidates_path.empty())
    defaults.candidates = read_candidates(options.candidates_path, recommender.file(), warn);
  const auto requests = requests_of(options, defaults);
  check_requests(requests, options, description);
  const bool many = options.input_path.has_value();
  if (requests.empty()) warn(*options.input_path + ": holds no requests");
  for (size_t begin = 0; begin < requests.size(); begin += kRequestsAtOnce) {
    const auto end = std::min(begin + kRequestsAtOnce, requests.size());
    const std::vector<Request> part(requests.begin() + static_cast<std::ptrdiff_t>(begin),
                                    requests.begin() + static_cast<std::ptrdiff_t>(end));
    const auto answers = recommender.answer(part);
    std::vector<std::string> warnings;
    for (size_t i = 0; i < answers.size(); ++i) {
      const auto number = std::to_string(begin + i + 1);
      if (options.format == RecommendOptions::Format::kJson) {
        out << to_json_line(answers[i]) << "\n";
      } else {
        if (many) out << (begin + i > 0 ? "\n" : "") << number << ". " << name_of(part[i]) << "\n";
        out << to_table(answers[i]);
      }
      for (const auto& warning : warnings_of(part[i], answers[i], description))
        warnings.push_back((many ? "request " + number + ": " : "") + warning);
    }
    out << std::flush;
    for (const auto& warning : warnings) warn(warning);
    if (!out) return;  // a full disk takes no further answers; who owns the stream says so
  }
}

std::string inspect_model(const std::string& path, bool as_json) {
  const ExportedFile file(path);
  if (as_json) return file.archive().description + "\n";
  const auto& d = file.description();
  std::string out = path + "\n";
  out += "  " + format_bytes(static_cast<int64_t>(file.archive().size)) + " (weights " +
         format_bytes(d.weight_bytes) + ", ids and columns " + format_bytes(d.id_bytes) +
         (d.history_bytes > 0 ? ", items of users " + format_bytes(d.history_bytes) : "") +
         "), loaded in " + format_duration(file.load_seconds()) + "\n";
  out += "  " + format_count(d.num_items) + " items, " +
         (d.user_ids ? format_count(d.num_users) + " users, " : "no users, ") +
         format_count(d.num_parameters) + " parameters\n";
  out += "\nserves\n";
  out += "  a known user by id           " + known_user_line(d);
  out += std::string("\n  a new user with a history    ") + yes_or_no(d.new_user_with_history);
  if (d.max_length > 0)
    out += ", of which the newest " + format_count(d.max_length) + " items are read";
  out += std::string("\n  a user with features only    ") + yes_or_no(d.user_features);
  if (d.user_features) out += ", by " + join(d.user_columns);
  out += std::string("\n  a new item with content      ") + yes_or_no(d.new_item_with_content);
  out += "\n  anything else                " +
         (d.ranks_for_everybody ? std::string("the same model") : d.fallback) + "\n";
  out += "\nmethods\n";
  for (const auto& method : d.methods) {
    out += "  " + method.name + method.signature + "\n";
    out +=
        "      " + (method.refusal.empty() ? method.meaning : "refused: " + method.refusal) + "\n";
  }
  if (!d.display.empty()) out += "\nshown beside items: " + join(d.display) + "\n";
  if (!d.metrics_json.empty()) {
    const auto metrics = metric_lines(nlohmann::json::parse(d.metrics_json));
    if (!metrics.empty()) out += "\nmetrics\n" + metrics;
  }
  out += "\nmade with\n";
  for (const auto& [name, version] : d.versions) out += "  " + name + " " + version + "\n";
  if (!d.fingerprint.empty()) out += "  data " + d.fingerprint + "\n";
  if (!d.config_yaml.empty()) out += "\nconfig\n" + indented(d.config_yaml);
  return out;
}

}  // namespace reckon
