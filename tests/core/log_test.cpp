#include "core/log.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/diagnostics.h"
#include "core/files.h"

namespace reckon::log_test {
namespace {

TEST(Log, WritesPlainLinesToStandardErrorAndDatedOnesToTheFile) {
  const auto path = testing::TempDir() + "log_test.txt";
  std::filesystem::remove(path);
  testing::internal::CaptureStderr();
  init_log({.file = path});
  log_info("one");
  log_warning("two\nlines");
  init_log({.file = path, .quiet = true});
  log_info("three");
  log_error("four");
  init_log({});
  const auto shown = testing::internal::GetCapturedStderr();
  EXPECT_EQ(shown, "one\nwarning: two\nlines\nerror: four\n");
  const auto file = read_file(path);
  std::filesystem::remove(path);
  for (const auto* part : {"Z one\n", "Z warning: two\nlines\n", "Z three\n", "Z error: four\n"})
    EXPECT_NE(file.find(part), std::string::npos) << part << "\n" << file;
}

TEST(Log, RefusesAFileThatCannotBeOpened) {
  EXPECT_THROW(init_log({.file = testing::TempDir() + "no/such/folder/log.txt"}), DataError);
}

}  // namespace
}  // namespace reckon::log_test
