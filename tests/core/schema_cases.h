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

/// For every key of a resolved config: a misspelling, a wrong type, and each constraint violated.
/// Keys of users' own naming (of mappings) have no schema and are left alone.
std::vector<SchemaCase> schema_cases(const SchemaBase& schema, const ConfigNode& resolved,
                                     const Catalog& catalog);

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
