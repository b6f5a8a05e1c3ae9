#pragma once

#include <map>
#include <string>
#include <vector>

namespace reckon {

/// Paths below the project's folder, with the text of each file.
using SourceTree = std::map<std::string, std::string>;

/// The files of the project: tracked, or new and not ignored (all there are, outside a git checkout).
std::vector<std::string> tracked_files();

/// Every tracked .h and .cpp file, without comments.
SourceTree read_sources();

std::string read_tracked(const std::string& path);

/// What stands in `#include`s, with their quotes or brackets: `"core/schema.h"`, `<vector>`.
std::vector<std::string> includes_of(const std::string& text);

/// "layers" of "layers/mlp.h"; nothing for a file outside of all folders.
std::string folder_of(const std::string& path);

bool is_header(const std::string& path);

}  // namespace reckon
