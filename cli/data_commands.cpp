#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>

#include "cli/commands.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/fetch.h"
#include "datasets/prepare.h"

namespace reckon {
namespace {

constexpr auto kBetweenLines = std::chrono::seconds(2);

/// Draws over one line of a terminal; writes a line now and then where there is none.
std::function<void(int64_t, int64_t)> fetch_progress(bool is_terminal) {
  using Clock = std::chrono::steady_clock;
  return [is_terminal, last = Clock::now()](int64_t bytes, int64_t total) mutable {
    if (!is_terminal && Clock::now() - last < kBetweenLines) return;
    last = Clock::now();
    auto line = "  " + format_bytes(bytes);
    if (total > 0) line += " of " + format_bytes(total);
    std::fprintf(stderr, is_terminal ? "\r%-32s" : "%s\n", line.c_str());
    std::fflush(stderr);
  };
}

int fetch(const std::string& name, const std::string& directory, bool force,
          const std::string& archive) {
  if (name.empty()) {
    for (const auto& dataset : known_datasets())
      std::printf("%-12s %s\n", dataset.name.c_str(), dataset.description.c_str());
    return 0;
  }
  const auto& dataset = known_dataset(name);
  FetchOptions options;
  options.force = force;
  options.archive = archive;
  options.report = [](const std::string& line) { log_info(line); };
  const bool is_terminal = isatty(STDERR_FILENO) != 0;
  options.progress = fetch_progress(is_terminal);
  const auto result = fetch_dataset(dataset, directory, options);
  if (is_terminal && !result.was_there) std::fputc('\n', stderr);
  std::printf("%s\n\n%s: %s in %s\n", dataset.terms.c_str(), name.c_str(),
              result.was_there ? "already there, verified"
                               : ("fetched from " + result.source).c_str(),
              result.directory.c_str());
  for (const auto& file : result.files) std::printf("  %s\n", file.c_str());
  return 0;
}

int prepare(const ExperimentSource& source, bool rebuild, const Catalog& catalog) {
  const auto experiment = read_experiment(experiment_tree(source, catalog), catalog);
  const int64_t num_folds = num_folds_of(experiment.data);
  if (num_folds > 0) {
    for (int64_t fold = 1; fold <= num_folds; ++fold) {
      std::printf("%sfold %lld\n", fold > 1 ? "\n" : "", static_cast<long long>(fold));
      prepare(of_fold(source, fold), rebuild, catalog);
    }
    return 0;
  }
  const auto prepared = prepare_dataset(experiment.data, rebuild);
  for (const auto& warning : prepared.warnings) log_warning(warning);
  std::fputs(format_report(prepared.dataset).c_str(), stdout);
  std::printf("%s %s\n", prepared.from_cache ? "found prepared in" : "written to",
              prepared.cache_directory.c_str());
  return 0;
}

}  // namespace

void add_data_commands(CLI::App& app, const Catalog& catalog, Action& action) {
  struct Options {
    std::string name, directory = "data", archive;
    bool force = false, rebuild = false;
    ExperimentSource source;
  };
  auto options = std::make_shared<Options>();

  auto* data = app.add_subcommand("data", "Get data sets");
  data->require_subcommand(1);
  auto* fetch_command =
      data->add_subcommand("fetch", "Fetch a public data set; without NAME, list them");
  fetch_command->add_option("NAME", options->name, "Such as ml-100k");
  fetch_command->add_option("--directory", options->directory, "Folder to put it into")
      ->capture_default_str();
  fetch_command->add_option("--archive", options->archive, "A file that was downloaded by hand");
  fetch_command->add_flag("--force", options->force, "Fetch again what is there");
  fetch_command->callback([options, &action] {
    action = [options] {
      return fetch(options->name, options->directory, options->force, options->archive);
    };
  });

  auto* prepare_command =
      app.add_subcommand("prepare", "Read, clean and split the data of an experiment");
  add_source_options(*prepare_command, options->source);
  prepare_command->add_flag("--rebuild", options->rebuild, "Make it anew even when it is prepared");
  prepare_command->callback([options, &catalog, &action] {
    action = [options, &catalog] { return prepare(options->source, options->rebuild, catalog); };
  });
}

}  // namespace reckon
