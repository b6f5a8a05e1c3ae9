#pragma once

#include <string>
#include <vector>

#include "core/describe.h"

namespace reckon {

/// A config with one mistake in it, made from a right one.
struct SchemaCase {
  std::string title;     ///< "model.dim: misspelt"
  std::string path;      ///< What every message about it must begin with.
  std::string expected;  ///< What one message must contain.
  ConfigNode tree;
};

namespace schema_cases_detail {

// The mapping that holds the key at the end of a path.
inline ConfigNode* parent_of(ConfigNode& tree, const std::string& path) {
  const auto end = path.find_last_of('.');
  if (end == std::string::npos) return &tree;
  return const_cast<ConfigNode*>(tree.at_path(path.substr(0, end)));
}

inline std::string last_key(const std::string& path) { return path.substr(path.find_last_of('.') + 1); }

inline ConfigNode with_value(const ConfigNode& tree, const std::string& path, const ConfigNode& value) {
  auto changed = tree;
  parent_of(changed, path)->set(last_key(path), value);
  return changed;
}

inline ConfigNode with_key(const ConfigNode& tree, const std::string& path, const std::string& key) {
  auto changed = tree;
  for (auto& entry : parent_of(changed, path)->entries())
    if (entry.key == last_key(path)) entry.key = key;
  return changed;
}

}  // namespace schema_cases_detail

/// For every key of a resolved config: a misspelling, a wrong type, and each constraint violated.
/// Keys of users' own naming (of mappings) have no schema and are left alone.
inline std::vector<SchemaCase> schema_cases(const SchemaBase& schema, const ConfigNode& resolved,
                                            const Catalog& catalog) {
  using namespace schema_cases_detail;
  std::vector<SchemaCase> cases;
  walk_schema(schema, resolved, catalog, [&](const std::string& path, const SchemaBase::Field& field,
                                             const ConfigNode& value) {
    const auto misspelt = last_key(path) + "x";
    const auto prefix = path.substr(0, path.size() - last_key(path).size());
    cases.push_back({path + ": misspelt", prefix + misspelt,
                     prefix + misspelt + ": unknown key (did you mean '", with_key(resolved, path, misspelt)});
    cases.push_back({path + ": a wrong type", path, path, with_value(resolved, path, field.wrong)});
    for (const auto& constraint : field.constraints)
      if (constraint.violation)
        cases.push_back({path + ": not " + constraint.limits, path, path,
                         with_value(resolved, path, *constraint.violation)});
    if (field.doc.required) {
      auto changed = resolved;
      parent_of(changed, path)->erase(last_key(path));
      cases.push_back({path + ": missing", "", "missing required key '" + last_key(path) + "'", changed});
    }
    const auto* registry = catalog.find(field.doc.kind);
    if (registry && value.is_map()) {
      const auto below = path + "." + registry->selector();
      cases.push_back({path + ": no such component", below, "is called 'nothing_of_this_name'",
                       with_value(resolved, below, ConfigNode::text("nothing_of_this_name"))});
    }
  });
  return cases;
}

/// The messages of reading a tree, one a line; empty when it is right.
template <class T>
std::string reading_problems(const ConfigNode& tree, const Catalog& catalog) {
  Problems problems;
  read_config<T>(tree, catalog, problems);
  std::string text;
  for (const auto& diagnostic : problems.diagnostics())
    text += diagnostic.message + (diagnostic.hint.empty() ? "" : " (" + diagnostic.hint + ")") + "\n";
  return text;
}

}  // namespace reckon
