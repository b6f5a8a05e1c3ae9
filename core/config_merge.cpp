#include <algorithm>
#include <charconv>
#include <optional>

#include "core/config_node.h"

namespace reckon {

namespace {

// The entry by which a mapping names a component; null when it names none.
const ConfigNode::Entry* selector_entry(const ConfigNode& map) {
  for (const auto* key : {"type", "family"}) {
    const auto* entry = map.find_entry(key);
    if (entry && entry->value.is_scalar()) return entry;
  }
  return nullptr;
}

// Mappings whose keys are names of the user's own: a column may well be called `type`.
bool holds_user_names(const std::string& key) {
  const auto& keys = keys_of_user_names();
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// Key by key, whatever the keys are called.
ConfigNode merge_entries(const ConfigNode& base, const ConfigNode& overlay);

// What stands at `key`, with what is laid over it.
ConfigNode merge_at(const std::string& key, const ConfigNode& base, const ConfigNode& overlay) {
  if (holds_user_names(key) && base.is_map() && overlay.is_map())
    return merge_entries(base, overlay);
  return merge(base, overlay);
}

bool names_another(const ConfigNode& base, const ConfigNode& overlay) {
  const auto* old = selector_entry(base);
  const auto* chosen = selector_entry(overlay);
  if (!chosen) return false;
  return old &&
         (old->key != chosen->key || old->value.scalar_text() != chosen->value.scalar_text());
}

ConfigNode named(const std::string& selector, const ConfigNode& name) {
  auto map = ConfigNode::map(name.location());
  map.set(selector, name);
  return map;
}

struct Step {
  std::string key;
  size_t index = 0;
  bool is_index = false;
};

// Splits `objectives[0].weight`; nothing when it is malformed.
std::optional<std::vector<Step>> split_path(std::string_view path) {
  std::vector<Step> steps;
  bool expects_key = true;
  for (size_t i = 0; i < path.size();) {
    if (path[i] == '[') {
      if (expects_key && !steps.empty()) return std::nullopt;
      const auto end = path.find(']', i);
      if (end == std::string_view::npos) return std::nullopt;
      size_t index = 0;
      const auto [stop, error] = std::from_chars(path.data() + i + 1, path.data() + end, index);
      if (error != std::errc() || stop != path.data() + end) return std::nullopt;
      steps.push_back({"", index, true});
      expects_key = false;
      i = end + 1;
      continue;
    }
    if (!expects_key) {
      if (path[i] != '.') return std::nullopt;
      expects_key = true;
      ++i;
      continue;
    }
    const bool in_quotes = path[i] == '"';
    const auto end =
        in_quotes ? path.find('"', i + 1) : std::min(path.find_first_of(".[", i), path.size());
    if (end == std::string_view::npos) return std::nullopt;
    const auto begin = in_quotes ? i + 1 : i;
    if (end == begin) return std::nullopt;
    steps.push_back({std::string(path.substr(begin, end - begin)), 0, false});
    expects_key = false;
    i = in_quotes ? end + 1 : end;
  }
  if (expects_key) return std::nullopt;
  return steps;
}

// The `=` that ends the path, not one inside quotes.
size_t find_assignment(std::string_view text) {
  bool in_quotes = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') in_quotes = !in_quotes;
    if (text[i] == '=' && !in_quotes) return i;
  }
  return std::string_view::npos;
}

[[noreturn]] void fail(const std::string& message, const std::string& hint = "") {
  throw ConfigError({{{kCommandLineOrigin, 0, 0}, message, hint}});
}

void set_at(ConfigNode& node, const std::vector<Step>& steps, size_t depth, std::string path,
            const ConfigNode& value) {
  if (depth == steps.size()) {
    node = depth > 0 ? merge_at(steps[depth - 1].key, node, value) : merge(node, value);
    return;
  }
  const auto& step = steps[depth];
  if (step.is_index) {
    const auto here = path + "[" + std::to_string(step.index) + "]";
    if (!node.is_list()) fail(here + ": there is no list here, but " + node.describe());
    if (step.index >= node.items().size())
      fail(here + ": the list has " + std::to_string(node.items().size()) + " entries",
           "they count from 0; to make it longer, give the whole list");
    return set_at(node.items()[step.index], steps, depth + 1, here, value);
  }
  const auto here = path.empty() ? step.key : path + "." + step.key;
  if (node.is_list())
    fail(here + ": there is a list here", "name an entry, as in " + path + "[0]." + step.key);
  // The last step may choose another component: then merge() decides what stays of the old one.
  auto overlay = ConfigNode::map({kCommandLineOrigin, 0, 0});
  auto& slot = overlay.set(step.key, ConfigNode::null({kCommandLineOrigin, 0, 0}));
  const auto* old = node.find(step.key);
  if (old) slot = *old;
  set_at(slot, steps, depth + 1, here, value);
  if (node.is_map() && depth + 1 < steps.size()) {
    // What is below was merged already, and must replace what was there.
    if (auto* place = node.find(step.key))
      *place = std::move(slot);
    else
      node.set(step.key, std::move(slot));
    return;
  }
  node = depth > 0 ? merge_at(steps[depth - 1].key, node, overlay) : merge(node, overlay);
}

ConfigNode merge_entries(const ConfigNode& base, const ConfigNode& overlay) {
  ConfigNode merged = base;
  merged.set_location(overlay.location());
  for (const auto& entry : overlay.entries()) {
    const auto* old = merged.find_entry(entry.key);
    if (!old) {
      merged.entries().push_back(entry);
      continue;
    }
    auto& slot = merged.entries()[static_cast<size_t>(old - merged.entries().data())];
    slot.value = merge_at(entry.key, slot.value, entry.value);
    slot.key_location = entry.key_location;
  }
  return merged;
}

struct Assignment {
  std::string path;
  std::vector<Step> steps;
  ConfigNode value;
};

Assignment read_assignment(const std::string& assignment) {
  const auto equals = find_assignment(assignment);
  if (equals == std::string::npos)
    fail("'" + assignment + "' is no assignment",
         "write path=value, as in training.optimizer.lr=3e-4");
  const auto path = assignment.substr(0, equals);
  const auto steps = split_path(path);
  if (!steps)
    fail("'" + path + "' is no path", "write keys with dots, as in model.objectives[0].weight");
  ConfigNode value;
  try {
    value = parse_yaml(assignment.substr(equals + 1), kCommandLineOrigin);
  } catch (const ConfigError& error) {
    Problems problems;
    for (const auto& problem : error.diagnostics())
      problems.add({kCommandLineOrigin, 0, 0}, path + ": " + problem.message, problem.hint);
    problems.throw_if_any();
  }
  value.set_locations({kCommandLineOrigin, 0, 0});
  return {path, *steps, std::move(value)};
}

}  // namespace

ConfigNode merge(const ConfigNode& base, const ConfigNode& overlay) {
  if (base.is_map() && overlay.is_scalar()) {
    if (const auto* selector = selector_entry(base))
      return merge(base, named(selector->key, overlay));
  }
  if (base.is_scalar() && overlay.is_map() && !base.is_quoted() && !selector_entry(overlay))
    return merge(named("type", base), overlay);
  if (!base.is_map() || !overlay.is_map() || names_another(base, overlay)) return overlay;
  return merge_entries(base, overlay);
}

const std::vector<std::string>& keys_of_user_names() {
  static const std::vector<std::string> keys = {"types", "weights"};
  return keys;
}

const ConfigNode* ConfigNode::at_path(std::string_view path) const {
  if (path.empty()) return this;
  const auto steps = split_path(path);
  if (!steps) return nullptr;
  const ConfigNode* node = this;
  for (const auto& step : *steps) {
    if (step.is_index) {
      if (step.index >= node->items().size()) return nullptr;
      node = &node->items()[step.index];
    } else {
      node = node->find(step.key);
    }
    if (!node) return nullptr;
  }
  return node;
}

SourceLocation place_of(const ConfigNode& root, std::string_view path) {
  const auto is_written = [](const SourceLocation& where) {
    return !where.file.empty() && where.file != kDefaultOrigin;
  };
  while (!path.empty()) {
    const auto cut = path.find_last_of(".[");
    const bool is_outermost = cut == std::string_view::npos;
    const auto above = is_outermost ? std::string_view() : path.substr(0, cut);
    if (const auto* node = root.at_path(path)) {
      if (node->is_scalar() && is_written(node->location())) return node->location();
      const bool is_item = !is_outermost && path[cut] == '[';
      const auto* parent = root.at_path(above);
      const auto* entry = is_item || !parent
                              ? nullptr
                              : parent->find_entry(path.substr(is_outermost ? 0 : cut + 1));
      const auto& where = entry ? entry->key_location : node->location();
      if (is_written(where)) return where;
    }
    path = above;
  }
  return root.location();
}

void apply_override(ConfigNode& root, const std::string& assignment) {
  const auto read = read_assignment(assignment);
  if (root.is_null()) root = ConfigNode::map({kCommandLineOrigin, 0, 0});
  set_at(root, read.steps, 0, "", read.value);
}

void check_override(const std::string& assignment) { read_assignment(assignment); }

}  // namespace reckon
