#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "core/files.h"
#include "core/ids.h"
#include "datasets/prepare.h"
#include "datasets/vectors.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
const std::string kFiles = "{files: {interactions: {path: s.txt, format: sequences}}, split: {type: leave_one_out}}";

TEST(Cache, IsUsedAgainAndGivesTheSame) {
  const TemporaryDirectory directory;
  directory.write("s.txt", "a x y z w\nb y z x\n");
  const auto options = data_options(directory, kFiles);
  EXPECT_FALSE(is_prepared(options));
  const auto first = prepare_dataset(options), second = prepare_dataset(options);
  EXPECT_FALSE(first.from_cache);
  EXPECT_TRUE(second.from_cache);
  EXPECT_TRUE(is_prepared(options));
  EXPECT_EQ(sequences(first.dataset), sequences(second.dataset));
  EXPECT_TRUE(torch::equal(first.dataset.split_of(), second.dataset.split_of()));
  EXPECT_EQ(first.dataset.fingerprint(), second.dataset.fingerprint());
  EXPECT_EQ(first.dataset.report(), second.dataset.report());
}

TEST(Cache, IsNeverStale) {
  const TemporaryDirectory directory;
  directory.write("s.txt", "a x y z w\nb y z x\n");
  const auto options = data_options(directory, kFiles);
  const auto before = prepare_dataset(options);
  const auto time = std::filesystem::last_write_time(directory.path("s.txt"));
  // The same size and the same time of change: content is what counts.
  directory.write("s.txt", "a x y w z\nb y z x\n");
  std::filesystem::last_write_time(directory.path("s.txt"), time);
  const auto after = prepare_dataset(options);
  EXPECT_FALSE(after.from_cache);
  EXPECT_THAT(sequences(after.dataset), ElementsAre("a: x y w z", "b: y z x"));
  EXPECT_NE(before.dataset.fingerprint(), after.dataset.fingerprint());
  const auto other = data_options(directory, "{files: {interactions: {path: s.txt, format: sequences}}, split: none}");
  EXPECT_FALSE(prepare_dataset(other).from_cache);
}

TEST(Cache, ADamagedOneIsMadeAnewWithAWarning) {
  const TemporaryDirectory directory;
  directory.write("s.txt", "a x y z w\nb y z x\n");
  const auto options = data_options(directory, kFiles);
  const auto right = prepare_dataset(options);
  const auto path = (std::filesystem::path(right.cache_directory) / "dataset.bin").string();
  const auto bytes = read_file(path);
  std::mt19937 random(3);
  for (int round = 0; round < 30; ++round) {
    auto damaged = bytes;
    if (round % 2 == 0) damaged.resize(random() % damaged.size());
    else damaged[random() % damaged.size()] ^= static_cast<char>(1 + random() % 255);
    std::ofstream(path, std::ios::binary) << damaged;
    const auto again = prepare_dataset(options);
    EXPECT_EQ(sequences(again.dataset), sequences(right.dataset)) << round;
    // Between its parts lie bytes that mean nothing; a file cut short is always noticed.
    EXPECT_TRUE(round % 2 == 1 || read_file(path) == bytes) << round;
  }
}

TEST(Cache, SeveralAtOnceAgree) {
  const TemporaryDirectory directory;
  directory.write("s.txt", "a x y z w\nb y z x\n");
  const auto options = data_options(directory, kFiles);
  std::vector<std::string> found(6);
  std::vector<std::thread> threads;
  for (auto& text : found)
    threads.emplace_back([&] { text = sequences(prepare_dataset(options).dataset).at(0); });
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(found, ::testing::Each("a: x y z w"));
}

TEST(IdMap, FindsWhatWasAddedAndNothingElse) {
  IdMap map;
  for (int i = 0; i < 5000; ++i) EXPECT_EQ(map.add("id-" + std::to_string(i)), i);
  EXPECT_EQ(map.add("id-17"), 17);
  EXPECT_EQ(map.find(""), kUnknownId);
  EXPECT_EQ(map.find("id-5000"), kUnknownId);
  const auto copy = IdMap::from_parts(map.bytes(), map.offsets());
  for (int i = 0; i < 5000; ++i) {
    EXPECT_EQ(copy.find("id-" + std::to_string(i)), i);
    EXPECT_EQ(copy.raw(i), "id-" + std::to_string(i));
  }
  EXPECT_THROW(map.raw(5000), std::out_of_range);
  EXPECT_THROW(IdMap::from_parts("aa", {0, 1, 2}), std::invalid_argument);
  EXPECT_THROW(IdMap::from_parts("ab", {0, 3}), std::invalid_argument);
}

TEST(Vectors, GoOutAndComeInTheSameInEveryForm) {
  const TemporaryDirectory directory;
  const auto ids = IdMap::from_ids({"a", "b", "c"});
  const auto vectors = torch::tensor({{1.5f, -2.f}, {0.1f, 3e-20f}, {7.f, 8.f}});
  for (const char* name : {"v.npy", "v.tsv", "v.parquet"}) {
    write_vectors(directory.path(name), ids, vectors);
    const auto back = read_vectors(directory.path(name), ids, 2);
    EXPECT_TRUE(torch::equal(back.rows, vectors)) << name;
    EXPECT_EQ(back.num_missing, 0);
  }
  // By raw id: another order, one missing, one unknown.
  directory.write("w.tsv", "c\t1\t2\nz\t0\t0\na\t3\t4\n");
  const auto some = read_vectors(directory.path("w.tsv"), ids, 2);
  EXPECT_EQ(some.num_missing, 1);
  EXPECT_EQ(some.num_unknown, 1);
  EXPECT_THAT(values_of<float>(some.rows[0]), ElementsAre(3.f, 4.f));
  EXPECT_THAT(values_of<float>(some.rows[2]), ElementsAre(1.f, 2.f));
  EXPECT_TRUE(some.rows[1].isnan().all().item<bool>());
}

TEST(Vectors, SayWhatIsWrongAndWhere) {
  const TemporaryDirectory directory;
  const auto ids = IdMap::from_ids({"a", "b"});
  const auto problem = [&](const std::string& name, int64_t width = 2) {
    return replaced(error_of([&] { read_vectors(directory.path(name), ids, width); }), directory.path(""), "");
  };
  directory.write("nan.tsv", "a\t1\t2\nb\t1\tnan\n");
  EXPECT_EQ(problem("nan.tsv"), "nan.tsv:2: error: column 1 of the vector is NaN, expected a finite number");
  directory.write("twice.tsv", "a\t1\t2\na\t1\t2\n");
  EXPECT_EQ(problem("twice.tsv"), "twice.tsv:2: error: the id 'a' stands twice");
  directory.write("word.tsv", "a\t1\tx\n");
  EXPECT_EQ(problem("word.tsv"), "word.tsv:1: error: 'x' is no number");
  write_vectors(directory.path("w.npy"), ids, torch::zeros({2, 3}));
  EXPECT_EQ(problem("w.npy"), "w.npy: error: vectors have 3 columns, expected 2 (model.dim)");
  const auto whole = read_file(directory.path("w.npy"));
  for (size_t size = 0; size < whole.size(); size += 7) {
    directory.write("cut.npy", whole.substr(0, size));
    EXPECT_THAT(problem("cut.npy", 3), HasSubstr("cut.npy: error:")) << size;
  }
}

}  // namespace
}  // namespace reckon::testing
