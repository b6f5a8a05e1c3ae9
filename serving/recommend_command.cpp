#include "serving/recommend_command.h"

#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/format.h"
#include "serving/recommender.h"
#include "serving/requests.h"

namespace reckon {
namespace {

// Answered and written before the next are answered, so that long inputs give output as they go.
constexpr size_t kRequestsAtOnce = 1024;

[[noreturn]] void fail(const std::string& message, const std::string& hint) {
  throw ConfigError({{{.file = "<command line>"}, message, hint}});
}

std::vector<Request> requests_of(const RecommendOptions& options) {
  const int given = options.history.has_value() + options.user.has_value() +
                    options.similar_to.has_value() + options.input_path.has_value();
  if (given != 1)
    fail(std::string(given == 0 ? "none" : "several") +
             " of --history, --user, --similar-to and --input given",
         "give one of them, such as --history 50,181,172");
  if (options.k < 1) fail("-k: must be at least 1, got " + std::to_string(options.k), "");
  RequestDefaults defaults{.k = options.k, .candidates = {}, .exclude_seen = options.exclude_seen};
  if (!options.candidates_path.empty()) defaults.candidates = read_ids(options.candidates_path);
  if (options.input_path) return read_requests(*options.input_path, defaults);

  Request request;
  request.k = defaults.k;
  if (options.similar_to) {
    if (options.exclude_seen || !options.candidates_path.empty())
      fail("--similar-to goes with -k alone", "leave out --exclude-seen and --candidates");
    request.kind = Request::Kind::kSimilar;
    request.id = *options.similar_to;
    return {request};
  }
  request.candidates = defaults.candidates;
  request.exclude_seen = defaults.exclude_seen;
  request.kind = options.user ? Request::Kind::kUser : Request::Kind::kHistory;
  request.id = options.user.value_or("");
  request.history = split_ids(options.history.value_or(""));
  return {request};
}

std::string name_of(const Request& request) {
  switch (request.kind) {
    case Request::Kind::kUser: return "user " + request.id;
    case Request::Kind::kSimilar: return "similar to " + request.id;
    case Request::Kind::kHistory: break;
  }
  return request.history.empty() ? "an empty history" : "history " + join(request.history, ",");
}

void add_warnings(const Request& request, const Recommendation& answer, const std::string& prefix,
                  std::vector<std::string>& out) {
  if (!answer.unknown.empty()) {
    const bool one = answer.unknown.size() == 1;
    out.push_back(prefix + "the model does not know " + join(answer.unknown) + "; " +
                  (request.kind == Request::Kind::kHistory ? (one ? "it is ignored" : "they are ignored")
                   : request.kind == Request::Kind::kUser  ? "as if it were not there"
                                                           : "nothing is similar to it"));
  }
  if (!answer.fallback.empty())
    out.push_back(prefix + "nothing usable is left of the request; it gets " + answer.fallback);
}

const char* yes_or_no(bool value) { return value ? "yes" : "no"; }

// `name  value` for each metric: a plain number, or an object with its mean.
std::string metric_lines(const nlohmann::json& evaluation) {
  const auto& metrics = evaluation.contains("metrics") ? evaluation["metrics"] : evaluation;
  std::string out;
  if (!metrics.is_object()) return out;
  for (const auto& [name, value] : metrics.items()) {
    const auto& mean = value.is_object() && value.contains("mean") ? value["mean"] : value;
    if (mean.is_number()) out += "  " + name + "  " + format_significant(mean.get<double>(), 4) + "\n";
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

std::vector<std::string> run_recommend(const RecommendOptions& options, std::ostream& out) {
  const auto requests = requests_of(options);
  const Recommender recommender(options.model_path);
  const bool many = options.input_path.has_value();
  std::vector<std::string> warnings;
  for (size_t begin = 0; begin < requests.size(); begin += kRequestsAtOnce) {
    const auto end = std::min(begin + kRequestsAtOnce, requests.size());
    const std::vector<Request> part(requests.begin() + static_cast<std::ptrdiff_t>(begin),
                                    requests.begin() + static_cast<std::ptrdiff_t>(end));
    const auto answers = recommender.answer(part);
    for (size_t i = 0; i < answers.size(); ++i) {
      const auto number = std::to_string(begin + i + 1);
      if (options.format == RecommendOptions::Format::kJson) {
        out << to_json_line(answers[i]) << "\n";
      } else {
        if (many) out << (begin + i > 0 ? "\n" : "") << number << ". " << name_of(part[i]) << "\n";
        out << to_table(answers[i]);
      }
      add_warnings(part[i], answers[i], many ? "request " + number + ": " : "", warnings);
    }
  }
  return warnings;
}

std::string inspect_model(const std::string& path, bool as_json) {
  const ExportedFile file(path);
  if (as_json) return file.archive().description + "\n";
  const auto& d = file.description();
  std::string out = path + "\n";
  out += "  " + format_bytes(static_cast<int64_t>(file.archive().size)) + " (weights " +
         format_bytes(d.weight_bytes) + ", ids and columns " + format_bytes(d.id_bytes) +
         "), loaded in " + format_duration(file.load_seconds()) + "\n";
  out += "  " + format_count(d.num_items) + " items, " +
         (d.user_ids ? format_count(d.num_users) + " users, " : "no users, ") +
         format_count(d.num_parameters) + " parameters\n";
  out += "\nserves\n";
  out += std::string("  a known user by id           ") + yes_or_no(d.user_ids);
  if (d.user_histories)
    out += ", with the newest " + format_count(d.user_items) + " items of each";
  out += std::string("\n  a new user with a history    ") + yes_or_no(d.new_user_with_history);
  if (d.max_length > 0) out += ", of which the newest " + format_count(d.max_length) + " items are read";
  out += std::string("\n  a user with features only    ") + yes_or_no(d.user_features);
  out += std::string("\n  a new item with content      ") + yes_or_no(d.new_item_with_content);
  out += "\n  anything else                " +
         (d.ranks_for_everybody ? std::string("the same model") : d.fallback) + "\n";
  out += "\nmethods\n";
  for (const auto& method : d.methods) {
    out += "  " + method.name + method.signature + "\n";
    out += "      " + (method.refusal.empty() ? method.meaning : "refused: " + method.refusal) + "\n";
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
