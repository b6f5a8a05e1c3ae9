#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "core/files.h"

namespace reckon {

/// A wrong file beside the text of the message that it must give: `name.yaml` and `name.txt`.
struct BadFile {
  std::string name;  ///< "duplicate_key.yaml"
  std::string path;
  std::string expected;  ///< Content of the .txt, without the newline at its end.
};

/// All pairs of a folder in the order of their names.
///
/// Throws   std::runtime_error naming a file that has no other beside it, or a text that says nothing:
///          a mistake that nobody expects a message of would be a test that cannot fail.
inline std::vector<BadFile> bad_files(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<BadFile> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto is_text = entry.path().extension() == ".txt";
    if (!is_text && entry.path().extension() != ".yaml") continue;
    const auto other = fs::path(entry.path()).replace_extension(is_text ? ".yaml" : ".txt");
    if (!fs::exists(other))
      throw std::runtime_error(entry.path().string() + " has no " + other.filename().string() +
                               " beside it");
    if (is_text) continue;
    auto expected = read_file(other.string());
    while (expected.ends_with('\n')) expected.pop_back();
    if (expected.empty()) throw std::runtime_error(other.string() + " is empty");
    files.push_back({entry.path().filename().string(), entry.path().string(), expected});
  }
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

/// What kinds of mistakes a text of messages is about, one for each message: its words without the
/// place, the path, quoted parts, numbers, what was got, and the name of the kind of component.
inline std::vector<std::string> kinds_of_mistakes(const std::string& messages) {
  static const std::vector<std::pair<std::regex, std::string>> forget = {
      {std::regex("^(\\S+: )+"), ""},
      {std::regex("'[^']*'|\"[^\"]*\"|`[^`]*`"), ""},
      {std::regex(", got .*"), ""},
      {std::regex("^no [a-z ]*is called"), "no is called"},
      {std::regex("(must be one of|each other:|levels deep:) .*"), "$1"},
      {std::regex("[-+]?[0-9.]+(e[-+]?[0-9]+)?"), ""},
  };
  std::vector<std::string> kinds;
  const std::string mark = "error: ";
  for (size_t begin = 0; begin < messages.size();) {
    const auto end = std::min(messages.find('\n', begin), messages.size());
    auto line = messages.substr(begin, end - begin);
    begin = end + 1;
    const auto at = line.find(mark);
    if (at == std::string::npos || line.starts_with("    hint: ")) continue;
    line = line.substr(at + mark.size());
    for (const auto& [what, with] : forget) line = std::regex_replace(line, what, with);
    kinds.push_back(line);
  }
  return kinds;
}

/// Runs `read` on a file and returns what() of the ConfigError it throws, with the folder taken out of
/// every path, so that expected texts do not depend on where the source lies. "" when it throws none.
inline std::string message_of(const BadFile& file,
                              const std::function<void(const std::string& path)>& read) {
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
