#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>

#include "cli/check_experiment.h"
#include "cli/commands.h"
#include "cli/loaded_run.h"
#include "core/describe.h"
#include "core/experiment_tree.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "evaluation/evaluator.h"
#include "training/run_folder.h"
#include "training/search_log.h"
#include "training/supervised.h"
#include "training/train.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShownTrials = 20;
constexpr size_t kShownProblems = 20;
constexpr const char* kLog = "search.json";
constexpr const char* kTable = "results.tsv";
constexpr const char* kBest = "best.yaml";
constexpr const char* kTrials = "trials";

struct TuneFlags {
  ExperimentSource source;
  std::string run, search, command;
  bool force = false, resume = false, quiet = false;
};

TrialRecord with_seconds(TrialRecord record, double seconds) {
  record.seconds = seconds;
  return record;
}

std::string text_of(const std::vector<std::pair<std::string, std::string>>& values) {
  std::vector<std::string> parts;
  for (const auto& [path, value] : values) parts.push_back(path + " " + value);
  return join(parts);
}

// The folder of a search: made, gone on with, or emptied of the old search and of nothing else.
void open_folder(const TuneFlags& flags) {
  const fs::path path = flags.run;
  const bool is_search = fs::exists(path / kLog);
  const auto fail = [&](const std::string& what, const std::string& hint) {
    throw ConfigError({{{flags.run, 0, 0}, what, hint}});
  };
  if (flags.resume && !is_search)
    fail("there is no search to resume", "leave --resume away to begin one");
  if (fs::exists(path) && !fs::is_directory(path))
    fail("a file is where the folder of the search should be", "give another --run");
  if (!flags.resume && fs::is_directory(path) && !fs::is_empty(path)) {
    if (!is_search) fail("the folder is in use, and not by a search", "give another --run");
    if (!flags.force)
      fail("the folder holds a search already",
           "--resume goes on with it, --force takes its place, or give another --run");
    for (const char* name : {kTrials, kTable, kBest, kLog}) fs::remove_all(path / name);
  }
  std::error_code error;
  fs::create_directories(path / kTrials, error);
  if (error) throw DataError(flags.run, 0, "cannot make the folder: " + error.message());
}

// The experiment with the search of a file of its own in the place of its `tune`.
ConfigNode load_experiment(const TuneFlags& flags) {
  auto file = load_yaml(flags.source.path);
  if (flags.search.empty()) return file;
  auto search = load_yaml(flags.search);
  if (const auto* inner = search.find("tune")) search = ConfigNode(*inner);
  if (!file.is_map()) return file;  // refused when it is assembled
  file.erase("tune");
  file.set("tune", std::move(search));
  return file;
}

/// One search: from its file to its results.
class Tuner {
 public:
  Tuner(const TuneFlags& flags, const Catalog& catalog) : flags_(flags), catalog_(catalog) {
    file_ = load_experiment(flags);
    overrides_ = flags.source.overrides;
    if (!flags.source.data_directory.empty())
      overrides_.push_back("data.directory=" +
                           emit_flow(ConfigNode::text(flags.source.data_directory)));
    tree_ = assemble_experiment(file_, overrides_, catalog);
    base_ = read_experiment(tree_, catalog);
    if (!base_.tune)
      throw ConfigError({{{flags.source.path, 0, 0},
                          "tune: the experiment does not say what to try",
                          "add a part `tune`, or give one with --search"}});
    options_ = *base_.tune;
    check_paths();
    trials_ = make_trials(options_);
    check_trials();
  }

