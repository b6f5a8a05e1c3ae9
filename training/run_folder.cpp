#include "training/run_folder.h"

#include <ATen/Parallel.h>
#include <torch/version.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/format.h"
#include "core/version.h"
#include "training/workers.h"

namespace reckon {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

bool begins_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}
// What reckon itself writes into a run: --force removes nothing else.
bool is_own_file(const std::string& name) {
  if (begins_with(name, "events.out.tfevents.")) return true;
  std::vector<std::string> own = {"config.yaml", "log.txt",    "metrics.jsonl", "environment.json",
                                  "result.json", "trace.json", "seeds.json",    "folds.json"};
  for (const std::string split : {"train", "validation", "test"})
    for (const char* part : {"-result.json", "-per-user.parquet", "-lists.parquet", "-lists.run"})
      own.push_back(split + part);
  // With more behind it, it is on its way to its place.
  return std::any_of(own.begin(), own.end(), [&](const std::string& file) {
    return name == file || begins_with(name, file + ".");
  });
}

// Of one of several seeds or folds.
bool is_part_folder(const std::string& name) {
  return (begins_with(name, "seed-") || begins_with(name, "fold-")) && name.size() > 5 &&
         name.find_first_not_of("0123456789", 5) == std::string::npos;
}

bool is_own(const fs::directory_entry& entry) {
  const auto name = entry.path().filename().string();
  if (entry.is_directory()) return name == "checkpoints" || is_part_folder(name);
  return is_own_file(name);
}

// The first entry that no run has made; empty when there is none.
std::string foreign_entry(const std::string& path) {
  for (const auto& entry : fs::directory_iterator(path))
    if (!is_own(entry)) return entry.path().filename().string();
  return "";
}

// Whether anything is lost when the folder is begun anew: a run that was killed before it wrote its
// config has done nothing yet.
bool holds_run(const fs::path& path) {
  if (fs::exists(path / "config.yaml") && fs::exists(path / "checkpoints")) return true;
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.is_directory() && is_part_folder(entry.path().filename().string()) &&
        holds_run(entry.path()))
      return true;
  return false;
}

// Removes what is a run's own. What somebody has put beside it, such as an exported file, stays.
void remove_run(const fs::path& path) {
  std::vector<fs::path> own;
  for (const auto& entry : fs::directory_iterator(path))
    if (is_own(entry)) own.push_back(entry.path());
  for (const auto& entry : own) {
    if (!is_part_folder(entry.filename().string())) {
      fs::remove_all(entry);
      continue;
    }
    remove_run(entry);
    if (fs::is_empty(entry)) fs::remove(entry);
  }
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (begins_with(line, "model name"))
      return line.substr(std::min(line.size(), line.find(':') + 2));
  return "unknown";
}

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

RunFolder::RunFolder(std::string path) : path_(std::move(path)) {
  std::error_code error;
  fs::create_directories(fs::path(path_) / "checkpoints", error);
  if (error) throw DataError(path_, 0, "the run folder cannot be made: " + error.message());
}

RunFolder RunFolder::create(const std::string& path, bool force) {
  if (fs::exists(path) && !fs::is_directory(path))
    throw ConfigError(
        {{{path, 0, 0}, "a file is where the run folder should be", "give another --run"}});
  if (fs::is_directory(path) && !fs::is_empty(path)) {
    const auto foreign = foreign_entry(path);
    if (!foreign.empty() && !holds_run(path))
      throw ConfigError({{{path, 0, 0},
                          "the folder is in use: it holds '" + foreign + "', which is not of a run",
                          "give another --run"}});
    if (!force && holds_run(path))
      throw ConfigError(
          {{{path, 0, 0},
            "the folder holds a run already",
            "--resume goes on with it, --force takes its place, or give another --run"}});
    remove_run(path);
  }
  return RunFolder(path);
}

RunFolder RunFolder::open(const std::string& path) {
  if (!fs::is_directory(path))
    throw ConfigError(
        {{{path, 0, 0}, "there is no run to resume", "leave --resume away to begin one"}});
  const auto foreign = foreign_entry(path);
  if (!foreign.empty() && !fs::exists(fs::path(path) / "config.yaml"))
    throw ConfigError({{{path, 0, 0},
                        "this is no folder of a run: it has no config.yaml, but '" + foreign + "'",
                        ""}});
  return RunFolder(path);
}

std::string RunFolder::file(const std::string& name) const {
  return (fs::path(path_) / name).string();
}

std::string environment_json(const Environment& environment) {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  Json json = {{"reckon", kVersion},
               {"libtorch", TORCH_VERSION},
               {"compiler", __VERSION__},
               {"command", environment.command},
               {"seed", environment.seed},
               {"data_fingerprint", environment.data_fingerprint},
               {"device", environment.device},
               {"threads", environment.threads},
               {"cores", num_cores()},
               {"cpu", cpu_name()},
               {"cpu_capability", at::get_cpu_capability()},
               {"host", host},
               {"started", utc_now()},
               {"resumed_from_step", environment.resumed_from_step}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

SeedSummary summarize_seeds(const std::vector<int64_t>& seeds,
                            const std::vector<EvaluationResult>& results) {
  TORCH_CHECK(seeds.size() == results.size() && !seeds.empty(),
              "summarize_seeds: expected one result for each seed, got ", results.size(), " for ",
              seeds.size());
  SeedSummary summary;
  summary.seeds = seeds;
  for (const auto& metric : results.front().metrics) {
    SeedMetric line;
    line.name = metric.name.to_string();
    for (const auto& result : results)
      for (const auto& value : result.metrics)
        if (value.name == metric.name) line.values.push_back(value.mean);
    if (line.values.size() != seeds.size()) continue;
    const auto count = static_cast<double>(seeds.size());
    for (const double value : line.values) line.mean += value / count;
    double squares = 0.0;
    for (const double value : line.values) squares += (value - line.mean) * (value - line.mean);
    line.deviation = seeds.size() > 1 ? std::sqrt(squares / (count - 1.0))
                                      : std::numeric_limits<double>::quiet_NaN();
    summary.metrics.push_back(std::move(line));
  }
  return summary;
}

std::string to_text(const SeedSummary& summary) {
  std::vector<std::string> head = {"metric", "mean", "deviation"};
  for (const int64_t seed : summary.seeds) head.push_back("seed " + std::to_string(seed));
  TextTable table(head, {TextTable::Align::kLeft});
  for (const auto& metric : summary.metrics) {
    std::vector<std::string> cells = {metric.name, format_fixed(metric.mean, 4),
                                      std::isnan(metric.deviation)
                                          ? "-"
                                          : format_fixed(metric.deviation, 4)};
    for (const double value : metric.values) cells.push_back(format_fixed(value, 4));
    table.add_row(cells);
  }
  return table.to_string();
}

std::string to_json(const SeedSummary& summary) {
  Json metrics = Json::object();
  for (const auto& metric : summary.metrics)
    metrics[metric.name] = {{"mean", metric.mean},
                            {"deviation", metric.deviation},
                            {"values", metric.values}};
  return Json{{"seeds", summary.seeds}, {"metrics", metrics}}.dump(2) + "\n";
}

}  // namespace reckon
