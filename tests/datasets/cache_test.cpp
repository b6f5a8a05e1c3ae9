#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>
#include <tuple>

#include "core/files.h"
#include "core/ids.h"
#include "datasets/id_collector.h"
#include "datasets/prepare.h"
#include "datasets/vectors.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::cache_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
const std::string kFiles =
    "{files: {interactions: {path: s.txt, format: sequences}}, split: {type: leave_one_out}}";

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
  const auto other =
      data_options(directory,
                   "{files: {interactions: {path: s.txt, format: sequences}}, split: none}");
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
    if (round % 2 == 0)
      damaged.resize(random() % damaged.size());
    else
      damaged[random() % damaged.size()] ^= static_cast<char>(1 + random() % 255);
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

TEST(Cache, OfAnotherVersionOfTheCodeIsNotFound) {
  const TemporaryDirectory directory;
  directory.write("s.txt", "a x y z w\n");
  const auto options = data_options(directory, kFiles);
  EXPECT_EQ(dataset_fingerprint(options), dataset_fingerprint(options, kPreparationVersion));
  EXPECT_NE(dataset_fingerprint(options), dataset_fingerprint(options, kPreparationVersion + 1));
}

// What preparation makes of a small data set that goes through most of the code, as one number.
uint64_t digest_of_preparation(const TemporaryDirectory& directory) {
  std::string text = "user,item,rating,timestamp,event,weight\n";
  std::mt19937 random(5);
  // One number after another: the order within an expression is the compiler's choice.
  const auto add_number = [&](const char* before, unsigned below) {
    text += before + std::to_string(random() % below);
  };
  for (int row = 0; row < 400; ++row) {
    add_number("u", 23);
    add_number(",", 31);
    add_number(",", 5);
    add_number(",", 1000);
    add_number(".", 10);
    add_number(random() % 2 == 0 ? ",view," : ",buy,", 3);
    text += "\n";
  }
  directory.write("r.csv", text);
  uint64_t digest = 0;
  for (const char* split :
       {"{type: ratio, scope: user, order: random, validation: 0.2, test: 0.2}",
        "{type: leave_one_out}", "{type: time, validation_from: '700', test_from: '800'}"}) {
    const auto dataset =
        prepare_dataset(
            data_options(directory,
                         std::string("{files: {interactions: {path: r.csv}}, cleaning: {events: "
                                     "{weights: {buy: 2}}, "
                                     "duplicates: merge, k_core: {users: 3, items: 3}}, split: ") +
                             split + "}"))
            .dataset;
    const auto add = [&digest](const torch::Tensor& tensor) {
      const auto flat = tensor.contiguous();
      digest = hash64({static_cast<const char*>(flat.const_data_ptr()), flat.nbytes()}, digest);
    };
    const auto& data = dataset.interactions();
    for (const auto& tensor : {data.user_offsets, data.items, data.labels, data.times, data.weights,
                               data.events, dataset.split_of()})
      add(tensor);
    digest = hash64(dataset.users().bytes() + dataset.items().bytes(), digest);
  }
  return digest;
}

TEST(Cache, IsOfAnotherVersionWhenPreparationMakesOtherData) {
  const TemporaryDirectory directory;
  const std::map<int, uint64_t> digest_of_version = {{2, 7110602054587994825ULL}};
  const auto digest = digest_of_preparation(directory);
  ASSERT_TRUE(digest_of_version.contains(kPreparationVersion))
      << "add " << digest << " for the new version";
  EXPECT_EQ(digest, digest_of_version.at(kPreparationVersion))
      << "the same files and options give other data than before: raise kPreparationVersion, or "
         "caches "
         "of before will be taken for it";
}

TEST(Cache, SizesAreKnownFromItsHeadAlone) {
  const TemporaryDirectory directory;
  directory.write("s.txt", "a x y z w\nb y z x\n");
  const auto options = data_options(directory, kFiles);
  EXPECT_FALSE(prepared_sizes(options));
  EXPECT_FALSE(std::filesystem::exists(directory.path("cache")));
  const auto path = prepare_dataset(options).cache_directory + "/dataset.bin";
  ASSERT_TRUE(prepared_sizes(options));
  EXPECT_EQ(prepared_sizes(options)->num_users, 2);
  EXPECT_EQ(prepared_sizes(options)->num_items, 4);
  auto bytes = read_file(path);
  const auto users = bytes.find("ab", bytes.find("fingerprint") + 100);
  ASSERT_NE(users, std::string::npos);
  // Damage behind the head does not matter here, damage in it does.
  bytes[users] ^= 1;
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_TRUE(prepared_sizes(options));
  EXPECT_TRUE(is_prepared(options));
  bytes[bytes.find("fingerprint")] ^= 1;
  std::ofstream(path, std::ios::binary) << bytes;
  EXPECT_FALSE(prepared_sizes(options));
  EXPECT_FALSE(is_prepared(options));
}

