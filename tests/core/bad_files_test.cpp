#include "tests/core/bad_files.h"

#include <gtest/gtest.h>

#include "core/config_node.h"

namespace reckon {
namespace {

TEST(BadYaml, GivesExactlyTheMessageBesideIt) {
  const auto files = bad_files(std::string(RECKON_SOURCE_DIR) + "/tests/data/bad/yaml");
  EXPECT_GE(files.size(), 10U);
  for (const auto& file : files) {
    ASSERT_NE(file.expected, "") << file.name << " has no text beside it";
    EXPECT_EQ(message_of(file, [](const std::string& path) { load_yaml(path); }), file.expected) << file.name;
  }
}

}  // namespace
}  // namespace reckon
