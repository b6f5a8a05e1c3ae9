#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/describe.h"

namespace reckon {

/// A config with one mistake in it, made from a right one.
struct SchemaCase {
  std::string title;     ///< "model.dim: misspelt"
  std::string expected;  ///< How the one message about it must begin.
  ConfigNode tree;
};

/// A key of some options struct; each has one place in memory.
using SchemaField = const SchemaBase::Field*;

namespace schema_cases_detail {

// The mapping that holds the key at the end of a path.
inline ConfigNode* parent_of(ConfigNode& tree, const std::string& path) {
  const auto end = path.find_last_of('.');
  if (end == std::string::npos) return &tree;
  return const_cast<ConfigNode*>(tree.at_path(path.substr(0, end)));
}

inline std::string last_key(const std::string& path) {
  return path.substr(path.find_last_of('.') + 1);
}

inline ConfigNode with_value(const ConfigNode& tree, const std::string& path,
                             const ConfigNode& value) {
  auto changed = tree;
  if (path.ends_with(']'))
    *const_cast<ConfigNode*>(changed.at_path(path)) = value;
  else
    parent_of(changed, path)->set(last_key(path), value);
  return changed;
}

inline ConfigNode with_key(const ConfigNode& tree, const std::string& path,
                           const std::string& key) {
  auto changed = tree;
  for (auto& entry : parent_of(changed, path)->entries())
    if (entry.key == last_key(path)) entry.key = key;
  return changed;
}

// The schemas below a field: of the mapping that it nests, or of every component that its slot can hold.
inline std::vector<const SchemaBase*> schemas_below(const FieldDoc& doc, const Catalog& catalog) {
  std::vector<const SchemaBase*> below;
  if (doc.nested) below.push_back(&doc.nested());
  const auto* registry = doc.kind.empty() ? nullptr : catalog.find(doc.kind);
  if (!registry) return below;
  if (registry->common()) below.push_back(registry->common());
  for (const auto& item : registry->items()) below.push_back(item.schema);
  return below;
}

// Paths of the slots of a resolved config that hold a component or may hold one, with their kinds.
inline std::vector<std::pair<std::string, std::string>> slots_of(const SchemaBase& schema,
                                                                 const ConfigNode& resolved,
                                                                 const Catalog& catalog) {
  std::vector<std::pair<std::string, std::string>> slots;
  walk_schema(schema, resolved, catalog,
              [&](const std::string& path, const SchemaBase::Field& field,
                  const ConfigNode& value) {
                if (field.doc.kind.empty()) return;
                if (field.doc.container == FieldDoc::Container::kNone)
                  slots.emplace_back(path, field.doc.kind);
                if (field.doc.container == FieldDoc::Container::kList && !value.items().empty())
                  slots.emplace_back(path + "[0]", field.doc.kind);
              });
  return slots;
}

}  // namespace schema_cases_detail

/// Every schema that a config may reach: nested mappings, and all components that a slot can hold.
inline std::vector<const SchemaBase*> reachable_schemas(const SchemaBase& root,
                                                        const Catalog& catalog) {
  std::vector<const SchemaBase*> schemas;
  std::set<const SchemaBase*> seen;
  std::deque<const SchemaBase*> next = {&root};
  while (!next.empty()) {
    const auto* schema = next.front();
    next.pop_front();
    if (!seen.insert(schema).second) continue;
    schemas.push_back(schema);
    for (const auto& field : schema->fields())
      for (const auto* below : schema_cases_detail::schemas_below(field.doc, catalog))
        next.push_back(below);
  }
  return schemas;
}

/// The keys that a resolved config has, by their schemas.
inline std::set<SchemaField> fields_of(const SchemaBase& schema, const ConfigNode& resolved,
                                       const Catalog& catalog) {
  std::set<SchemaField> fields;
  walk_schema(schema, resolved, catalog,
              [&](const std::string&, const SchemaBase::Field& field, const ConfigNode&) {
                fields.insert(&field);
              });
  return fields;
}

/// A config in which one slot holds a component, written as short as that component allows.
struct SlotVariant {
  std::string path;  ///< Of the slot.
  std::string type;
  ConfigNode tree;
};

/// For each slot of a resolved config each component that it can hold. `required` gives the keys that a
/// component cannot do without, by "kind name".
inline std::vector<SlotVariant> slot_variants(
    const SchemaBase& schema, const ConfigNode& resolved, const Catalog& catalog,
    const std::map<std::string, std::string>& required = {}) {
  std::vector<SlotVariant> variants;
  for (const auto& [path, kind] : schema_cases_detail::slots_of(schema, resolved, catalog)) {
    const auto* registry = catalog.find(kind);
    if (!registry) continue;
    for (const auto& name : registry->names()) {
      const auto keys = required.find(kind + " " + name);
      auto component =
          keys == required.end() ? ConfigNode::map() : parse_yaml(keys->second, keys->first);
      component.set(registry->selector(), ConfigNode::text(name));
      variants.push_back({path, name, schema_cases_detail::with_value(resolved, path, component)});
    }
  }
  return variants;
}

/// For every key of a resolved config at `below` or under it: a misspelling, a wrong type, each
/// constraint violated, and what is required left out.
///
/// Keys of users' own naming (of mappings) have no schema and are left alone.
inline std::vector<SchemaCase> schema_cases(const SchemaBase& schema, const ConfigNode& resolved,
                                            const Catalog& catalog, const std::string& below = "") {
  using namespace schema_cases_detail;
  std::vector<SchemaCase> cases;
  walk_schema(
      schema, resolved, catalog,
      [&](const std::string& path, const SchemaBase::Field& field, const ConfigNode& value) {
        if (path.compare(0, below.size(), below) != 0) return;
        const auto misspelt = last_key(path) + "x";
        const auto prefix = path.substr(0, path.size() - last_key(path).size());
        cases.push_back({path + ": misspelt", prefix + misspelt + ": unknown key (did you mean '",
                         with_key(resolved, path, misspelt)});
        cases.push_back(
            {path + ": a wrong type", path + ": ", with_value(resolved, path, field.wrong)});
        for (const auto& constraint : field.constraints)
          if (constraint.violation)
            cases.push_back({path + ": not " + constraint.limits,
                             path + ": must be " + constraint.limits + ", got ",
                             with_value(resolved, path, *constraint.violation)});
        if (field.doc.required) {
          auto changed = resolved;
          parent_of(changed, path)->erase(last_key(path));
          const auto place = prefix.empty() ? "" : prefix.substr(0, prefix.size() - 1) + ": ";
          cases.push_back({path + ": missing",
                           place + "missing required key '" + last_key(path) + "'", changed});
        }
        const auto* registry = catalog.find(field.doc.kind);
        const auto slot = path + (value.is_list() ? "[0]" : "");
        const auto* component = registry ? resolved.at_path(slot) : nullptr;
        if (component && component->is_map()) {
          const auto selector = slot + "." + registry->selector();
          cases.push_back(
              {slot + ": no such component",
               selector + ": no " + registry->kind() + " is called 'nothing_of_this_name'",
               with_value(resolved, selector, ConfigNode::text("nothing_of_this_name"))});
        }
      });
  return cases;
}

/// The messages of reading a tree; empty when it is right.
template <class T>
std::vector<std::string> reading_problems(const ConfigNode& tree, const Catalog& catalog) {
  Problems problems;
  read_config<T>(tree, catalog, problems);
  std::vector<std::string> messages;
  for (const auto& diagnostic : problems.diagnostics())
    messages.push_back(diagnostic.message +
                       (diagnostic.hint.empty() ? "" : " (" + diagnostic.hint + ")"));
  return messages;
}

}  // namespace reckon
