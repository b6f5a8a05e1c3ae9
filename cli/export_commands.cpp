#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/loaded_run.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "datasets/vectors.h"
#include "evaluation/evaluator.h"
#include "export/exporter.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

struct ExportFlags {
  std::string run, output, data;
  bool users = false;
  std::vector<std::string> overrides;
};

std::vector<std::string> with_data(const ExportFlags& options) {
  auto overrides = options.overrides;
  if (!options.data.empty())
    overrides.push_back("data.directory=" + emit_flow(ConfigNode::text(options.data)));
  return overrides;
}

// The last check before the file gets its name: the test split, ranked by the file itself.
void compare_metrics(const EvaluationResult& eager, const EvaluationResult& exported,
                     const std::string& path) {
  for (size_t i = 0; i < eager.metrics.size(); ++i) {
    const double a = eager.metrics[i].mean, b = exported.metrics[i].mean;
    // Equal up to what rounding can do to ties of scores: well under one user in ten thousand.
    if (std::abs(a - b) <= 1e-4 * std::max(1.0, std::abs(a)) || (std::isnan(a) && std::isnan(b)))
      continue;
    throw DataError(path, 0,
                    "not written: " + eager.metrics[i].name.to_string() + " of the test split is " +
                        format_fixed(a, 6) + " with the model and " + format_fixed(b, 6) +
                        " with the exported file",
                    "a part of the model cannot be exported as it is; see export/README.md");
  }
}

int export_run(const ExportFlags& options, const Catalog& catalog) {
  check_can_write(options.output);
  const auto run = load_run(options.run, with_data(options), catalog);
  Problems problems;
  check_display(run.tree, run.experiment.export_options, names_of(run.dataset.item_columns()),
                problems);
  problems.throw_if_any();
  auto evaluation = run.experiment.evaluation;
  evaluation.split = Split::kTest;
  evaluation.per_user = false;
  evaluation.top_k_lists = 0;
  // What the file states must be what the file does.
  if (evaluation.reranking)
    log_warning(
        "the exported file recommends as the model ranks, without evaluation.reranking, and so are "
        "the metrics that it states measured");
  evaluation.reranking = {};
  const bool has_test = run.dataset.evaluation(Split::kTest).users.numel() > 0;

  ExportInputs inputs;
  inputs.items = &run.dataset.items();
  inputs.users = &run.dataset.users();
  inputs.item_columns = &run.dataset.item_columns();
  inputs.item_counts = item_counts(run.train);
  const auto seen = run.dataset.seen();
  inputs.user_offsets = seen.user_offsets;
  inputs.user_items = seen.items;
  inputs.config_yaml = emit_yaml(Codec<Experiment>::emit(run.experiment, &catalog));
  inputs.fingerprint = run.dataset.fingerprint();
  std::optional<EvaluationResult> eager;
  if (has_test) {
    eager = evaluate(*run.model, run.dataset, evaluation);
    inputs.metrics_json = to_json(*eager);
  }
  const auto& sequences = run.dataset.interactions();
  for (int64_t user = 0; user < std::min<int64_t>(8, run.dataset.num_users()); ++user) {
    const int64_t begin = sequences.user_offsets[user].item<int64_t>();
    const int64_t end = sequences.user_offsets[user + 1].item<int64_t>();
    std::vector<std::string> history;
    for (int64_t row = begin; row < end; ++row)
      history.emplace_back(run.dataset.items().raw(sequences.items[row].item<int64_t>()));
    inputs.sample_histories.push_back(std::move(history));
  }

  const auto& options_of_file = run.experiment.export_options;
  StagedExport staged(*run.model, inputs, options.output, options_of_file);
  if (has_test && options_of_file.check)
    compare_metrics(*eager, evaluate(staged.model(), run.dataset, evaluation), options.output);
  staged.commit();

  const auto& report = staged.report();
  const auto histories = report.history_bytes > 0
                             ? ", items of users " + format_bytes(report.history_bytes)
                             : std::string();
  std::printf("%s  %s (weights %s, ids %s%s), loads in %s\n", options.output.c_str(),
              format_bytes(report.file_bytes).c_str(), format_bytes(report.weight_bytes).c_str(),
              format_bytes(report.id_bytes).c_str(), histories.c_str(),
              format_duration(report.load_seconds).c_str());
  if (options_of_file.check)
    std::printf("compared with the model on %s requests, largest difference %s\n",
                format_count(report.num_comparisons).c_str(),
                format_significant(report.largest_difference, 2).c_str());
  else
    std::printf("not compared with the model: export.check is false\n");
  if (has_test && options_of_file.check)
    for (const auto& metric : eager->metrics)
      std::printf("test %s %s, the same from the file\n", metric.name.to_string().c_str(),
                  format_fixed(metric.mean, 4).c_str());
  if (!report.sidecar_path.empty()) std::printf("id map: %s\n", report.sidecar_path.c_str());
  return 0;
}

int write_embeddings(const ExportFlags& options, const Catalog& catalog) {
  check_can_write(options.output);
  const auto run = load_run(options.run, with_data(options), catalog);
  torch::NoGradGuard no_grad;
  const auto vectors = options.users ? run.model->user_vectors() : run.model->item_vectors();
  if (!vectors)
    throw ConfigError(
        {{{options.run, 0, 0},
          std::string("this model has no vectors of ") + (options.users ? "users" : "items"),
          ""}});
  const auto& ids = options.users ? run.dataset.users() : run.dataset.items();
  write_vectors(options.output, ids, vectors->contiguous());
  std::printf("%s: %s vectors of width %s\n", options.output.c_str(),
              format_count(vectors->size(0)).c_str(), format_count(vectors->size(1)).c_str());
  return 0;
}

}  // namespace

void add_export_commands(CLI::App& app, const Catalog& catalog, Action& action) {
  auto options = std::make_shared<ExportFlags>();
  const auto add_common = [options](CLI::App& command) {
    command.add_option("RUN", options->run, "Folder of a run")->required();
    command.add_option("--data", options->data, "Folder with the data files");
    command
        .add_option("--set", options->overrides, "Change a value: --set export.include_users=true")
        ->allow_extra_args(false);
  };
  auto* export_command =
      app.add_subcommand("export", "Write a run as one TorchScript file, checked against it");
  add_common(*export_command);
  export_command->add_option("--output,-o", options->output, "The file, such as model.pt")
      ->required();
  export_command->callback([options, &catalog, &action] {
    action = [options, &catalog] { return export_run(*options, catalog); };
  });

  auto* embeddings_command =
      app.add_subcommand("embeddings", "Write the vectors of items or users");
  add_common(*embeddings_command);
  embeddings_command->add_option("--output,-o", options->output, "A .parquet, .tsv or .npy file")
      ->required();
  embeddings_command->add_flag("--users", options->users, "Vectors of users instead of items");
  embeddings_command->callback([options, &catalog, &action] {
    action = [options, &catalog] { return write_embeddings(*options, catalog); };
  });
}

}  // namespace reckon
