#pragma once

#include <functional>
#include <string>

#include "cli/experiment.h"
#include "core/catalog.h"

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace reckon {

/// What a command ends with that Ctrl-C stopped.
constexpr int kInterruptedExit = 130;

/// What a command does once the command line is read; returns the exit code.
using Action = std::function<int()>;

// Each adds its commands to `app`; parsing one of them sets `action`. `catalog` must outlive both.

/// `prepare`, `data fetch`, `data generate`
void add_data_commands(CLI::App& app, const Catalog& catalog, Action& action);
/// `describe`, `check`
void add_describe_commands(CLI::App& app, const Catalog& catalog, Action& action);
/// `train`
void add_train_command(CLI::App& app, const Catalog& catalog, Action& action);
/// `tune`
void add_tune_command(CLI::App& app, const Catalog& catalog, Action& action);
/// `evaluate`, `compare`
void add_evaluate_commands(CLI::App& app, const Catalog& catalog, Action& action);
/// `export`, `embeddings`
void add_export_commands(CLI::App& app, const Catalog& catalog, Action& action);
/// `plot`
void add_plot_command(CLI::App& app, const Catalog& catalog, Action& action);
/// `inspect`, `recommend`, `explain`
void add_recommend_commands(CLI::App& app, const Catalog& catalog, Action& action);

/// The check of an option that takes a whole number from 1 on.
CLI::Validator at_least_one();

/// Adds FILE, --set and --data to a command, which fill `source`.
void add_source_options(CLI::App& command, ExperimentSource& source);

}  // namespace reckon
