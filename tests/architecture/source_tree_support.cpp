#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>
#include <stdexcept>

#include "tests/architecture/source_tree.h"

namespace reckon {

namespace fs = std::filesystem;

namespace {

const fs::path kRoot = RECKON_SOURCE_DIR;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  size_t start = 0;
  for (size_t end; (end = text.find(separator, start)) != std::string::npos; start = end + 1)
    parts.push_back(text.substr(start, end - start));
  return parts;
}

std::vector<std::string> files_of_git() {
  const std::string command =
      "git -C '" + kRoot.string() + "' ls-files -z --cached --others --exclude-standard";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  if (!pipe) throw std::runtime_error("git cannot be started");
  std::string output;
  std::array<char, 4096> block;
  for (size_t got; (got = std::fread(block.data(), 1, block.size(), pipe.get())) > 0;)
    output.append(block.data(), got);
  std::set<std::string> files;
  for (const auto& file : split(output, '\0'))
    if (fs::exists(kRoot / file)) files.insert(file);
  return {files.begin(), files.end()};
}

std::vector<std::string> files_of_folder() {
  std::vector<std::string> files;
  for (auto it = fs::recursive_directory_iterator(kRoot); it != fs::end(it); ++it) {
    const auto path = fs::relative(it->path(), kRoot).string();
    if (path == "build" || path == ".deps" || path == "data" || path == "runs") {
      it.disable_recursion_pending();
    } else if (it->is_regular_file()) {
      files.push_back(path);
    }
  }
  return files;
}

}  // namespace

std::vector<std::string> tracked_files() {
  return fs::exists(kRoot / ".git") ? files_of_git() : files_of_folder();
}

std::string read_tracked(const std::string& path) {
  std::ifstream file(kRoot / path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

SourceTree read_sources() {
  static const std::regex comment("//[^\n]*");
  SourceTree tree;
  for (const auto& path : tracked_files())
    if (is_header(path) || fs::path(path).extension() == ".cpp")
      tree[path] = std::regex_replace(read_tracked(path), comment, "");
  return tree;
}

std::vector<std::string> includes_of(const std::string& text) {
  static const std::regex include("#\\s*include\\s*([\"<][^\">]+[\">])");
  std::vector<std::string> includes;
  for (std::sregex_iterator it(text.begin(), text.end(), include), end; it != end; ++it)
    includes.push_back((*it)[1]);
  return includes;
}

std::string folder_of(const std::string& path) {
  const auto slash = path.find('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

bool is_header(const std::string& path) { return fs::path(path).extension() == ".h"; }

}  // namespace reckon
