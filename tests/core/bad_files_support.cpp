#include <algorithm>
#include <filesystem>

#include "core/diagnostics.h"
#include "core/files.h"
#include "tests/core/bad_files.h"

namespace reckon {

namespace fs = std::filesystem;

std::vector<BadFile> bad_files(const std::string& folder) {
  std::vector<BadFile> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const auto text_path = fs::path(entry.path()).replace_extension(".txt");
    auto expected = fs::exists(text_path) ? read_file(text_path.string()) : "";
    while (expected.ends_with('\n')) expected.pop_back();
    files.push_back({entry.path().filename().string(), entry.path().string(), expected});
  }
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

std::string message_of(const BadFile& file, const std::function<void(const std::string& path)>& read) {
  std::string text;
  try {
    read(file.path);
  } catch (const ConfigError& error) {
    text = error.what();
  }
  const auto folder = fs::path(file.path).parent_path().string() + "/";
  for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder, at))
    text.erase(at, folder.size());
  return text;
}

}  // namespace reckon
