#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <memory>

#include "cli/commands.h"
#include "core/log.h"
#include "serving/explain_command.h"
#include "serving/recommend_command.h"

namespace reckon {

namespace {

void add_explain_command(CLI::App& app, Action& action) {
  struct Options {
    ExplainOptions explain;
    std::string user, history;
  };
  auto options = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("explain", "Say what carried the score of an item, from an exported file");
  command->footer(
      "Shares add up to the score that `reckon recommend` gives. --user and --history go together, "
      "as there.");
  command->add_option("MODEL", options->explain.model_path, "The exported file")->required();
  auto* user = command->add_option("--user", options->user, "A user of the training data");
  auto* history =
      command->add_option("--history", options->history, "Item ids, oldest first: 50,181,172");
  command->add_option("--item", options->explain.item, "The item to explain")->required();
  command->add_option("-k,--k", options->explain.k, "How many shares, the largest")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_flag("--json", options->explain.as_json, "One line of JSON");
  command->callback([=, &action] {
    if (user->count() > 0) options->explain.user = options->user;
    if (history->count() > 0) options->explain.history = options->history;
    action = [options] {
      run_explain(options->explain, std::cout, log_warning);
      return 0;
    };
  });
}

}  // namespace

void add_recommend_commands(CLI::App& app, const Catalog&, Action& action) {
  struct Options {
    RecommendOptions recommend;
    std::string history, user, features, similar_to, input, format = "table", model;
    bool as_json = false;
  };
  auto options = std::make_shared<Options>();

  auto* command = app.add_subcommand("recommend", "Recommend from an exported file");
  command->footer(
      "--user and --history go together: the history then takes the place of the stored one.\n"
      "A line of --input:\n"
      "  {\"history\": [\"50\", \"181\"], \"k\": 10, \"exclude\": [\"7\"]}\n"
      "Its keys: history and user (one or both), or features {\"age\": 25} and perhaps history, or "
      "similar_to; k, exclude, candidates, exclude_seen.");
  command->add_option("MODEL", options->recommend.model_path, "The exported file")->required();
  auto* history =
      command->add_option("--history", options->history, "Item ids, oldest first: 50,181,172");
  auto* user = command->add_option("--user", options->user, "A user of the training data");
  auto* features = command->add_option("--features", options->features,
                                       "What describes a user: age=25,gender=F");
  auto* similar =
      command->add_option("--similar-to", options->similar_to, "An item: the items most like it");
  auto* input = command->add_option("--input", options->input,
                                    "A file with one JSON request a line; - is standard input");
  command->add_option("-k", options->recommend.k, "How many")
      ->check(at_least_one())
      ->capture_default_str();
  command->add_flag("--exclude-seen", options->recommend.exclude_seen,
                    "Leave out what the user has");
  command->add_option("--candidates", options->recommend.candidates_path,
                      "A file with one item id a line");
  command->add_option("--format", options->format, "A table, or one line of JSON for each request")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  command->callback([=, &action] {
    // An empty history is a request too: absence is what counts.
    if (history->count() > 0) options->recommend.history = options->history;
    if (user->count() > 0) options->recommend.user = options->user;
    if (features->count() > 0) options->recommend.features = options->features;
    if (similar->count() > 0) options->recommend.similar_to = options->similar_to;
    if (input->count() > 0) options->recommend.input_path = options->input;
    if (options->format == "json") options->recommend.format = RecommendOptions::Format::kJson;
    action = [options] {
      run_recommend(options->recommend, std::cout, log_warning);
      return 0;
    };
  });

  add_explain_command(app, action);

  auto* inspect_command =
      app.add_subcommand("inspect", "Say what an exported file holds and whom it serves");
  inspect_command->add_option("MODEL", options->model, "The exported file")->required();
  inspect_command->add_flag("--json", options->as_json, "The description as the file has it");
  inspect_command->callback([options, &action] {
    action = [options] {
      std::cout << inspect_model(options->model, options->as_json);
      return 0;
    };
  });
}

}  // namespace reckon