  int go() {
    const auto prepared = prepare_dataset(base_.data);
    for (const auto& warning : prepared.warnings) log_warning(warning);
    dataset_ = prepared.dataset;
    check_data();
    train_part_ = dataset_.part(Split::kTrain);
    open_folder(flags_);
    log_.emplace(path(kLog),
                 SearchIdentity{emit_yaml(without_tune(base_)), dataset_.fingerprint(),
                                options_.metric.to_string()},
                 flags_.resume);
    if (options_.search != SearchType::kGrid && !flags_.quiet && num_missing() > 0)
      log_warning("there are only " + format_count(static_cast<int64_t>(trials_.size())) +
                  " combinations: all of them are tried");

    const InterruptScope interrupts;
    SearchHooks hooks;
    hooks.train = [this](const Trial& trial, int64_t epochs) { return train_trial(trial, epochs); };
    hooks.on_record = [this](const TrialRecord& record) { tell(record); };
    hooks.on_dropped = [this](int64_t trial) { remove_checkpoints(trial); };
    const bool is_whole = run_search(options_, trials_, max_epochs_, *log_, hooks);
    init_log({.quiet = flags_.quiet});  // the last trial's file has heard enough
    write_results();
    if (!is_whole) {
      std::printf("interrupted after %s of the trials; go on with: %s%s\n",
                  format_count(static_cast<int64_t>(log_->records().size())).c_str(),
                  flags_.command.c_str(), flags_.resume ? "" : " --resume");
      return kInterruptedExit;
    }
    return conclude();
  }

 private:
  std::string path(const std::string& name) const { return (fs::path(flags_.run) / name).string(); }

  std::string trial_folder(int64_t trial) const {
    auto number = std::to_string(trial);
    number.insert(0, number.size() < 4 ? 4 - number.size() : 0, '0');
    return path(std::string(kTrials) + "/" + number);
  }

  int64_t num_missing() const {
    return options_.trials.value_or(TuneOptions::kDefaultTrials) -
           static_cast<int64_t>(trials_.size());
  }

  ConfigNode without_tune(Experiment experiment) const {
    experiment.tune.reset();
    return emit_config(experiment, catalog_);
  }

  // Values of other parts would change what is measured, not how well.
  void check_paths() const {
    Problems problems;
    for (const auto& [path, range] : options_.parameters) {
      const auto where = "tune.parameters." + path;
      if (path.rfind("model.", 0) != 0 && path.rfind("training.", 0) != 0)
        problems.add(range.where, where + ": only values below `model` and `training` can be tried",
                     "trials that are measured on other data or in another way do not compare");
      else if (options_.search == SearchType::kHalving &&
               (path == "training.epochs" || path == "training.steps"))
        problems.add(range.where, where + ": halving gives out the epochs itself",
                     "training.epochs is what the last trial gets");
    }
    problems.throw_if_any();
  }

  struct Tried {
    ConfigNode tree;
    Experiment experiment;
  };

  // A trial's experiment.   Throws   ConfigError.
  Tried experiment_of(const Trial& trial) const {
    auto overrides = overrides_;
    for (const auto& [path, value] : trial.values)
      overrides.push_back(path + "=" + emit_flow(value));
    Tried tried;
    tried.tree = assemble_experiment(file_, overrides, catalog_);
    tried.experiment = read_experiment(tried.tree, catalog_);
    return tried;
  }

  // Each combination must be an experiment, or hours later one is found not to be.
  void check_trials() {
    Problems problems;
    std::set<std::string> said;
    for (const auto& trial : trials_) {
      try {
        const auto tried = experiment_of(trial);
        Problems misfits;
        const auto asked = check_combinations(tried.tree, tried.experiment, true, misfits);
        if (misfits.is_empty())
          check_feature_columns(tried.tree, tried.experiment.data, asked, misfits);
        misfits.throw_if_any();
        const auto epochs = planned_epochs(tried.experiment);
        if (options_.search == SearchType::kHalving && epochs == 0)
          throw ConfigError({{{},
                              "training: halving needs a number of epochs to give out",
                              "training.epochs, or a model that is fitted in rounds"}});
        max_epochs_ = std::max(max_epochs_, epochs);
      } catch (const ConfigError& error) {
        for (const auto& problem : error.diagnostics()) {
          auto [where, about] = blame(trial, problem);
          if (said.insert(where + problem.message).second && problems.size() < kShownProblems)
            problems.add(std::move(about));
        }
      }
    }
    problems.throw_if_any();
  }

