#include "core/files.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>

#include "core/diagnostics.h"

namespace reckon::files_test {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) /
              (std::string("files_test_") +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  size_t num_files() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

TEST_F(Files, WhatIsWrittenIsRead) {
  std::string bytes = "a\0b\n";
  bytes += std::string(200'000, 'x') + '\0';
  write_file_atomic(path("f"), bytes);
  EXPECT_EQ(read_file(path("f")), bytes);
  write_file_atomic(path("f"), "");
  EXPECT_EQ(read_file(path("f")), "");
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(Files, AWriterThatThrowsLeavesTheOldContentAndNothingElse) {
  write_file_atomic(path("f"), "old");
  EXPECT_THROW(write_file_atomic(path("f"),
                                 [](AtomicFile& file) {
                                   file.write("half of the n");
                                   throw std::runtime_error("killed");
                                 }),
               std::runtime_error);
  EXPECT_EQ(read_file(path("f")), "old");
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(Files, ASignalHandlerCanRemoveWhatIsNotCommitted) {
  AtomicFile open(path("open")), done(path("done"));
  open.write("half");
  done.write("whole");
  done.commit();
  EXPECT_EQ(num_files(), 2U);
  remove_temporary_files();
  EXPECT_EQ(num_files(), 1U);
  EXPECT_EQ(read_file(path("done")), "whole");
  // Whoever comes later finds room: no file of the past takes any.
  for (int i = 0; i < 100; ++i) AtomicFile(path("again")).write("x");
  AtomicFile later(path("later"));
  EXPECT_EQ(num_files(), 2U);
  remove_temporary_files();
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(Files, APlaceThatNoFileCanTakeIsRefusedBeforehand) {
  const auto refusal = [](const std::string& path) -> std::string {
    try {
      check_can_write(path);
    } catch (const DataError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(path("new")), "");
  write_file_atomic(path("there"), "x");
  EXPECT_EQ(refusal(path("there")), "");
  EXPECT_NE(refusal(folder_.string()).find("it is a folder"), std::string::npos);
  EXPECT_NE(refusal(path("no/new")).find("its folder " + path("no") + " is not there"),
            std::string::npos);
  EXPECT_NE(refusal(path("there/new")).find(path("there") + " is no folder"), std::string::npos);
}

TEST_F(Files, NothingAppearsBeforeCommit) {
  {
    AtomicFile file(path("f"));
    file.write("new");
    EXPECT_FALSE(fs::exists(path("f")));
    file.commit();
    EXPECT_EQ(read_file(path("f")), "new");
  }
  EXPECT_EQ(num_files(), 1U);
}

TEST_F(Files, AWriterMayReplaceTheTemporaryFileByItsPath) {
  AtomicFile file(path("f"));
  std::ofstream(file.temporary_path()) << "by path";
  file.commit();
  EXPECT_EQ(read_file(path("f")), "by path");
}

TEST_F(Files, ErrorsNameThePathAndTheReason) {
  try {
    read_file(path("none"));
    FAIL();
  } catch (const DataError& error) {
    EXPECT_EQ(std::string(error.what()),
              path("none") + ": error: cannot be read: No such file or directory");
  }
  EXPECT_THROW(read_file(folder_.string()), DataError);
  EXPECT_THROW(write_file_atomic(path("no/such/folder/f"), "x"), DataError);
  EXPECT_THROW(sha256_file(path("none")), DataError);
}

TEST(Sha256, EqualsThePublishedDigests) {
  // FIPS 180-4 examples; the lengths 55, 56, 63, 64 and 65 stand at the edges of the padding and
  // were computed with Python's hashlib.
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_EQ(sha256_hex(std::string(55, 'a')),
            "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  EXPECT_EQ(sha256_hex(std::string(56, 'a')),
            "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
  EXPECT_EQ(sha256_hex(std::string(63, 'a')),
            "7d3e74a05d7db15bce4ad9ec0658ea98e3f06eeecf16b4c6fff2da457ddc2f34");
  EXPECT_EQ(sha256_hex(std::string(64, 'a')),
            "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
  EXPECT_EQ(sha256_hex(std::string(65, 'a')),
            "635361c48bb9eab14198e76ea8ab7f1a41685d6ad62aa9146d301d4f17eb0ae0");
}

TEST_F(Files, Sha256OfAFileIsThatOfItsBytes) {
  const std::string bytes(3'000'000, 'q');
  write_file_atomic(path("f"), bytes);
  EXPECT_EQ(sha256_file(path("f")), sha256_hex(bytes));
}

TEST(Hash64, ChangesWithEveryByteLengthAndSeed) {
  std::set<uint64_t> seen;
  size_t num_texts = 0;
  for (const size_t size : {0, 1, 7, 8, 9, 31, 32, 33, 64, 100}) {
    const std::string zeros(size, '\0');
    seen.insert(hash64(zeros));
    seen.insert(hash64(zeros, 1));
    num_texts += 2;
    for (size_t i = 0; i < size; ++i) {
      auto changed = zeros;
      changed[i] = 1;
      seen.insert(hash64(changed));
      ++num_texts;
    }
  }
  EXPECT_EQ(seen.size(), num_texts);
  EXPECT_NE(hash64("ab12345678"), hash64("12345678ab"));
}

}  // namespace
}  // namespace reckon::files_test
