#include "datasets/fetch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "core/diagnostics.h"
#include "core/files.h"
#include "datasets/movielens.h"
#include "tests/datasets/datasets_support.h"
#include "tests/support/zip_file.h"

namespace reckon::fetch_test {

namespace {

namespace fs = std::filesystem;
using testing::error_of;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;

std::string url_of(const std::string& path) {
  return "file://" + std::regex_replace(path, std::regex(" "), "%20");
}

/// A data set of one file, from an archive that the test has written to `archive`.
KnownDataset tiny_dataset(const std::string& archive, const std::string& content) {
  KnownDataset dataset;
  dataset.name = "tiny";
  dataset.checksums = {{"data.tsv", sha256_hex(content)}};
  dataset.sources = {{.what = "the test",
                      .url = url_of(archive),
                      .wheel = "",
                      .marker = "tiny/data",
                      .normalize = [](const ZipArchive& zip) {
                        return DatasetFiles{{"data.tsv", "head\n" + zip.read("tiny/data")}};
                      }}};
  return dataset;
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// Rows of the same shape as the real files', with each peculiarity that the two sources have.
const std::vector<std::pair<std::string, std::string>> kPublisherFiles = {
    {"ml-100k/u.data", "7\t3\t5\t881250949\n2\t1\t1\t881250950\n"},
    {"ml-100k/u.item",
     "1|Les \xc9toiles (1995)|01-Jan-1995||http://x|0|1|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
     "2|unknown||||1|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"
     "3|Blanks (Behind) (1996) |09-Feb-1996||http://x|0|0|0|0|0|0|0|1|0|0|0|0|0|0|0|0|0|0|0\n"
     "4|On Video (1995) (V)|01-Jan-1995||http://x|0|0|0|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0|0\n"},
    {"ml-100k/u.user", "1|24|M|technician|85711\n2|53|F|other|V0R2M\n"}};

const std::vector<std::pair<std::string, std::string>> kWheelFiles = {
    {"recbole/dataset_example/ml-100k/ml-100k.inter",
     "user_id:token\titem_id:token\trating:float\ttimestamp:float\n7\t3\t5\t881250949\n"
     "2\t1\t1\t881250950\n"},
    {"recbole/dataset_example/ml-100k/ml-100k.item",
     "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
     "1\tLes \xc3\x89toiles\t1995\tAction Comedy\n2\tunkonwn\tunkonwn\tunknown\n"
     "3\tBlanks (Behind)\t1996\tDocumentary\n4\tOn Video (1995)\tV\tAnimation Children's\n"},
    {"recbole/dataset_example/ml-100k/ml-100k.user",
     "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
     "1\t24\tM\ttechnician\t85711\n2\t53\tF\tother\tV0R2M\n"}};

TEST(MovieLens100K, BothSourcesLeadToTheSameFiles) {
  const auto dataset = movielens_100k();
  ASSERT_EQ(dataset.sources.size(), 2U);
  const auto publisher = dataset.sources[0].normalize({"p.zip", make_zip(kPublisherFiles)});
  const auto wheel = dataset.sources[1].normalize({"w.whl", make_zip(kWheelFiles)});
  EXPECT_EQ(publisher, wheel);
  EXPECT_EQ(publisher.at("interactions.tsv"),
            "user\titem\trating\ttimestamp\n7\t3\t5\t881250949\n2\t1\t1\t881250950\n");
  EXPECT_EQ(publisher.at("items.tsv"),
            "item\ttitle\tyear\tgenres\n1\tLes \xc3\x89toiles (1995)\t1995\tAction|Comedy\n"
            "2\tunknown\t\tunknown\n3\tBlanks (Behind) (1996)\t1996\tDocumentary\n"
            "4\tOn Video (1995) (V)\t1995\tAnimation|Children's\n");
  EXPECT_EQ(publisher.at("users.tsv"),
            "user\tage\tgender\toccupation\tzip\n1\t24\tM\ttechnician\t85711\n"
            "2\t53\tF\tother\tV0R2M\n");
}

TEST(MovieLens100K, NamesTheLineThatHasAFieldTooFew) {
  auto files = kPublisherFiles;
  files[2].second = "1|24|M|technician|85711\n2|53|F|other\n";
  const ZipArchive archive("p.zip", make_zip(files));
  EXPECT_EQ(error_of([&] { movielens_100k().sources[0].normalize(archive); }),
            "ml-100k/u.user:2: error: expected 5 fields, got 4: 2|53|F|other");
}

TEST(MovieLens100K, PinsAChecksumForEveryFileItMakes) {
  const auto dataset = movielens_100k();
  const auto made = dataset.sources[0].normalize({"p.zip", make_zip(kPublisherFiles)});
  ASSERT_EQ(dataset.checksums.size(), made.size());
  for (const auto& [name, bytes] : made) EXPECT_EQ(dataset.checksums.at(name).size(), 64U) << name;
}

TEST(FetchDataset, PutsVerifiedFilesAndNothingElse) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  write_file_atomic(folder + "/a.zip", make_zip({{"tiny/data", "1\t2\n"}}));
  const auto result =
      fetch_dataset(tiny_dataset(folder + "/a.zip", "head\n1\t2\n"), folder + "/data");
  EXPECT_FALSE(result.was_there);
  EXPECT_EQ(result.source, "the test");
  EXPECT_EQ(result.files, std::vector<std::string>{folder + "/data/tiny/data.tsv"});
  EXPECT_EQ(read_file(folder + "/data/tiny/data.tsv"), "head\n1\t2\n");
  EXPECT_EQ(names_in(folder + "/data"), std::vector<std::string>{"tiny"});
  EXPECT_EQ(names_in(folder + "/data/tiny"), std::vector<std::string>{"data.tsv"});
}

TEST(FetchDataset, LeavesAloneWhatIsThereAndRight) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  fs::create_directories(folder + "/tiny");
  write_file_atomic(folder + "/tiny/data.tsv", "head\nx\n");
  // There is no archive: asking for it would fail.
  const auto result = fetch_dataset(tiny_dataset(folder + "/none.zip", "head\nx\n"), folder);
  EXPECT_TRUE(result.was_there);
}

TEST(FetchDataset, RefusesToReplaceAFileThatDiffersUnlessForced) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  write_file_atomic(folder + "/a.zip", make_zip({{"tiny/data", "new\n"}}));
  const auto dataset = tiny_dataset(folder + "/a.zip", "head\nnew\n");
  fs::create_directories(folder + "/tiny");
  write_file_atomic(folder + "/tiny/data.tsv", "mine");
  EXPECT_THAT(error_of([&] { fetch_dataset(dataset, folder); }), HasSubstr("--force replaces it"));
  EXPECT_EQ(read_file(folder + "/tiny/data.tsv"), "mine");
  FetchOptions options;
  options.force = true;
  fetch_dataset(dataset, folder, options);
  EXPECT_EQ(read_file(folder + "/tiny/data.tsv"), "head\nnew\n");
}

