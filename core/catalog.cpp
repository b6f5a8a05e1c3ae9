#include "core/catalog.h"

namespace reckon {

namespace {

// The first comment of a preset without its marks; what it is in one line.
std::string first_comment(const std::string& text) {
  const auto end = text.find('\n');
  auto line = text.substr(0, end);
  if (line.empty() || line[0] != '#') return "";
  const auto begin = line.find_first_not_of("# ");
  return begin == std::string::npos ? "" : line.substr(begin);
}

}  // namespace

std::vector<std::string> RegistryBase::names() const {
  std::vector<std::string> names;
  for (const auto& item : items_) names.push_back(item.name);
  return names;
}

const RegistryBase::Item* RegistryBase::find(const std::string& name) const {
  for (const auto& item : items_)
    if (item.name == name) return &item;
  return nullptr;
}

const std::string& RegistryBase::summary(const std::string& name) const {
  const auto* item = find(name);
  if (!item) throw std::out_of_range("no " + kind_ + " is called '" + name + "'");
  return item->summary;
}

std::vector<FieldDoc> RegistryBase::docs(const std::string& name) const {
  const auto* item = find(name);
  if (!item) throw std::out_of_range("no " + kind_ + " is called '" + name + "'");
  auto docs = common_ ? common_->docs() : std::vector<FieldDoc>();
  for (auto& doc : item->schema->docs()) docs.push_back(std::move(doc));
  return docs;
}

void RegistryBase::add_item(Item item) {
  if (find(item.name))
    throw std::logic_error("two components of kind '" + kind_ + "' are called '" + item.name + "'");
  items_.push_back(std::move(item));
}

std::optional<size_t> RegistryBase::choose(const Cursor& at) const {
  const auto& node = at.node();
  const auto choices =
      items_.empty() ? "no " + kind_ + " is registered" : "one of: " + join(names());
  const auto* entry = node.find_entry(selector_);
  std::string name;
  if (node.is_scalar()) {
    name = node.scalar_text();
  } else if (entry) {
    if (!entry->value.is_scalar()) {
      at.entry(*entry).fail("expected the name of a component, got " + entry->value.describe(),
                            choices);
      return std::nullopt;
    }
    name = entry->value.scalar_text();
  } else if (node.is_map() && !at.default_type().empty()) {
    name = at.default_type();
  } else if (node.is_map()) {
    std::vector<std::string> keys;
    for (const auto& [key, where, value] : node.entries()) keys.push_back(key);
    const auto near = nearest(selector_, keys);
    at.fail("missing required key '" + selector_ + "'",
            near.empty() ? choices : "did you mean '" + selector_ + "' by '" + near + "'?");
    return std::nullopt;
  } else {
    at.fail("expected a component of kind '" + kind_ + "', got " + node.describe(),
            "a name or a mapping with '" + selector_ + "'; " + choices);
    return std::nullopt;
  }
  for (size_t i = 0; i < items_.size(); ++i)
    if (items_[i].name == name) return i;

  auto hint = items_.empty() ? choices : suggest(name, names());
  if (nearest(name, names()).empty()) {
    for (const auto* other : at.catalog().kinds())
      if (other != this && other->find(name))
        hint = "'" + name + "' is of kind '" + other->kind() + "'; " + choices;
    if (selector_ == "family" && at.catalog().find_preset(name))
      hint = "'" + name + "' is a preset: write preset: " + name;
  }
  const auto here = entry ? at.entry(*entry) : at;
  here.fail("no " + kind_ + " is called '" + name + "'", hint);
  return std::nullopt;
}

std::vector<const RegistryBase*> Catalog::kinds() const {
  std::vector<const RegistryBase*> kinds;
  for (const auto& slot : slots_) kinds.push_back(slot.registry.get());
  return kinds;
}

const RegistryBase* Catalog::find(std::string_view kind) const {
  for (const auto& slot : slots_)
    if (slot.registry->kind() == kind) return slot.registry.get();
  return nullptr;
}

const RegistryBase* Catalog::find(std::type_index type) const {
  for (const auto& slot : slots_)
    if (slot.type == type) return slot.registry.get();
  return nullptr;
}

void Catalog::add_preset(const std::string& name, const std::string& text,
                         const std::string& summary) {
  if (find_preset(name)) throw std::logic_error("two presets are called '" + name + "'");
  presets_.push_back({name, summary.empty() ? first_comment(text) : summary, text});
}

std::vector<std::string> Catalog::preset_names() const {
  std::vector<std::string> names;
  for (const auto& preset : presets_) names.push_back(preset.name);
  return names;
}

const Preset* Catalog::find_preset(const std::string& name) const {
  for (const auto& preset : presets_)
    if (preset.name == name) return &preset;
  return nullptr;
}

ConfigNode Catalog::preset(const std::string& name) const {
  const auto* found = find_preset(name);
  if (!found)
    throw ConfigError("no preset is called '" + name + "'", suggest(name, preset_names()));
  return parse_yaml(found->text, "<preset " + name + ">");
}

}  // namespace reckon
