// Every YAML block on a page is an experiment, or parts of one, that is read without an error.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>

#include "cli/default_catalog.h"
#include "cli/experiment.h"
#include "core/config_node.h"
#include "core/experiment_tree.h"
#include "core/files.h"

namespace reckon::documents_test {

namespace {

namespace fs = std::filesystem;

const fs::path kSource = RECKON_SOURCE_DIR;

std::vector<fs::path> pages() {
  std::vector<fs::path> pages = {kSource / "README.md"};
  for (const auto& entry : fs::recursive_directory_iterator(kSource / "docs"))
    if (entry.path().extension() == ".md") pages.push_back(entry.path());
  return pages;
}

std::vector<std::string> yaml_blocks(const std::string& page) {
  static const std::regex block("\n```yaml\n([^`]*)```");
  std::vector<std::string> blocks;
  for (std::sregex_iterator it(page.begin(), page.end(), block), end; it != end; ++it)
    blocks.push_back((*it)[1]);
  return blocks;
}

// A block without data or a model gets some.
std::string whole(const std::string& block) {
  const auto has = [&](const std::string& key) {
    return ("\n" + block).find("\n" + key + ":") != std::string::npos;
  };
  std::string text = block;
  if (!has("data")) text += "\ndata: {files: {interactions: {path: x.tsv}}}\n";
  if (!has("model")) text += "\nmodel: {preset: popularity}\n";
  return text;
}

TEST(Documents, EachYamlBlockIsReadWithoutAnError) {
  const auto catalog = default_catalog();
  int num_blocks = 0;
  for (const auto& page : pages())
    for (const auto& block : yaml_blocks(read_file(page.string()))) {
      ++num_blocks;
      try {
        const auto tree = parse_yaml(whole(block), fs::relative(page, kSource).string());
        read_experiment(assemble_experiment(tree, {}, catalog), catalog);
      } catch (const std::exception& error) {
        ADD_FAILURE() << error.what() << "\nin\n" << block;
      }
    }
  EXPECT_GE(num_blocks, 4);
}

}  // namespace

}  // namespace reckon::documents_test
