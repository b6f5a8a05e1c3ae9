#include "core/describe.h"

#include <algorithm>
#include <set>

#include "core/yaml_lines.h"

namespace reckon {

namespace {

std::string type_text(const FieldDoc& doc) {
  std::string text = doc.kind.empty() ? doc.type : "";
  if (!doc.kind.empty()) {
    text = doc.kind;
    if (doc.container == FieldDoc::Container::kList)
      text = "list of " + schema_detail::plural(text);
    if (doc.container == FieldDoc::Container::kMap) text = doc.type;
  }
  return doc.nullable ? text + " or null" : text;
}

// "integer, default 64, must be positive"
std::string facts(const FieldDoc& doc) {
  auto text = type_text(doc);
  if (doc.required)
    text += ", required";
  else if (!doc.default_value.empty() && doc.default_value != "null")
    text += ", default " + doc.default_value;
  if (!doc.limits.empty()) text += ", must be " + doc.limits;
  return text;
}

std::string heading(const RegistryBase& registry, const RegistryBase::Item& item) {
  return registry.kind() + " '" + item.name + "'" +
         (item.summary.empty() ? "" : ": " + item.summary);
}

void append_schema(std::string& text, const SchemaBase& schema, size_t indent,
                   std::set<const SchemaBase*> above) {
  above.insert(&schema);
  const std::string spaces(indent, ' ');
  for (const auto& field : schema.fields()) {
    const auto& doc = field.doc;
    text += spaces + doc.name + "  (" + facts(doc) + ")\n";
    if (!doc.doc.empty()) text += spaces + "    " + doc.doc + "\n";
    if (!doc.nested) continue;
    if (above.contains(&doc.nested())) {
      text += spaces + "    (the same keys again)\n";
      continue;
    }
    const bool named = doc.container == FieldDoc::Container::kMap;
    if (named) text += spaces + "  <name>\n";
    append_schema(text, doc.nested(), indent + (named ? 4 : 2), above);
  }
  for (const auto& invariant : schema.invariants())
    text += spaces + "rule: " + (invariant.key.empty() ? "" : invariant.key + " ") +
            invariant.message + "\n";
}

std::string component_text(const RegistryBase& registry, const RegistryBase::Item& item) {
  auto text = heading(registry, item) + "\n";
  if (registry.common()) append_schema(text, *registry.common(), 2, {});
  append_schema(text, *item.schema, 2, {});
  if (item.schema->fields().empty() && !registry.common()) text += "  (no options)\n";
  return text;
}

std::string kind_text(const RegistryBase& registry) {
  auto text = registry.kind() + " (chosen by '" + registry.selector() + "'):\n";
  size_t width = 0;
  for (const auto& item : registry.items()) width = std::max(width, item.name.size());
  for (const auto& item : registry.items())
    text +=
        "  " + item.name + std::string(width - item.name.size(), ' ') + "  " + item.summary + "\n";
  if (registry.items().empty()) text += "  (none registered)\n";
  return text;
}

void walk_value(const std::string& path, const SchemaBase::Field& field, const ConfigNode& value,
                const Catalog& catalog, const SchemaVisitor& visit);

void walk_map(const std::string& path, const SchemaBase& schema, const ConfigNode& map,
              const Catalog& catalog, const SchemaVisitor& visit) {
  for (const auto& field : schema.fields()) {
    const auto* value = map.find(field.doc.name);
    if (!value) continue;
    const auto below = path.empty() ? field.doc.name : path + "." + field.doc.name;
    visit(below, field, *value);
    walk_value(below, field, *value, catalog, visit);
  }
}

void walk_one(const std::string& path, const FieldDoc& doc, const ConfigNode& value,
              const Catalog& catalog, const SchemaVisitor& visit) {
  if (!value.is_map()) return;
  if (doc.nested) return walk_map(path, doc.nested(), value, catalog, visit);
  const auto* registry = catalog.find(doc.kind);
  const auto* type = registry ? value.find(registry->selector()) : nullptr;
  const auto* item = type ? registry->find(type->scalar_text()) : nullptr;
  if (!item) return;
  if (registry->common()) walk_map(path, *registry->common(), value, catalog, visit);
  walk_map(path, *item->schema, value, catalog, visit);
}

void walk_value(const std::string& path, const SchemaBase::Field& field, const ConfigNode& value,
                const Catalog& catalog, const SchemaVisitor& visit) {
  const auto& doc = field.doc;
  if (!doc.nested && doc.kind.empty()) return;
  switch (doc.container) {
    case FieldDoc::Container::kNone:
      return walk_one(path, doc, value, catalog, visit);
    case FieldDoc::Container::kList:
      for (size_t i = 0; i < value.items().size(); ++i)
        walk_one(path + "[" + std::to_string(i) + "]", doc, value.items()[i], catalog, visit);
      return;
    case FieldDoc::Container::kMap:
      for (const auto& entry : value.entries())
        walk_one(path + "." + entry.key, doc, entry.value, catalog, visit);
  }
}

}  // namespace

std::string describe_schema(const SchemaBase& schema) {
  std::string text;
  append_schema(text, schema, 0, {});
  return text;
}

std::string describe(const std::string& name, const Catalog& catalog) {
  std::vector<std::string> parts;
  std::vector<std::string> known;
  for (const auto* registry : catalog.kinds()) {
    known.push_back(registry->kind());
    if (registry->kind() == name) parts.push_back(kind_text(*registry));
    for (const auto& item : registry->items()) {
      known.push_back(item.name);
      if (item.name == name) parts.push_back(component_text(*registry, item));
    }
  }
  for (const auto& preset : catalog.presets()) {
    known.push_back(preset.name);
    if (preset.name == name)
      parts.push_back("preset '" + preset.name + "', used as model: {preset: " + preset.name +
                      "}\n\n" + preset.text);
  }
  if (parts.empty())
    throw ConfigError("nothing is called '" + name + "'", nearest(name, known).empty()
                                                              ? "reckon describe lists everything"
                                                              : suggest(name, known));
  return join(parts, "\n");
}

std::string describe_catalog(const Catalog& catalog) {
  std::vector<std::string> parts;
  if (!catalog.presets().empty()) {
    std::string text = "presets (chosen by model.preset):\n";
    size_t width = 0;
    for (const auto& preset : catalog.presets()) width = std::max(width, preset.name.size());
    for (const auto& preset : catalog.presets())
      text += "  " + preset.name + std::string(width - preset.name.size(), ' ') + "  " +
              preset.summary + "\n";
    parts.push_back(text);
  }
  for (const auto* registry : catalog.kinds()) parts.push_back(kind_text(*registry));
  return join(parts, "\n");
}

ConfigNode with_origins(const ConfigNode& resolved, const ConfigNode& tree) {
  ConfigNode out = resolved;
  // A slot written as a bare name is a mapping in the resolved form: the name's place is its type's.
  if (resolved.is_map() && tree.is_scalar()) {
    out.set_locations({kDefaultOrigin, 0, 0});
    for (const auto* selector : {"type", "family"})
      if (auto* chosen = out.find(selector)) chosen->set_location(tree.location());
    out.set_location(tree.location());
    return out;
  }
  if (resolved.kind() != tree.kind()) {
    out.set_locations({kDefaultOrigin, 0, 0});
    return out;
  }
  out.set_location(tree.location());
  for (auto& entry : out.entries()) {
    const auto* source = tree.find_entry(entry.key);
    if (source) {
      entry.key_location = source->key_location;
      entry.value = with_origins(entry.value, source->value);
    } else {
      entry.key_location = {kDefaultOrigin, 0, 0};
      entry.value.set_locations({kDefaultOrigin, 0, 0});
    }
  }
  for (size_t i = 0; i < out.items().size(); ++i) {
    if (i < tree.items().size())
      out.items()[i] = with_origins(out.items()[i], tree.items()[i]);
    else
      out.items()[i].set_locations({kDefaultOrigin, 0, 0});
  }
  return out;
}

std::string describe_resolved(const ConfigNode& with_origins) {
  constexpr size_t kWidestColumn = 60;
  const auto lines = yaml_lines(with_origins);
  size_t width = 0;
  for (const auto& line : lines)
    if (line.value) width = std::max(width, std::min(line.text.size(), kWidestColumn));
  std::string text;
  for (const auto& line : lines) {
    text += line.text;
    if (line.value) {
      const auto& where = line.value->location();
      const auto origin = where.file == kDefaultOrigin ? "default"
                          : where.file == kCommandLineOrigin
                              ? "command line"
                              : SourceLocation{where.file, where.line, 0}.to_string();
      text += std::string(width - std::min(width, line.text.size()), ' ') + "  # " + origin;
    }
    text += '\n';
  }
  return text;
}

void walk_schema(const SchemaBase& schema, const ConfigNode& resolved, const Catalog& catalog,
                 const SchemaVisitor& visit) {
  walk_map("", schema, resolved, catalog, visit);
}

}  // namespace reckon
