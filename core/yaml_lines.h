#pragma once

#include <string>
#include <vector>

#include "core/config_node.h"

namespace reckon {

/// A line of block-style YAML, and the value that stands on it (null for a key with values below).
struct YamlLine {
  std::string text;
  const ConfigNode* value = nullptr;
};

std::vector<YamlLine> yaml_lines(const ConfigNode& node);

}  // namespace reckon
