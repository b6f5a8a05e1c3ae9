#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/config_node.h"
#include "core/experiment_tree.h"
#include "tests/core/toy.h"

namespace reckon {
namespace {

const Catalog& catalog() {
  static const Catalog catalog = [] {
    auto made = toy::catalog();
    made.add_preset("base", toy::kExperiment);
    return made;
  }();
  return catalog;
}

// Aborts when the node is not written in a form that reads as itself.
void check_written(const ConfigNode& node) {
  if (!(parse_yaml(emit_yaml(node), "block") == node)) std::abort();
  if (!(parse_yaml(emit_flow(node), "flow") == node)) std::abort();
}

// The resolved form of what a tree says; null when it is refused.
ConfigNode resolve(const ConfigNode& tree) {
  try {
    const auto whole = assemble_experiment(tree, {}, catalog());
    return emit_config(read_config<toy::Experiment>(whole, catalog()), catalog());
  } catch (const ConfigError&) {
    return {};
  }
}

}  // namespace
}  // namespace reckon

/// Any bytes are refused with a ConfigError, or they are a tree that is written and read as itself;
/// and what the schema makes of a tree is resolved once and for all.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reckon;
  ConfigNode node;
  try {
    node = parse_yaml(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.yaml");
  } catch (const ConfigError&) {
    return 0;
  }
  check_written(node);
  const auto resolved = resolve(node);
  check_written(resolved);
  if (!resolved.is_null() && !(resolve(resolved) == resolved)) std::abort();
  return 0;
}