TEST(Cache, HoldsTheInteractionsByItem) {
  const TemporaryDirectory directory;
  std::string text;
  std::mt19937 random(7);
  for (int user = 0; user < 40; ++user) {
    text += "u" + std::to_string(user);
    for (int i = 0; i < 5; ++i) text += " " + std::to_string(random() % 17);
    text += "\n";
  }
  directory.write("s.txt", text);
  const auto options = data_options(directory, kFiles);
  prepare_dataset(options);
  const auto dataset = prepare_dataset(options).dataset;
  const auto offsets = values_of<int64_t>(dataset.interactions().user_offsets);
  std::vector<std::tuple<int32_t, int32_t, int64_t>> expected;  // item, user, row
  for (int32_t user = 0; user < 40; ++user)
    for (auto row = offsets[user]; row < offsets[user + 1]; ++row)
      expected.emplace_back(dataset.interactions().items.data_ptr<int32_t>()[row], user, row);
  std::sort(expected.begin(), expected.end());
  const auto& by_item = dataset.by_item();
  const auto begin = values_of<int64_t>(by_item.offsets);
  const auto users = values_of<int32_t>(by_item.users);
  const auto rows = values_of<int64_t>(by_item.rows);
  ASSERT_EQ(begin.size(), static_cast<size_t>(dataset.num_items()) + 1);
  ASSERT_EQ(rows.size(), expected.size());
  for (int32_t item = 0; item < dataset.num_items(); ++item)
    for (auto i = static_cast<size_t>(begin[item]); i < static_cast<size_t>(begin[item + 1]); ++i)
      EXPECT_EQ(expected[i], std::tuple(item, users[i], rows[i])) << i;
}

TEST(IdCollector, NumbersAsAMapOfTextsDoes) {
  std::mt19937 random(11);
  // Around zero, around the end of direct lookup, around the largest plain integer, and no integers.
  const std::vector<std::string> beginnings = {"", "-", "0", "+", "1677721", "99999999999999999",
                                               "x"};
  IdMap expected;
  IdCollector collector;
  std::vector<std::string> kept;
  for (int i = 0; i < 3000; ++i)
    kept.push_back(beginnings[random() % beginnings.size()] + std::to_string(random() % 300));
  for (const auto& text : kept) {
    int64_t integer = 0;
    const bool is_plain = parse_plain_integer(text, integer);
    EXPECT_EQ(is_plain, std::to_string(std::atoll(text.c_str())) == text &&
                            text.size() - (text[0] == '-') < 19)
        << text;
    const auto id = expected.add(text);
    EXPECT_EQ(is_plain && random() % 2 == 0 ? collector.add(integer)
                                            : collector.add(std::string_view(text)),
              id)
        << text;
  }
  EXPECT_EQ(collector.add(int64_t{1234567890123456789}),
            collector.add(std::string_view("1234567890123456789")));
  EXPECT_EQ(collector.size(), expected.size() + 1);
  expected.add("1234567890123456789");
  EXPECT_EQ(collector.take().to_vector(), expected.to_vector());
  EXPECT_EQ(collector.size(), 0);
}

TEST(IdCollector, ABlockIsItsRowsOneAfterTheOther) {
  std::mt19937 random(13);
  for (const bool has_integers : {false, true}) {
    std::vector<std::string> texts;
    for (int i = 0; i < 1000; ++i)
      texts.push_back((has_integers && random() % 5 == 0 ? "" : "id-") +
                      std::to_string(random() % 200));
    ColumnValues column;
    column.text.assign(texts.begin(), texts.end());
    column.is_missing.assign(texts.size(), 0);
    IdCollector whole, single;
    std::vector<int32_t> ids, expected;
    whole.add(column, texts.size(), ids);
    for (const auto& text : texts) expected.push_back(single.add(std::string_view(text)));
    EXPECT_EQ(ids, expected);
    EXPECT_EQ(whole.take().to_vector(), single.take().to_vector());
  }
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
    return replaced(error_of([&] { read_vectors(directory.path(name), ids, width); }),
                    directory.path(""), "");
  };
  directory.write("nan.tsv", "a\t1\t2\nb\t1\tnan\n");
  EXPECT_EQ(problem("nan.tsv"),
            "nan.tsv:2: error: column 1 of the vector is NaN, expected a finite number");
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
}  // namespace reckon::testing::cache_test
