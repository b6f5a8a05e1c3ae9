#include "core/config_node.h"

#include "core/yaml_scalars.h"

namespace reckon {

ConfigNode::ConfigNode() = default;
ConfigNode::ConfigNode(const ConfigNode&) = default;
ConfigNode::ConfigNode(ConfigNode&&) noexcept = default;
ConfigNode& ConfigNode::operator=(const ConfigNode&) = default;
ConfigNode& ConfigNode::operator=(ConfigNode&&) noexcept = default;
ConfigNode::~ConfigNode() = default;

ConfigNode ConfigNode::null(SourceLocation where) {
  ConfigNode node;
  node.location_ = std::move(where);
  return node;
}

ConfigNode ConfigNode::scalar(std::string text, bool quoted, SourceLocation where) {
  auto node = null(std::move(where));
  node.kind_ = Kind::kScalar;
  node.quoted_ = quoted || is_null_word(text);
  node.text_ = std::move(text);
  return node;
}

ConfigNode ConfigNode::plain(std::string text) {
  return scalar(std::move(text), false, {kDefaultOrigin, 0, 0});
}

ConfigNode ConfigNode::text(std::string text) {
  const bool quoted = is_ambiguous(text) || !is_plain_safe(text);
  return scalar(std::move(text), quoted, {kDefaultOrigin, 0, 0});
}

ConfigNode ConfigNode::list(SourceLocation where) {
  auto node = null(std::move(where));
  node.kind_ = Kind::kList;
  return node;
}

ConfigNode ConfigNode::map(SourceLocation where) {
  auto node = null(std::move(where));
  node.kind_ = Kind::kMap;
  return node;
}

void ConfigNode::set_locations(const SourceLocation& where) {
  location_ = where;
  for (auto& item : items_) item.set_locations(where);
  for (auto& entry : entries_) {
    entry.key_location = where;
    entry.value.set_locations(where);
  }
}

void ConfigNode::append(ConfigNode item) { items_.push_back(std::move(item)); }

const ConfigNode::Entry* ConfigNode::find_entry(std::string_view key) const {
  for (const auto& entry : entries_)
    if (entry.key == key) return &entry;
  return nullptr;
}

const ConfigNode* ConfigNode::find(std::string_view key) const {
  const auto* entry = find_entry(key);
  return entry ? &entry->value : nullptr;
}

ConfigNode* ConfigNode::find(std::string_view key) {
  for (auto& entry : entries_)
    if (entry.key == key) return &entry.value;
  return nullptr;
}

ConfigNode& ConfigNode::set(std::string key, ConfigNode value) {
  if (auto* found = find(key)) return *found = std::move(value);
  auto where = value.location();
  entries_.push_back({std::move(key), std::move(where), std::move(value)});
  return entries_.back().value;
}

bool ConfigNode::erase(std::string_view key) {
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.key == key; }) > 0;
}

std::string ConfigNode::describe() const {
  switch (kind_) {
    case Kind::kNull:
      return "nothing";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a mapping";
    case Kind::kScalar:
      break;
  }
  constexpr size_t kLongestShown = 60;
  auto shown = text_.substr(0, kLongestShown);
  if (shown.size() < text_.size()) shown += "...";
  return quoted_ ? "the text \"" + shown + "\"" : "'" + shown + "'";
}

bool operator==(const ConfigNode& a, const ConfigNode& b) {
  if (a.kind_ != b.kind_ || a.text_ != b.text_) return false;
  if (a.quoted_ != b.quoted_ && is_typed(a.text_)) return false;
  if (a.items_ != b.items_ || a.entries_.size() != b.entries_.size()) return false;
  for (size_t i = 0; i < a.entries_.size(); ++i)
    if (a.entries_[i].key != b.entries_[i].key || !(a.entries_[i].value == b.entries_[i].value))
      return false;
  return true;
}

}  // namespace reckon
