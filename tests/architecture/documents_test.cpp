// What the pages say of the project: links, configs, and the experiment on the first page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "tests/architecture/source_tree.h"

namespace reckon::documents_test {

namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Complaints = std::vector<std::string>;

SourceTree pages() {
  SourceTree pages;
  for (const auto& path : tracked_files())
    if (fs::path(path).extension() == ".md") pages[path] = read_tracked(path);
  return pages;
}

/// Files and the folders they are in.
std::set<std::string> places(const std::vector<std::string>& files) {
  std::set<std::string> places;
  for (const auto& file : files)
    for (fs::path path = file; !path.empty(); path = path.parent_path())
      places.insert(path.string());
  return places;
}

/// Links to files of ours lead to one.
Complaints against_dead_links(const SourceTree& pages, const std::set<std::string>& places) {
  static const std::regex link("\\]\\(([^)#\\s]+)(#[^)]*)?\\)");
  Complaints complaints;
  for (const auto& [path, text] : pages)
    for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it) {
      const std::string target = (*it)[1];
      if (target.find("://") != std::string::npos) continue;
      auto place = (fs::path(path).parent_path() / target).lexically_normal().string();
      if (!place.empty() && place.back() == '/') place.pop_back();
      if (places.count(place) == 0) complaints.push_back(path + " links to " + target);
    }
  return complaints;
}

/// Configs, scripts and presets that a page names are there.
Complaints against_missing_files(const SourceTree& pages, const std::set<std::string>& places) {
  static const std::regex name(
      "(^|[^a-zA-Z0-9_./<-])((configs|scripts|models/presets)/[a-zA-Z0-9_./-]+\\.(yaml|sh|env))");
  Complaints complaints;
  for (const auto& [path, text] : pages)
    for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it)
      if (places.count((*it)[2]) == 0) complaints.push_back(path + " names " + (*it)[2].str());
  return complaints;
}

/// Decisions are numbered without gaps, say their number, and stand in the list of them.
Complaints against_decisions(const SourceTree& pages) {
  static const std::regex decision("docs/decisions/(\\d{3})-[a-z0-9-]+\\.md");
  Complaints complaints;
  const auto list = pages.find("docs/decisions/README.md");
  int next = 1;
  for (const auto& [path, text] : pages) {
    std::smatch match;
    if (!std::regex_match(path, match, decision)) continue;
    const std::string number = match[1];
    if (std::stoi(number) != next++) complaints.push_back(path + " is not the next number");
    if (text.rfind("# " + number + " ", 0) != 0)
      complaints.push_back(path + " has another number inside");
    if (list == pages.end() ||
        list->second.find(fs::path(path).filename().string()) == std::string::npos)
      complaints.push_back(path + " is not in the list");
  }
  return complaints;
}

std::vector<std::string> yaml_blocks(const std::string& page) {
  static const std::regex block("\n```yaml\n([^`]*)```");
  std::vector<std::string> blocks;
  for (std::sregex_iterator it(page.begin(), page.end(), block), end; it != end; ++it)
    blocks.push_back((*it)[1]);
  return blocks;
}

TEST(Documents, LinksLeadToFilesOfOurs) {
  const auto ours = places(tracked_files());
  EXPECT_THAT(against_dead_links(pages(), ours), IsEmpty());
  EXPECT_THAT(against_dead_links(
                  {{"docs/a.md",
                    "[a](../README.md) [b](b.md#c) [c](https://x.y/z) [d](../tests/) [e](#f)"}},
                  {"README.md", "tests", "docs/a.md"}),
              ElementsAre("docs/a.md links to b.md"));
}

TEST(Documents, NameOnlyConfigsAndScriptsThatAreThere) {
  EXPECT_THAT(against_missing_files(pages(), places(tracked_files())), IsEmpty());
  EXPECT_THAT(against_missing_files(
                  {{"a.md", "`configs/a/b.yaml`, configs/<model>/x.yaml, scripts/run.sh\n"}},
                  {"configs/a/b.yaml"}),
              ElementsAre("a.md names scripts/run.sh"));
}

TEST(Documents, DecisionsAreNumberedAndListed) {
  EXPECT_THAT(against_decisions(pages()), IsEmpty());
  EXPECT_THAT(against_decisions({{"docs/decisions/README.md", "001-a.md 003-c.md"},
                                 {"docs/decisions/001-a.md", "# 001 A\n"},
                                 {"docs/decisions/002-b.md", "# 002 B\n"},
                                 {"docs/decisions/003-c.md", "# 004 C\n"},
                                 {"docs/decisions/005-d.md", "# 005 D\n"}}),
              ElementsAre("docs/decisions/002-b.md is not in the list",
                          "docs/decisions/003-c.md has another number inside",
                          "docs/decisions/005-d.md is not the next number",
                          "docs/decisions/005-d.md is not in the list"));
}

TEST(Documents, TheFirstPageShowsAnExperimentOfOursWordForWord) {
  const auto blocks = yaml_blocks(read_tracked("README.md"));
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_EQ(blocks[0], read_tracked("configs/sasrec_softmax/ml-100k.yaml"));
}

}  // namespace

}  // namespace reckon::documents_test