TEST(FetchDataset, WritesNothingWhenTheContentIsNotWhatIsPinned) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  write_file_atomic(folder + "/a.zip", make_zip({{"tiny/data", "other\n"}}));
  const auto dataset = tiny_dataset(folder + "/a.zip", "head\nexpected\n");
  EXPECT_THAT(error_of([&] { fetch_dataset(dataset, folder + "/data"); }),
              HasSubstr("data.tsv is not what is expected of tiny: SHA-256"));
  EXPECT_EQ(names_in(folder + "/data"), std::vector<std::string>{});
}

TEST(FetchDataset, GoesOnToTheNextSourceAndTellsWhy) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  write_file_atomic(folder + "/page.zip", "<html>please log in</html>");
  write_file_atomic(folder + "/a.zip", make_zip({{"tiny/data", "x\n"}}));
  auto dataset = tiny_dataset(folder + "/a.zip", "head\nx\n");
  auto missing = dataset.sources[0];
  missing.what = "nobody";
  missing.url = url_of(folder + "/none.zip");
  auto page = dataset.sources[0];
  page.what = "a proxy";
  page.url = url_of(folder + "/page.zip");
  dataset.sources.insert(dataset.sources.begin(), {missing, page});

  std::string said;
  FetchOptions options;
  options.report = [&](const std::string& line) { said += line + "\n"; };
  EXPECT_EQ(fetch_dataset(dataset, folder, options).source, "the test");
  EXPECT_THAT(said, HasSubstr("asking nobody\n" + url_of(folder + "/none.zip") + ": "));
  EXPECT_THAT(said, HasSubstr("is not a zip file"));
}

