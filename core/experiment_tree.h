#pragma once

#include <string>
#include <vector>

#include "core/catalog.h"
#include "core/config_node.h"

namespace reckon {

/// The whole tree of an experiment: the file over its preset, with the command line over both.
///
/// `model.preset` names a preset of the catalog, or a YAML file (a path with a '/' or ending in .yaml,
/// relative to the file that names it). A preset holds `model`, `training`, `data` and `evaluation`
/// parts and may build on another, four levels deep. `model: name` is short for
/// `model: {family: name}`. Overrides are those of apply_override(); one of `model.preset` is heard
/// before presets are read. Every value keeps the place it came from.
/// Throws   ConfigError: unknown presets (with the nearest), cycles, unreadable files, overrides that
///          do not fit.
ConfigNode assemble_experiment(const ConfigNode& file, const std::vector<std::string>& overrides,
                               const Catalog& catalog);

}  // namespace reckon