  // The value that a problem is about, with its path, where the problem's own path tells; else the
  // trial as a whole.
  std::pair<std::string, Diagnostic> blame(const Trial& trial, const Diagnostic& problem) const {
    const auto path = problem.message.substr(0, problem.message.find(": "));
    const auto is_within = [](const std::string& inner, const std::string& outer) {
      return inner == outer || inner.rfind(outer + ".", 0) == 0 || inner.rfind(outer + "[", 0) == 0;
    };
    for (const auto& [tried, value] : trial.values)
      if (is_within(tried, path) || is_within(path, tried))
        return {tried,
                {options_.parameters.at(tried).where,
                 "tune.parameters." + tried + ": with " + emit_flow(value) + ": " + problem.message,
                 problem.hint}};
    return {"",
            {place_of(tree_, "tune.parameters"),
             "tune.parameters: with " + text_of(values_as_text(trial)) + ": " + problem.message,
             problem.hint}};
  }

  int64_t planned_epochs(const Experiment& experiment) const {
    const auto resolved = emit_config(experiment, catalog_);
    const auto number = [&](const char* path) {
      const auto* node = resolved.at_path(path);
      return node == nullptr || !node->is_scalar() ? int64_t{0} : std::stoll(node->scalar_text());
    };
    if (number("training.steps") > 0) return 0;
    if (number("training.epochs") > 0) return number("training.epochs");
    constexpr int64_t kTinySize = 8;
    const auto model = experiment.model.build({.num_users = kTinySize, .num_items = kTinySize});
    if (!experiment.training) {
      const auto chosen = default_procedure(*model);
      const auto* supervised = chosen.options_as<SupervisedOptions>();
      if (supervised != nullptr) return supervised->epochs;
    }
    auto* fittable = model->fittable();
    return fittable == nullptr ? 0 : fittable->num_rounds();
  }

  void check_data() const {
    Problems problems;
    const bool has_ratings = dataset_.interactions().labels.defined();
    if (!has_ratings) check_without_ratings(tree_, base_, problems);
    check_categories(tree_, base_.evaluation, names_of(dataset_.item_columns()), problems);
    if (!has_ratings && options_.metric.is_rating())
      problems.add(place_of(tree_, "tune.metric"),
                   "tune.metric: " + options_.metric.to_string() +
                       " compares ratings, and the data has none",
                   "search by how items are ranked, with ndcg@10 for instance");
    if (dataset_.evaluation(Split::kValidation).users.numel() == 0)
      problems.add(place_of(tree_, "tune"),
                   "tune: the data has no validation part to measure trials on",
                   "give data.split one; the test part is never looked at");
    problems.throw_if_any();
  }

  EvaluationOptions validation_options(const Experiment& experiment) const {
    auto options = experiment.evaluation;
    options.split = Split::kValidation;
    options.per_user = false;
    options.top_k_lists = 0;
    if (std::find(options.metrics.begin(), options.metrics.end(), options_.metric) ==
        options.metrics.end())
      options.metrics.push_back(options_.metric);
    return options;
  }

  // One seed of one trial; nothing when it was interrupted.
  std::optional<EvaluationResult> train_seed(const Tried& tried, const std::string& folder_path,
                                             int64_t seed, int64_t epochs, double& seconds) const {
    auto experiment = tried.experiment;
    experiment.seeds = {seed};
    experiment.tune.reset();
    // Killed before it wrote its config, a run has done nothing yet.
    const bool is_begun = fs::exists(fs::path(folder_path) / "config.yaml");
    if (!is_begun) fs::remove_all(folder_path);
    const auto folder = is_begun ? RunFolder::open(folder_path) : RunFolder::create(folder_path);
    auto model = build_model(experiment, dataset_, train_part_, seed);
    TrainContext context;
    context.seed = static_cast<uint64_t>(seed);
    context.resume = is_begun;
    context.limit_epochs = epochs;
    context.interrupted = &InterruptScope::flag();
    context.quiet = true;
    context.config = with_origins(emit_config(experiment, catalog_), tried.tree);
    context.command = flags_.command;
    const auto options = validation_options(experiment);
    const auto outcome = train(experiment.training, *model, dataset_, options, folder, context);
    seconds += outcome.seconds;
    if (outcome.end == TrainOutcome::End::kInterrupted) return std::nullopt;
    auto result = evaluate(*model, dataset_, options);
    write_result(folder, outcome, result);
    return result;
  }

