#include "cli/run.h"

#include <CLI/CLI.hpp>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>

#include "cli/commands.h"
#include "cli/error_text.h"
#include "core/diagnostics.h"
#include "core/files.h"
#include "core/memory.h"
#include "core/version.h"

namespace reckon {
namespace {

void say(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  if (text.empty() || text.back() != '\n') std::fputc('\n', stderr);
}

// Whether all that was said on standard output got there: a full disk shows only here.
bool flush_output() {
  errno = 0;
  std::cout.flush();
  const bool is_flushed = std::fflush(stdout) == 0;
  const std::string reason = errno != 0 ? std::string(": ") + std::strerror(errno) : "";
  if (is_flushed && std::cout.good() && std::ferror(stdout) == 0) return true;
  say("error: the output could not be written" + reason);
  return false;
}

int perform(const Action& action) {
  try {
    const int code = action();
    return flush_output() || code != 0 ? code : 1;
  } catch (const ConfigError& error) {
    say(error.what());
  } catch (const DataError& error) {
    say(error.what());
  } catch (const std::exception& error) {
    say("error: " + error_text(error));
  }
  std::cout.flush();
  return 1;
}

// An interrupt ends the program the usual way, but leaves no half-written file behind.
void on_interrupt(int signal) {
  remove_temporary_files();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::vector<CLI::App*> commands_of(CLI::App& app) {
  return app.get_subcommands([](CLI::App*) { return true; });
}

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const auto* option : command.get_options()) {
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    for (const auto& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

// `reckon data fetch`
std::string name_of(const CLI::App& command) {
  return (command.get_parent() != nullptr ? name_of(*command.get_parent()) + " " : "") +
         command.get_name();
}

// What is wrong with a command line, with the word that was perhaps meant.
std::string usage_error(CLI::App& app, const CLI::ParseError& error) {
  auto* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  std::vector<std::string> commands;
  for (const auto* one : commands_of(*command)) commands.push_back(one->get_name());
  const auto name = name_of(*command);
  const auto help = "; `" + name + " --help` explains";
  const auto* required = dynamic_cast<const CLI::RequiredError*>(&error);
  if (required == nullptr && dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr)
    return error.what() + help;
  const auto rest = app.remaining(/*recurse=*/true);
  // A misspelt option leaves its value behind too: the option is what to speak of.
  for (const auto& word : rest)
    if (word.size() > 1 && word[0] == '-')
      return name + ": unknown option '" + word + "'; " + suggest(word, option_names(*command));
  if (!commands.empty() && rest.empty())
    return name + ": a command is missing; known: " + join(commands);
  if (!commands.empty())
    return name + ": there is no command '" + rest.front() + "'; " +
           suggest(rest.front(), commands);
  if (required != nullptr) return name + ": " + error.what() + help;
  return name + ": unexpected argument '" + rest.front() + "'" + help;
}

// A value is forgotten more often than a name begins like an option.
void refuse_options_as_values(CLI::App& command) {
  const CLI::Validator no_option(
      [](std::string& text) {
        return text.rfind("--", 0) == 0 ? "the value is missing: '" + text + "' is an option"
                                        : std::string();
      },
      "");
  for (auto* option : command.get_options())
    if (option->get_items_expected_max() > 0) option->check(no_option);
  for (auto* below : commands_of(command)) refuse_options_as_values(*below);
}

}  // namespace

CLI::Validator at_least_one() {
  return CLI::Validator(
      [](std::string& text) {
        int64_t value = 0;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool is_read = code == std::errc() && end == text.data() + text.size();
        return is_read && value >= 1 ? std::string()
                                     : "must be a whole number of at least 1, got '" + text + "'";
      },
      "");
}

void add_source_options(CLI::App& command, ExperimentSource& source) {
  command.add_option("FILE", source.path, "Experiment (YAML)")->required();
  command
      .add_option("--set", source.overrides, "Change a value: --set training.epochs=5 (repeatable)")
      ->allow_extra_args(false);
  command.add_option("--data", source.data_directory,
                     "Folder with the data files (data.directory)");
}

int run(int argc, char** argv, const Catalog& catalog) {
  tune_allocator();
  CLI::App app("reckon: train, evaluate, export and serve recommenders described in YAML.",
               "reckon");
  app.set_version_flag("--version", std::string("reckon ") + kVersion);
  app.require_subcommand(1);
  Action action;
  add_data_commands(app, catalog, action);
  add_describe_commands(app, catalog, action);
  add_train_command(app, catalog, action);
  add_tune_command(app, catalog, action);
  add_evaluate_commands(app, catalog, action);
  add_plot_command(app, catalog, action);
  add_export_commands(app, catalog, action);
  add_recommend_commands(app, catalog, action);
  // Set last: what an application has when a command is added, the command takes over.
  app.footer(
      "A first run:\n"
      "  reckon data fetch ml-100k\n"
      "  reckon train configs/sasrec_softmax/ml-100k.yaml\n"
      "  reckon export runs/sasrec_softmax-ml-100k --output model.pt\n"
      "  reckon recommend model.pt --history 50,181,172");
  refuse_options_as_values(app);
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);
    return flush_output() ? 0 : 1;
  } catch (const CLI::ParseError& error) {
    say("error: " + usage_error(app, error));
    return 2;
  }
  return perform(action);
}

}  // namespace reckon
