#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "core/files.h"

namespace reckon {

/// A wrong file beside the text of the message that it must give: `name.yaml` and `name.txt`.
struct BadFile {
  std::string name;      ///< "duplicate_key.yaml"
  std::string path;
  std::string expected;  ///< Content of the .txt, without the newline at its end.
};

/// All pairs of a folder in the order of their names; a .yaml without .txt is expected to give "".
inline std::vector<BadFile> bad_files(const std::string& folder) {
  std::vector<BadFile> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto text_path = std::filesystem::path(entry.path()).replace_extension(".txt");
    auto expected = std::filesystem::exists(text_path) ? read_file(text_path.string()) : "";
    while (expected.ends_with('\n')) expected.pop_back();
    files.push_back({entry.path().filename().string(), entry.path().string(), expected});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

/// Runs `read` on a file and returns what() of the ConfigError it throws, with the folder taken out of
/// every path, so that expected texts do not depend on where the source lies. "" when it throws none.
inline std::string message_of(const BadFile& file, const std::function<void(const std::string& path)>& read) {
  std::string text;
  try {
    read(file.path);
  } catch (const ConfigError& error) {
    text = error.what();
  }
  const auto folder = std::filesystem::path(file.path).parent_path().string() + "/";
  for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder, at))
    text.erase(at, folder.size());
  return text;
}

}  // namespace reckon