  std::optional<TrialRecord> train_trial(const Trial& trial, int64_t epochs) const {
    if (InterruptScope::flag().load()) return std::nullopt;
    const auto tried = experiment_of(trial);
    const auto& seeds = tried.experiment.seeds;
    TrialRecord record;
    std::vector<EvaluationResult> results;
    try {
      for (const auto seed : seeds) {
        const auto folder =
            trial_folder(trial.number) + (seeds.size() == 1 ? "" : "/seed-" + std::to_string(seed));
        auto result = train_seed(tried, folder, seed, epochs, record.seconds);
        if (!result) return std::nullopt;
        results.push_back(std::move(*result));
      }
    } catch (const ConfigError& error) {
      // A run that diverges, or values that a closed form cannot be solved with: so much for them.
      record.value = std::nan("");
      record.failure = error.diagnostics().front().message;
      return record;
    }
    for (const auto& metric : summarize_seeds(seeds, results).metrics)
      record.metrics.emplace_back(metric.name, metric.mean);
    record.value = 0.0;
    for (const auto& result : results)
      record.value += result.value(options_.metric) / static_cast<double>(results.size());
    if (std::isnan(record.value))
      record.failure = options_.metric.to_string() + " has no value on the validation part";
    return record;
  }

  void tell(const TrialRecord& record) const {
    write_results();
    if (flags_.quiet) return;
    std::printf("trial %s/%zu%s: %s: %s in %s\n", format_count(record.trial).c_str(),
                trials_.size(),
                record.epochs > 0 ? (" to epoch " + std::to_string(record.epochs)).c_str() : "",
                text_of(record.values).c_str(),
                record.failure.empty()
                    ? (options_.metric.to_string() + " " + format_value(record.value)).c_str()
                    : ("failed: " + record.failure).c_str(),
                format_duration(record.seconds).c_str());
    std::fflush(stdout);
  }

  void remove_checkpoints(int64_t trial) const {
    const fs::path folder = trial_folder(trial);
    fs::remove_all(folder / "checkpoints");
    for (const auto seed : base_.seeds)
      fs::remove_all(folder / ("seed-" + std::to_string(seed)) / "checkpoints");
  }

  // The last record of each trial with the time of all its stages, best first; those without a value
  // at the end.
  std::vector<TrialRecord> ranking() const {
    std::vector<TrialRecord> rows;
    for (const auto& record : log_->records()) {
      const auto same = std::find_if(rows.begin(), rows.end(),
                                     [&](const auto& row) { return row.trial == record.trial; });
      if (same == rows.end())
        rows.push_back(record);
      else if (record.epochs > same->epochs)
        *same = with_seconds(record, record.seconds + same->seconds);
    }
    const bool higher = options_.metric.higher_is_better();
    std::sort(rows.begin(), rows.end(), [&](const auto& a, const auto& b) {
      const bool a_failed = std::isnan(a.value), b_failed = std::isnan(b.value);
      if (a_failed != b_failed) return b_failed;
      if (a.epochs != b.epochs) return a.epochs > b.epochs;
      if (!a_failed && a.value != b.value) return higher ? a.value > b.value : a.value < b.value;
      return a.trial < b.trial;
    });
    return rows;
  }

  void write_results() const {
    auto one_line = [](std::string text) {
      for (auto& c : text)
        if (c == '\t' || c == '\n' || c == '\r') c = ' ';
      return text;
    };
    const auto measured = validation_options(base_).metrics;
    std::string table = "trial\tepochs";
    for (const auto& metric : measured) table += "\t" + metric.to_string();
    for (const auto& [path, range] : options_.parameters) table += "\t" + one_line(path);
    table += "\tseconds\tfailure\n";
    for (const auto& record : ranking()) {
      table += std::to_string(record.trial) + "\t" +
               (record.epochs > 0 ? std::to_string(record.epochs) : "");
      for (const auto& metric : measured) {
        const auto found =
            std::find_if(record.metrics.begin(), record.metrics.end(),
                         [&](const auto& pair) { return pair.first == metric.to_string(); });
        const bool is_there = found != record.metrics.end() && !std::isnan(found->second);
        table += "\t" + (is_there ? format_significant(found->second, 9) : "");
      }
      for (const auto& [path, value] : record.values) table += "\t" + one_line(value);
      table += "\t" + format_fixed(record.seconds, 3) + "\t" + one_line(record.failure) + "\n";
    }
    write_file_atomic(path(kTable), table);
    const auto* best = best_record(log_->records(), options_.metric.higher_is_better());
    if (best == nullptr) return;
    const auto& trial = trials_.at(static_cast<size_t>(best->trial - 1));
    write_file_atomic(path(kBest), "# The best of " + format_count(num_tried()) +
                                       " trials, number " + std::to_string(best->trial) + ": " +
                                       options_.metric.to_string() + " " +
                                       format_value(best->value) + " on the validation part.\n" +
                                       emit_yaml(without_tune(experiment_of(trial).experiment)));
  }

