#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/check_experiment.h"
#include "cli/commands.h"
#include "cli/contract_table.h"
#include "cli/model_summary.h"
#include "cli/reference.h"
#include "core/describe.h"
#include "core/files.h"
#include "core/format.h"
#include "datasets/data_schema.h"
#include "datasets/graph_builder.h"
#include "datasets/prepare.h"

namespace reckon {
namespace {

void print_lines(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  if (!text.empty() && text.back() != '\n') std::fputc('\n', stdout);
}

bool files_exist(const DataOptions& data) {
  for (const auto& file : data.files.interactions)
    if (!std::filesystem::exists(data.resolve(file.path))) return false;
  return true;
}

// Each level goes as far as what is there allows, and says where it stopped.
int check(const ExperimentSource& source, const std::string& sizes_text, const Catalog& catalog) {
  const auto tree = experiment_tree(source, catalog);
  const auto experiment = read_experiment(tree, catalog);
  Problems misfits;
  const auto asked = check_combinations(tree, experiment, std::nullopt, misfits);
  if (misfits.is_empty() && !files_exist(experiment.data))
    check_feature_columns(tree, experiment.data, asked, misfits);
  misfits.throw_if_any();
  print_lines("schema   ok");
  std::optional<DataSizes> sizes;
  if (!sizes_text.empty()) sizes = parse_sizes(sizes_text);
  std::shared_ptr<const Graph> graph;
  std::string graph_text;
  if (files_exist(experiment.data)) {
    Problems problems;
    const auto schema = check_columns(experiment.data, *tree.find("data"), problems);
    if (!schema.columns.empty() && !schema.has_ratings)
      check_without_ratings(tree, experiment, problems);
    // A table of items that could not be read says nothing of its columns.
    if (problems.is_empty() || !schema.item_columns.empty()) {
      check_display(tree, experiment.export_options, schema.item_columns, problems);
      check_categories(tree, experiment.evaluation, schema.item_columns, problems);
    }
    check_feature_columns(tree, experiment.data, asked, problems);
    problems.throw_if_any();
    print_lines("columns  ok: " + join(schema.columns));
    // Of a cross-validation each fold is prepared for itself.
    const auto of_data =
        num_folds_of(experiment.data) == 0
            ? experiment
            : read_experiment(experiment_tree(of_fold(source, 1), catalog), catalog);
    const auto prepared = sizes ? std::nullopt : prepared_sizes(of_data.data);
    if (prepared) {
      sizes = DataSizes{prepared->num_users, prepared->num_items};
      graph = prepared->graph;
      graph_text = format_graph(prepared->report);
    }
  } else {
    print_lines("columns  not checked: the data files are not there");
  }
  if (sizes)
    print_lines("sizes    " + format_count(sizes->num_users) + " users, " +
                format_count(sizes->num_items) + " items");
  else
    print_lines("sizes    not known");
  if (experiment.data.graph && !graph) {
    graph = std::make_shared<const Graph>(declared_graph(experiment.data, 1, 1));
    print_lines(
        "graph    not known before the data is prepared: what it adds to the model is not counted");
  }
  print_lines("");
  if (!graph_text.empty()) print_lines(graph_text);
  print_lines(summarize_model(experiment.model, sizes, graph.get()));
  return 0;
}

}  // namespace

void add_describe_commands(CLI::App& app, const Catalog& catalog, Action& action) {
  struct Options {
    std::string name;
    bool markdown = false;
    std::string resolved;
    std::string contracts;
    std::vector<std::string> overrides;
    ExperimentSource source;
    std::string sizes;
  };
  auto options = std::make_shared<Options>();

  auto* describe_command =
      app.add_subcommand("describe", "Explain components, presets and configs");
  describe_command->add_option("NAME", options->name,
                               "A component, a kind of components, or a preset");
  describe_command->add_flag("--markdown", options->markdown, "Print the whole option reference");
  describe_command->add_option(
      "--contracts", options->contracts,
      "Bring the table of whom each preset serves up to date in this page");
  describe_command->add_option("--resolved", options->resolved,
                               "Print this experiment with every value and where it came from");
  describe_command->add_option("--set", options->overrides, "With --resolved: change a value")
      ->allow_extra_args(false);
  describe_command->callback([options, &catalog, &action] {
    action = [options, &catalog] {
      if (options->markdown) {
        print_lines(reference_text(catalog));
      } else if (!options->contracts.empty()) {
        write_file_atomic(options->contracts,
                          with_contract_table(read_file(options->contracts), catalog));
        print_lines(options->contracts);
      } else if (!options->resolved.empty()) {
        const auto tree = experiment_tree({options->resolved, options->overrides, ""}, catalog);
        const auto experiment = read_experiment(tree, catalog);
        print_lines(
            describe_resolved(with_origins(Codec<Experiment>::emit(experiment, &catalog), tree)));
      } else if (options->name.empty()) {
        print_lines(describe_catalog(catalog));
      } else {
        print_lines(describe(options->name, catalog));
      }
      return 0;
    };
  });

  auto* check_command = app.add_subcommand("check", "Check an experiment without training it");
  add_source_options(*check_command, options->source);
  check_command->add_option("--sizes", options->sizes,
                            "users=100,items=200 where no data is prepared");
  check_command->callback([options, &catalog, &action] {
    action = [options, &catalog] { return check(options->source, options->sizes, catalog); };
  });
}

}  // namespace reckon
