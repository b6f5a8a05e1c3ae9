#include "datasets/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/diagnostics.h"
#include "tests/support/zip_file.h"

namespace reckon::zip_archive_test {

namespace {

std::string long_text() {
  std::string text;
  for (int64_t i = 0; i < 300000; ++i) text += std::to_string(i * 7919 % 1013) + ",";
  return text;
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ZipArchive, GivesBackWhatWasPacked) {
  const auto text = long_text();
  for (const bool deflated : {true, false}) {
    const ZipArchive archive("a.zip",
                             make_zip({{"one.txt", text}, {"d/two", ""}, {"x", "y"}}, deflated));
    EXPECT_EQ(archive.names(), (std::vector<std::string>{"one.txt", "d/two", "x"}));
    EXPECT_EQ(archive.read("one.txt"), text) << "deflated=" << deflated;
    EXPECT_EQ(archive.read("d/two"), "");
    EXPECT_EQ(archive.read("x"), "y");
  }
}

TEST(ZipArchive, FindsItsEndBehindAComment) {
  auto bytes = make_zip({{"x", "y"}});
  bytes[bytes.size() - 2] = 11;
  EXPECT_EQ(ZipArchive("a.zip", bytes + "hello there").read("x"), "y");
}

TEST(ZipArchive, NamesTheFileAndTheEntryThatIsMissing) {
  const ZipArchive archive("a.zip", make_zip({{"x", "y"}}));
  EXPECT_FALSE(archive.contains("z"));
  EXPECT_EQ(error_of([&] { archive.read("z"); }), "a.zip: error: has no entry 'z'");
}

TEST(ZipArchive, RefusesWhatIsNoZipFile) {
  EXPECT_THAT(error_of([] { ZipArchive("a.zip", ""); }), ::testing::HasSubstr("is not a zip file"));
  EXPECT_THAT(error_of([] { ZipArchive("a.zip", std::string(500, 'x')); }),
              ::testing::HasSubstr("is not a zip file"));
}

TEST(ZipArchive, NoticesEveryDamagedByteOfTheContent) {
  const std::string text = "a text that is long enough to be packed, packed, packed, packed";
  const auto whole = make_zip({{"x", text}});
  const size_t first = 30 + 1;
  const size_t last = whole.find("PK\x01\x02");
  for (size_t i = first; i < last; ++i) {
    auto bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x41);
    const ZipArchive archive("a.zip", bytes);
    EXPECT_THROW(archive.read("x"), DataError) << "byte " << i;
  }
}

TEST(ZipArchive, RefusesAFileCutShortAtAnyByte) {
  const auto whole = make_zip({{"x", "some text"}, {"y", "more"}});
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(ZipArchive("a.zip", whole.substr(0, size)), DataError) << size << " bytes";
}

TEST(ZipArchive, RefusesAnEntryLargerThanAllowed) {
  const ZipArchive archive("a.zip", make_zip({{"x", std::string(1000, 'a')}}));
  EXPECT_EQ(archive.read("x", 1000).size(), 1000U);
  EXPECT_THAT(error_of([&] { archive.read("x", 999); }), ::testing::HasSubstr("1000 bytes"));
}

TEST(ZipArchive, RefusesAnEntryThatUnpacksToMoreThanItSays) {
  const auto whole = make_zip({{"x", std::string(5000, 'a')}});
  auto bytes = whole;
  const auto directory = whole.find("PK\x01\x02");
  bytes[directory + 24] = 1;
  bytes[directory + 25] = 0;
  const ZipArchive archive("a.zip", bytes);
  EXPECT_THAT(error_of([&] { archive.read("x"); }), ::testing::HasSubstr("does not unpack"));
}

}  // namespace

}  // namespace reckon::zip_archive_test
