#include "core/experiment_tree.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace reckon {

namespace {

constexpr size_t kMaxPresetDepth = 4;
constexpr std::array kPresetParts = {"model", "training", "data", "evaluation"};

bool is_path(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".yaml") || name.ends_with(".yml");
}

// `model: mf` and `model: {family: mf}` are one; so that both merge alike.
void expand_model(ConfigNode& tree) {
  auto* model = tree.find("model");
  if (!model || !model->is_scalar()) return;
  auto map = ConfigNode::map(model->location());
  map.set("family", *model);
  *model = std::move(map);
}

void check_parts(const ConfigNode& preset, const std::string& name) {
  Problems problems;
  const std::vector<std::string> known(kPresetParts.begin(), kPresetParts.end());
  if (!preset.is_map())
    problems.add(preset.location(),
                 "preset '" + name + "': expected a mapping, got " + preset.describe());
  for (const auto& entry : preset.entries())
    if (std::find(known.begin(), known.end(), entry.key) == known.end())
      problems.add(entry.key_location, entry.key + ": a preset may hold " + join(known),
                   nearest(entry.key, known).empty() ? "" : suggest(entry.key, known));
  problems.throw_if_any();
}

ConfigNode load_preset(const std::string& name, const SourceLocation& where,
                       const Catalog& catalog) {
  try {
    return is_path(name) ? load_yaml(name) : catalog.preset(name);
  } catch (const ConfigError& error) {
    Problems problems;
    for (auto diagnostic : error.diagnostics()) {
      if (diagnostic.where.file.empty())
        diagnostic = {where, "model.preset: " + diagnostic.message, diagnostic.hint};
      problems.add(diagnostic);
    }
    problems.throw_if_any();
    throw;
  }
}

// Lays a tree over the preset it names, and that over its own. `chain` holds the names on the way.
ConfigNode resolve(ConfigNode tree, const Catalog& catalog, std::vector<std::string> chain) {
  expand_model(tree);
  auto* model = tree.find("model");
  const auto* entry = model ? model->find_entry("preset") : nullptr;
  if (!entry) return tree;
  const auto where = entry->value.location();
  const auto fail = [&](const std::string& message, const std::string& hint) {
    throw ConfigError({{where, "model.preset: " + message, hint}});
  };
  if (!entry->value.is_scalar())
    fail("expected the name of a preset or a path, got " + entry->value.describe(),
         "known: " + join(catalog.preset_names()));
  // Else the family would replace all that the preset says, and nobody would hear of it.
  if (const auto* family = model->find_entry("family"))
    throw ConfigError({{family->key_location,
                        "model.family: stands beside `preset`, which has a family of its own",
                        "leave one of them out"}});
  auto name = entry->value.scalar_text();
  if (is_path(name) && std::filesystem::path(name).is_relative() && where.file[0] != '<')
    name = (std::filesystem::path(where.file).parent_path() / name).lexically_normal().string();
  chain.push_back(name);
  if (std::count(chain.begin(), chain.end(), name) > 1)
    fail("presets that build on each other: " + join(chain, " -> "), "");
  if (chain.size() > kMaxPresetDepth)
    fail("presets build on each other more than " + std::to_string(kMaxPresetDepth) +
             " levels deep: " + join(chain, " -> "),
         "");

  auto preset = load_preset(name, where, catalog);
  check_parts(preset, name);
  model->erase("preset");
  return merge(resolve(std::move(preset), catalog, std::move(chain)), tree);
}

bool is_about_preset(const std::string& assignment) {
  const auto path = assignment.substr(0, assignment.find('='));
  return path == "model" || path == "model.preset";
}

}  // namespace

ConfigNode assemble_experiment(const ConfigNode& file, const std::vector<std::string>& overrides,
                               const Catalog& catalog) {
  auto tree = file.is_null() ? ConfigNode::map(file.location()) : file;
  if (!tree.is_map())
    throw ConfigError(
        {{tree.location(), "an experiment is a mapping, got " + tree.describe(), ""}});
  Problems problems;
  const auto apply = [&](bool about_preset) {
    for (const auto& assignment : overrides) {
      if (is_about_preset(assignment) != about_preset) continue;
      try {
        apply_override(tree, assignment);
      } catch (const ConfigError& error) {
        problems.add(error);
      }
    }
  };
  apply(true);
  try {
    if (problems.is_empty()) tree = resolve(std::move(tree), catalog, {});
  } catch (const ConfigError& error) {
    problems.add(error);
  }
  if (problems.is_empty()) {
    apply(false);
  } else {
    // Without its preset the tree cannot tell what fits it, but an assignment may be wrong by itself.
    for (const auto& assignment : overrides) {
      if (is_about_preset(assignment)) continue;
      try {
        check_override(assignment);
      } catch (const ConfigError& error) {
        problems.add(error);
      }
    }
  }
  problems.throw_if_any();
  return tree;
}

}  // namespace reckon
