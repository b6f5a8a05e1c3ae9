#include "tests/core/bad_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "core/config_node.h"

namespace reckon::bad_files_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kBad = std::string(RECKON_SOURCE_DIR) + "/tests/data/bad";

TEST(BadYaml, GivesExactlyTheMessageBesideIt) {
  const auto files = bad_files(kBad + "/yaml");
  EXPECT_GE(files.size(), 10U);
  for (const auto& file : files)
    EXPECT_EQ(message_of(file, [](const std::string& path) { load_yaml(path); }), file.expected)
        << file.name;
}

TEST(BadFiles, ShowNoKindOfMistakeMoreThanTwice) {
  std::map<std::string, std::vector<std::string>> files_of;
  for (const auto& folder : fs::directory_iterator(kBad)) {
    if (!folder.is_directory()) continue;
    for (const auto& file : bad_files(folder.path().string()))
      for (const auto& kind : kinds_of_mistakes(file.expected)) files_of[kind].push_back(file.name);
  }
  EXPECT_GE(files_of.size(), 40U);
  for (const auto& [kind, files] : files_of)
    EXPECT_LE(files.size(), 2U) << kind << ": " << join(files);
}

TEST(BadFiles, AKindOfMistakeIsItsMessageWithoutWhatDiffersFromCaseToCase) {
  EXPECT_THAT(kinds_of_mistakes(
                  "a.yaml:1:2: error: model.dim: must be in [1, 64], got 65\n"
                  "    hint: an error: is no message here\n"
                  "a.yaml:3:4: error: model.x: no encoder is called 'transfomer'\n"
                  "b.yaml:5:6: error: training.type: no training procedure is called 'fitt'"),
              ElementsAre("must be in [, ]", "no is called ", "no is called "));
}

TEST(BadFiles, AFileWithoutItsTextIsRefusedAndSoIsATextWithoutItsFile) {
  const auto refusal = [](const std::string& given, const std::string& content) -> std::string {
    const auto folder = fs::path(::testing::TempDir()) / "bad_files_refusal";
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::ofstream(folder / given) << content;
    if (content.empty()) std::ofstream(folder / "a.yaml") << "a: b\n";
    try {
      bad_files(folder.string());
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(refusal("a.yaml", "a: b\n"), HasSubstr("a.yaml has no a.txt beside it"));
  EXPECT_THAT(refusal("a.txt", "a\n"), HasSubstr("a.txt has no a.yaml beside it"));
  EXPECT_THAT(refusal("a.txt", ""), HasSubstr("a.txt is empty"));
}

}  // namespace
}  // namespace reckon::bad_files_test
