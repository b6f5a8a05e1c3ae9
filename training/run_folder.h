#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evaluation/result.h"

namespace reckon {

/// The folder of one run, with all that is needed to look at it, go on with it and repeat it:
/// config.yaml, environment.json, log.txt, metrics.jsonl, events.out.tfevents.*, result.json and
/// checkpoints/{last,best}.ckpt. Evaluations add their own files.
class RunFolder {
 public:
  /// A new run. What is there is never overwritten without `force`, and with it only when it is a
  /// run's: then the files of the old run are removed, and no others.
  /// Throws   ConfigError with what to do when the folder is taken; DataError when it cannot be made.
  static RunFolder create(const std::string& path, bool force = false);

  /// A run to go on with.   Throws   ConfigError when there is none.
  static RunFolder open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const;
  std::string config_path() const { return file("config.yaml"); }
  std::string log_path() const { return file("log.txt"); }
  std::string metrics_path() const { return file("metrics.jsonl"); }
  std::string environment_path() const { return file("environment.json"); }
  std::string result_path() const { return file("result.json"); }
  std::string trace_path() const { return file("trace.json"); }
  std::string last_checkpoint() const { return file("checkpoints/last.ckpt"); }
  std::string best_checkpoint() const { return file("checkpoints/best.ckpt"); }

  /// Where the run of one of several seeds lies: `seed-1`.
  std::string seed_path(int64_t seed) const { return file("seed-" + std::to_string(seed)); }

 private:
  explicit RunFolder(std::string path);

  std::string path_;
};

/// What a run was made with.
struct Environment {
  std::string command;
  std::string data_fingerprint;
  uint64_t seed = 0;
  int64_t threads = 0;
  std::string device;
  int64_t resumed_from_step = 0;  ///< 0: from the beginning.
};

/// The environment as JSON, with versions of this library, LibTorch and the compiler, the processor
/// and the time added.
std::string environment_json(const Environment& environment);

/// A metric over several seeds.
struct SeedMetric {
  std::string name;
  std::vector<double> values;  ///< In the order of the seeds.
  double mean = 0.0;
  double deviation = 0.0;  ///< Of the sample (n - 1); NaN for one seed.
};

/// What several runs came to that differ in their seed alone.
struct SeedSummary {
  std::vector<int64_t> seeds;
  std::vector<SeedMetric> metrics;
};

/// Mean and deviation of each metric that all results have.
SeedSummary summarize_seeds(const std::vector<int64_t>& seeds,
                            const std::vector<EvaluationResult>& results);

/// The summary as a table for people, and as JSON for programs.
std::string to_text(const SeedSummary& summary);
std::string to_json(const SeedSummary& summary);

}  // namespace reckon