  int64_t num_tried() const { return static_cast<int64_t>(ranking().size()); }

  int conclude() const {
    const auto rows = ranking();
    std::vector<std::string> head = {"trial"};
    const bool has_stages = options_.search == SearchType::kHalving;
    if (has_stages) head.push_back("epochs");
    head.push_back(options_.metric.to_string());
    for (const auto& [path, range] : options_.parameters) head.push_back(path);
    std::vector<TextTable::Align> align(head.size(), TextTable::Align::kRight);
    TextTable table(head, align);
    for (size_t i = 0; i < std::min(rows.size(), kShownTrials); ++i) {
      std::vector<std::string> cells = {std::to_string(rows[i].trial)};
      if (has_stages) cells.push_back(std::to_string(rows[i].epochs));
      cells.push_back(rows[i].failure.empty() ? format_value(rows[i].value) : "failed");
      for (const auto& [path, value] : rows[i].values) cells.push_back(value);
      table.add_row(std::move(cells));
    }
    std::fputs(table.to_string().c_str(), stdout);
    if (rows.size() > kShownTrials)
      std::printf("and %zu more in %s\n", rows.size() - kShownTrials, path(kTable).c_str());
    const auto* best = best_record(log_->records(), options_.metric.higher_is_better());
    if (best == nullptr)
      throw ConfigError({{place_of(tree_, "tune"),
                          "tune: no trial has a value; the first: " + rows.front().failure,
                          "each trial's log is below " + path(kTrials)}});
    std::printf("best: trial %s, %s %s on the validation part; train it with\n  reckon train %s\n",
                format_count(best->trial).c_str(), options_.metric.to_string().c_str(),
                format_value(best->value).c_str(), path(kBest).c_str());
    return 0;
  }

  const TuneFlags& flags_;
  const Catalog& catalog_;
  ConfigNode file_, tree_;
  std::vector<std::string> overrides_;
  Experiment base_;
  TuneOptions options_;
  std::vector<Trial> trials_;
  int64_t max_epochs_ = 1;
  Dataset dataset_;
  Interactions train_part_;
  std::optional<SearchLog> log_;
};

}  // namespace

void add_tune_command(CLI::App& app, const Catalog& catalog, Action& action) {
  auto flags = std::make_shared<TuneFlags>();
  auto* command =
      app.add_subcommand("tune", "Try values of an experiment, and write down which did best");
  add_source_options(*command, flags->source);
  command->add_option("--search", flags->search,
                      "What to try (YAML), in the place of the experiment's part `tune`");
  command->add_option("--run", flags->run, "Folder of the search; default: runs/<experiment>-tune");
  auto* force =
      command->add_flag("--force", flags->force, "Take the place of a search that is there");
  command->add_flag("--resume", flags->resume, "Go on with a search: finished trials stay")
      ->excludes(force);
  command->add_flag("--quiet", flags->quiet, "No line for each trial, only the result");
  command->callback([flags, &catalog, &action] {
    action = [flags, &catalog] {
      flags->command = "reckon tune " + flags->source.path;
      for (const auto& override : flags->source.overrides)
        flags->command += " --set '" + override + "'";
      if (!flags->source.data_directory.empty())
        flags->command += " --data '" + flags->source.data_directory + "'";
      if (!flags->search.empty()) flags->command += " --search '" + flags->search + "'";
      if (!flags->run.empty()) flags->command += " --run '" + flags->run + "'";
      if (flags->run.empty()) flags->run = default_run(flags->source.path) + "-tune";
      return Tuner(*flags, catalog).go();
    };
  });
}

}  // namespace reckon