TEST(FetchDataset, SaysWhatToDoByHandWhenNoSourceAnswers) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  const auto dataset = tiny_dataset(folder + "/none.zip", "x");
  EXPECT_THAT(error_of([&] { fetch_dataset(dataset, folder); }),
              ::testing::AllOf(HasSubstr("could not be fetched:\n  " +
                                         url_of(folder + "/none.zip") + ": "),
                               HasSubstr("--archive FILE: " + url_of(folder + "/none.zip"))));
}

TEST(FetchDataset, TakesAnArchiveThatWasFetchedByHand) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  write_file_atomic(folder + "/mine.zip", make_zip({{"tiny/data", "x\n"}}));
  write_file_atomic(folder + "/foreign.zip", make_zip({{"other", "x\n"}}));
  const auto dataset = tiny_dataset(folder + "/none.zip", "head\nx\n");
  FetchOptions options;
  options.archive = folder + "/foreign.zip";
  EXPECT_THAT(error_of([&] { fetch_dataset(dataset, folder, options); }),
              HasSubstr("is not an archive of tiny: it has none of tiny/data"));
  options.archive = folder + "/mine.zip";
  fetch_dataset(dataset, folder, options);
  EXPECT_EQ(read_file(folder + "/tiny/data.tsv"), "head\nx\n");
}

TEST(FetchDataset, ClearsAwayWhatAKilledFetchLeft) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  write_file_atomic(folder + "/a.zip", make_zip({{"tiny/data", "x\n"}}));
  fs::create_directories(folder + "/data/.tiny.partial/0");
  write_file_atomic(folder + "/data/.tiny.partial/0/archive", "half of it");
  fetch_dataset(tiny_dataset(folder + "/a.zip", "head\nx\n"), folder + "/data");
  EXPECT_EQ(names_in(folder + "/data"), std::vector<std::string>{"tiny"});
}

TEST(FetchDataset, RefusesToRunBesideAnother) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  const auto partial = folder + "/.tiny.partial";
  fs::create_directories(partial);
  const int other = ::open(partial.c_str(), O_RDONLY | O_DIRECTORY);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  EXPECT_THAT(error_of([&] { fetch_dataset(tiny_dataset(folder + "/none.zip", "x"), folder); }),
              HasSubstr("another reckon is fetching"));
  ::close(other);
}

TEST(FetchDataset, ReportsTheBytesThatHaveCome) {
  const TemporaryDirectory temporary;
  const auto folder = temporary.path("a folder");
  fs::create_directories(folder);
  write_file_atomic(folder + "/a.zip",
                    make_zip({{"tiny/data", std::string(300000, 'x')}}, /*deflated=*/false));
  FetchOptions options;
  int64_t largest = 0;
  int64_t size = 0;
  options.progress = [&](int64_t bytes, int64_t total) {
    largest = std::max(largest, bytes);
    size = total;
  };
  auto dataset = tiny_dataset(folder + "/a.zip", "head\n" + std::string(300000, 'x'));
  dataset.sources[0].size = 300123;
  fetch_dataset(dataset, folder, options);
  EXPECT_GE(largest, 300000);
  EXPECT_EQ(size, 300123);
}

TEST(KnownDataset, SuggestsTheNearestName) {
  EXPECT_EQ(known_dataset("ml-100k").name, "ml-100k");
  try {
    known_dataset("ml100k");
    FAIL() << "no error";
  } catch (const ConfigError& error) {
    EXPECT_THAT(error.what(), HasSubstr("ml-100k"));
  }
}

}  // namespace

}  // namespace reckon::fetch_test
