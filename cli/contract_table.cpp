#include "cli/contract_table.h"

#include <torch/utils.h>

#include <array>
#include <memory>
#include <vector>

#include "cli/experiment.h"
#include "cli/model_summary.h"
#include "core/experiment_tree.h"
#include "training/procedure.h"

namespace reckon {
namespace {

constexpr int64_t kBase = 8;

struct Numbers {
  int64_t count = 0;
  bool is_by_data = false;  // a buffer without a size before the fit
};

Numbers numbers_of(const Model& model) {
  Numbers numbers;
  for (const auto& parameter : model.parameters()) numbers.count += parameter.numel();
  for (const auto& buffer : model.buffers()) {
    numbers.count += buffer.numel();
    numbers.is_by_data = numbers.is_by_data || buffer.numel() == 0;
  }
  return numbers;
}

std::string size_text(const Component<Model>& component) {
  const std::array<DataSizes, 3> probes = {DataSizes{kBase, kBase},
                                           {kBase + 1, kBase},
                                           {kBase, kBase + 1}};
  std::array<Numbers, 3> found;
  for (size_t i = 0; i < probes.size(); ++i)
    found[i] = numbers_of(
        *component.build({.num_users = probes[i].num_users, .num_items = probes[i].num_items}));
  ParameterFormula formula;
  formula.users = found[1].count - found[0].count;
  formula.items = found[2].count - found[0].count;
  formula.constant = found[0].count - kBase * (formula.users + formula.items);
  if (!found[0].is_by_data) return formula.to_string();
  return found[0].count == 0 ? "what the fit finds"
                             : formula.to_string() + " and what the fit finds";
}

std::string learning_text(const Experiment& experiment, Model& model) {
  const auto chosen = experiment.training ? experiment.training : default_procedure(model);
  auto* fittable = model.fittable();
  if (chosen.type() != "fit" || fittable == nullptr) return chosen.type();
  const auto rounds = fittable->num_rounds();
  return rounds == 1 ? "fit, once" : "fit, " + std::to_string(rounds) + " rounds";
}

std::string ranking_text(Model& model) {
  if (model.factors()) return "inner products";
  return model.can_score_all() ? "all items together" : "item by item";
}

std::string explained_text(const Model& model) {
  const auto explains = model.explains();
  if (!explains || model.ranks_for_everybody()) return "no";
  return explains->by == Explains::By::kUsers ? "by users" : "by items";
}

const char* yes_or_no(bool is_so) { return is_so ? "yes" : "no"; }

}  // namespace

std::string contract_table(const Catalog& catalog) {
  const torch::NoGradGuard no_grad;
  std::string table =
      "| preset | known user | new user with a history | learns by | ranks by | explained | "
      "numbers "
      "it holds |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const auto& preset : catalog.presets()) {
    const auto tree = assemble_experiment(
        parse_yaml("data: {files: {interactions: {path: x.tsv}}}\nmodel: {preset: " + preset.name +
                       "}\n",
                   preset.name),
        {}, catalog);
    const auto experiment = read_experiment(tree, catalog);
    const auto model = experiment.model.build({.num_users = kBase, .num_items = kBase});
    model->eval();
    const auto contract = model->contract();
    table += "| `" + preset.name + "` | " + yes_or_no(contract.known_user) + " | " +
             yes_or_no(contract.new_user_with_history) + " | " + learning_text(experiment, *model) +
             " | " + ranking_text(*model) + " | " + explained_text(*model) + " | " +
             size_text(experiment.model) + " |\n";
  }
  return table;
}

std::string with_contract_table(const std::string& page, const Catalog& catalog) {
  const std::string begin_line = kContractsBegin;
  const auto begin = page.find(begin_line);
  const auto end = page.find(kContractsEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin)
    throw ConfigError("the page has no place for the table: the lines '" +
                      begin_line.substr(0, begin_line.size() - 1) + "' and '" +
                      std::string(kContractsEnd).substr(0, std::string(kContractsEnd).size() - 1) +
                      "'");
  return page.substr(0, begin + begin_line.size()) + "\n" + contract_table(catalog) + "\n" +
         page.substr(end);
}

}  // namespace reckon
