#include "cli/run.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <new>

#include "cli/commands.h"
#include "core/diagnostics.h"
#include "core/version.h"
#include "training/workers.h"

namespace reckon {
namespace {

void say(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  if (text.empty() || text.back() != '\n') std::fputc('\n', stderr);
}

// The message of c10::Error without the C++ backtrace that what() appends.
std::string first_part(const std::string& what) {
  for (const char* mark : {"\nException raised from", "\nframe #0"}) {
    const auto end = what.find(mark);
    if (end != std::string::npos) return what.substr(0, end);
  }
  return what;
}

int perform(const Action& action) {
  try {
    return action();
  } catch (const ConfigError& error) {
    say(error.what());
  } catch (const DataError& error) {
    say(error.what());
  } catch (const std::bad_alloc&) {
    say("error: out of memory; `reckon check FILE` estimates what a model needs");
  } catch (const std::exception& error) {
    say("error: " + first_part(error.what()));
  }
  return 1;
}

}  // namespace

void add_source_options(CLI::App& command, ExperimentSource& source) {
  command.add_option("FILE", source.path, "Experiment (YAML)")->required();
  command.add_option("--set", source.overrides, "Change a value: --set training.epochs=5 (repeatable)")
      ->allow_extra_args(false);
  command.add_option("--data", source.data_directory, "Folder with the data files (data.directory)");
}

int run(int argc, char** argv, const Catalog& catalog) {
  tune_allocator();
  CLI::App app("reckon: train, evaluate, export and serve recommenders described in YAML.", "reckon");
  app.set_version_flag("--version", std::string("reckon ") + kVersion);
  app.require_subcommand(1);
  app.footer(
      "A first run:\n"
      "  reckon data fetch ml-100k\n"
      "  reckon train configs/sasrec_softmax/ml-100k.yaml\n"
      "  reckon export runs/sasrec_softmax-ml-100k --output model.pt\n"
      "  reckon recommend model.pt --history 50,181,172");
  Action action;
  add_data_commands(app, catalog, action);
  add_describe_commands(app, catalog, action);
  add_train_command(app, catalog, action);
  add_evaluate_commands(app, catalog, action);
  add_export_commands(app, catalog, action);
  add_recommend_commands(app, catalog, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return perform(action);
}

}  // namespace reckon
