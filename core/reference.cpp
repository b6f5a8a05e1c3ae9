#include <cctype>
#include <set>

#include "core/describe.h"

namespace reckon {

namespace {

// Texts go into cells of a table, where a bar would end the cell.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

std::string anchor(const std::string& title) {
  std::string out;
  for (const char c : title) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-')
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (c == ' ')
      out += '-';
  }
  return out;
}

std::string type_cell(const FieldDoc& doc) {
  auto text = cell(doc.type);
  if (!doc.kind.empty()) {
    const auto link = "[" + doc.kind + "](#" + anchor("kind " + doc.kind) + ")";
    text = doc.container == FieldDoc::Container::kList  ? "list of " + link
           : doc.container == FieldDoc::Container::kMap ? "mapping of names to " + link
                                                        : link;
  }
  return doc.nullable ? text + " or null" : text;
}

void append_rows(std::string& text, const SchemaBase& schema, const std::string& prefix,
                 std::set<const SchemaBase*> above) {
  above.insert(&schema);
  for (const auto& field : schema.fields()) {
    const auto& doc = field.doc;
    const auto key = prefix + doc.name;
    const auto fallback = doc.required ? "required" : code(doc.default_value);
    text += "| `" + key + "` | " + type_cell(doc) + " | " + fallback + " | " + cell(doc.limits) +
            " | " + cell(doc.doc) + " |\n";
    if (!doc.nested || above.contains(&doc.nested())) continue;
    const auto* below = doc.container == FieldDoc::Container::kList  ? "[]."
                        : doc.container == FieldDoc::Container::kMap ? ".<name>."
                                                                     : ".";
    append_rows(text, doc.nested(), key + below, above);
  }
}

void append_rules(std::string& text, const SchemaBase& schema, const std::string& prefix,
                  std::set<const SchemaBase*> above) {
  above.insert(&schema);
  for (const auto& invariant : schema.invariants()) {
    const auto place =
        invariant.key.empty() ? prefix.substr(0, prefix.find_last_of('.')) : prefix + invariant.key;
    text += "- " + (place.empty() ? "" : code(place) + ": ") + invariant.message + "\n";
  }
  for (const auto& field : schema.fields())
    if (field.doc.nested && !above.contains(&field.doc.nested()))
      append_rules(text, field.doc.nested(), prefix + field.doc.name + ".", above);
}

std::string schema_tables(const std::vector<const SchemaBase*>& schemas) {
  std::string rows;
  std::string rules;
  for (const auto* schema : schemas) {
    append_rows(rows, *schema, "", {});
    append_rules(rules, *schema, "", {});
  }
  if (rows.empty()) return "No options.\n\n";
  auto text = "| key | type | default | must be | meaning |\n|---|---|---|---|---|\n" + rows + "\n";
  if (!rules.empty()) text += "Rules:\n\n" + rules + "\n";
  return text;
}

}  // namespace

std::string reference_markdown(const std::vector<ReferenceSection>& sections,
                               const Catalog& catalog) {
  std::string text =
      "# Reference of all options\n\n"
      "Generated from the declarations in the code by `reckon describe --markdown`; a test holds "
      "it "
      "current.\n\n";
  for (const auto& section : sections) {
    text += "## " + section.title + "\n\n";
    if (!section.intro.empty()) text += section.intro + "\n\n";
    text += schema_tables({section.schema});
  }
  for (const auto* registry : catalog.kinds()) {
    text += "## Kind " + registry->kind() + "\n\nChosen by `" + registry->selector() + ":`.\n\n";
    if (registry->common())
      text += "Every " + registry->kind() + " takes:\n\n" + schema_tables({registry->common()});
    for (const auto& item : registry->items()) {
      text += "### " + registry->kind() + " `" + item.name + "`\n\n";
      if (!item.summary.empty()) text += item.summary + "\n\n";
      text += schema_tables({item.schema});
    }
    if (registry->items().empty()) text += "None is registered.\n\n";
  }
  if (!catalog.presets().empty()) {
    text += "## Presets\n\n| preset | what it is |\n|---|---|\n";
    for (const auto& preset : catalog.presets())
      text += "| `" + preset.name + "` | " + cell(preset.summary) + " |\n";
  }
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

}  // namespace reckon
