#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/catalog.h"
#include "core/config_node.h"
#include "core/schema.h"

namespace reckon {

/// Help as text on what has this name: a component, a kind (its components), or a preset. All of them
/// when several have it.   Throws   ConfigError with the nearest name when nothing has it.
std::string describe(const std::string& name, const Catalog& catalog);

/// Everything that can be described, one line each, by kind.
std::string describe_catalog(const Catalog& catalog);

/// The keys of a schema as text, nested mappings indented below their key.
std::string describe_schema(const SchemaBase& schema);

/// A top-level part of the reference documentation.
struct ReferenceSection {
  std::string title;  ///< "data"
  std::string intro;
  const SchemaBase* schema;
};

/// The whole reference as Markdown: the sections, then every kind with every component, then presets.
std::string reference_markdown(const std::vector<ReferenceSection>& sections,
                               const Catalog& catalog);

/// A resolved config whose values have the places they have in `tree`, the config as it was assembled;
/// what stands there not at all came from a default and says so.
ConfigNode with_origins(const ConfigNode& resolved, const ConfigNode& tree);

/// A config as YAML with the place of each value in a comment at the end of its line.
std::string describe_resolved(const ConfigNode& with_origins);

/// Calls `visit` for each key of a resolved config that a schema knows, outer keys first; components
/// are followed by the implementation that the config chose.
using SchemaVisitor = std::function<void(const std::string& path, const SchemaBase::Field& field,
                                         const ConfigNode& value)>;
void walk_schema(const SchemaBase& schema, const ConfigNode& resolved, const Catalog& catalog,
                 const SchemaVisitor& visit);

}  // namespace reckon
