#include <algorithm>
#include <utility>

#include "core/config_node.h"
#include "core/yaml_lines.h"
#include "core/yaml_scalars.h"

namespace reckon {

namespace {

constexpr size_t kWidestFlowList = 80;
constexpr size_t kLongestSimpleKey = 256;  // the parser itself gives up behind 1,024

std::string quoted(const std::string& text) {
  static const char* const kHex = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += std::string("\\") + c;
    else if (c == '\n')
      out += "\\n";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\r')
      out += "\\r";
    else if (byte < 0x20 || byte == 0x7f)
      out += std::string("\\x") + kHex[byte >> 4] + kHex[byte & 15];
    else
      out += c;
  }
  return out + "\"";
}

std::string scalar_yaml(const ConfigNode& node) {
  const auto& text = node.scalar_text();
  const bool needs_quotes = (node.is_quoted() && is_ambiguous(text)) || !is_plain_safe(text);
  return needs_quotes ? quoted(text) : text;
}

std::string key_yaml(const std::string& key) {
  return !is_null_word(key) && is_plain_safe(key) ? key : quoted(key);
}

bool is_simple_list(const ConfigNode& node) {
  return node.is_list() &&
         std::all_of(node.items().begin(), node.items().end(),
                     [](const auto& item) { return item.is_scalar() || item.is_null(); });
}

// Whether a value stands on the line of its key.
bool fits_on_line(const ConfigNode& node) {
  if (node.is_null() || node.is_scalar()) return true;
  if (node.items().empty() && node.entries().empty()) return true;
  return is_simple_list(node) && emit_flow(node).size() <= kWidestFlowList;
}

class Writer {
 public:
  std::vector<YamlLine> lines;

  // `prefix` stands in front of the first line, such as "  - ".
  void write(const ConfigNode& node, const std::string& prefix, size_t indent) {
    if (fits_on_line(node)) return add(prefix + emit_flow(node), &node);
    std::string first = prefix;
    const std::string spaces(indent, ' ');
    const auto next = [&] { return std::exchange(first, spaces); };
    for (const auto& item : node.items()) write(item, next() + "- ", indent + 2);
    for (const auto& entry : node.entries()) write_entry(entry, next(), indent);
  }

 private:
  void add(std::string text, const ConfigNode* value) { lines.push_back({std::move(text), value}); }

  void write_entry(const ConfigNode::Entry& entry, const std::string& prefix, size_t indent) {
    auto key = key_yaml(entry.key);
    if (key.size() > kLongestSimpleKey) {
      add(prefix + "? " + key, nullptr);
      return write(entry.value, std::string(indent, ' ') + ": ", indent + 2);
    }
    if (fits_on_line(entry.value))
      return add(prefix + key + ": " + emit_flow(entry.value), &entry.value);
    add(prefix + key + ":", nullptr);
    write(entry.value, std::string(indent + 2, ' '), indent + 2);
  }
};

}  // namespace

std::vector<YamlLine> yaml_lines(const ConfigNode& node) {
  Writer writer;
  writer.write(node, "", 0);
  return std::move(writer.lines);
}

std::string emit_yaml(const ConfigNode& node) {
  std::string text;
  for (const auto& line : yaml_lines(node)) text += line.text + '\n';
  return text;
}

std::string emit_flow(const ConfigNode& node) {
  switch (node.kind()) {
    case ConfigNode::Kind::kNull:
      return "null";
    case ConfigNode::Kind::kScalar:
      return scalar_yaml(node);
    case ConfigNode::Kind::kList: {
      std::vector<std::string> items;
      for (const auto& item : node.items()) items.push_back(emit_flow(item));
      return "[" + join(items) + "]";
    }
    case ConfigNode::Kind::kMap:
      break;
  }
  std::vector<std::string> entries;
  for (const auto& entry : node.entries()) {
    const auto key = key_yaml(entry.key);
    const auto* explicit_key = key.size() > kLongestSimpleKey ? "? " : "";
    entries.push_back(explicit_key + key + ": " + emit_flow(entry.value));
  }
  return "{" + join(entries) + "}";
}

}  // namespace reckon
