// `reckon data fetch` while bytes come, with programs in front of PATH that stand for a slow source.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/files.h"
#include "tests/support/program.h"

namespace reckon::fetch_test {

namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

void make_program(const std::string& path, const std::string& script) {
  write_file_atomic(path, "#!/bin/sh\n" + script);
  fs::permissions(path, fs::perms::owner_all);
}

TEST(FetchCommand, WritesPlainLinesOfProgressWhereThereIsNoTerminal) {
  const TemporaryFolder folder("fetch");
  const auto programs = folder.file("bin");
  fs::create_directories(programs);
  // Curl's last arguments are FILE -- URL; half of the archive comes, then nothing more.
  make_program(programs + "/curl",
               "while [ $# -gt 3 ]; do shift; done\n"
               "head -c 2462014 /dev/zero > \"$1\"\nsleep 3\necho the line is dead\nexit 7\n");
  make_program(programs + "/python3", "echo no wheel either\nexit 1\n");
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (programs + ":" + path).c_str(), 1);
  const auto err = folder.file("err");
  const int code =
      wait_for(start_reckon({"data", "fetch", "ml-100k", "--directory", folder.file("data")},
                            "/dev/null", err));
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_NE(code, 0);
  EXPECT_THAT(read_file(err),
              AllOf(HasSubstr("\n  2.3 MiB of 4.7 MiB\n"), HasSubstr("the line is dead"),
                    HasSubstr("no wheel either"), Not(HasSubstr("\r"))));
}

}  // namespace

}  // namespace reckon::fetch_test
