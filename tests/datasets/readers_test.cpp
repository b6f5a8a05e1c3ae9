#include <arrow/api.h>
#include <arrow/io/api.h>
#include <arrow/ipc/writer.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "datasets/prepare.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::readers_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> read(const TemporaryDirectory& directory, const std::string& file) {
  return sequences(
      prepare_dataset(data_options(directory, "{files: {interactions: " + file + "}, split: none}"))
          .dataset);
}

std::string problem(const TemporaryDirectory& directory, const std::string& file,
                    const std::string& cleaning = "{}") {
  return replaced(error_of([&] {
                    prepare_dataset(data_options(directory, "{files: {interactions: " + file +
                                                                "}, cleaning: " + cleaning +
                                                                ", split: none}"));
                  }),
                  directory.path(""), "");
}

TEST(Readers, OneDataSetInEveryFormGivesTheSame) {
  const TemporaryDirectory directory;
  const std::vector<std::string> expected = {"ann: x z", "bob: y"};
  directory.write("r.csv", "user,item,rating,timestamp\nann,z,2,7\nbob,y,3,1\nann,x,5,6\n");
  directory.write("r.tsv",
                  "user_id:token\titem_id:token\trating:float\ttimestamp:"
                  "float\nann\tz\t2\t7\nbob\ty\t3\t1\nann\tx\t5\t6\n");
  directory.write("r.jsonl",
                  "{\"user\": \"ann\", \"item\": \"z\", \"rating\": 2, \"timestamp\": 7}\n"
                  "{\"user\": \"bob\", \"item\": \"y\", \"rating\": 3, \"timestamp\": 1}\n"
                  "{\"user\": \"ann\", \"item\": \"x\", \"rating\": 5, \"timestamp\": 6}\n");
  directory.write("plain.dat", "ann::z::2::7\nbob::y::3::1\nann::x::5::6\n");
  directory.write_gz("r.csv.gz", "user,item,rating,timestamp\nann,z,2,7\nbob,y,3,1\nann,x,5,6\n");
  directory.write("dates.csv",
                  "user,item,timestamp\nann,z,2001-01-02\nbob,y,1999-12-31T10:00:00Z\nann,x,2001-"
                  "01-01 23:59:59\n");
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("user", arrow::utf8()), arrow::field("item", arrow::utf8()),
                     arrow::field("timestamp", arrow::int64())}),
      [] {
        arrow::StringBuilder users, items;
        arrow::Int64Builder times;
        EXPECT_TRUE(users.AppendValues({"ann", "bob", "ann"}).ok());
        EXPECT_TRUE(items.AppendValues({"z", "y", "x"}).ok());
        EXPECT_TRUE(times.AppendValues({7, 1, 6}).ok());
        return arrow::ArrayVector{users.Finish().ValueOrDie(), items.Finish().ValueOrDie(),
                                  times.Finish().ValueOrDie()};
      }());
  auto parquet = arrow::io::FileOutputStream::Open(directory.path("r.parquet")).ValueOrDie();
  ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), parquet).ok());
  ASSERT_TRUE(parquet->Close().ok());
  auto feather = arrow::io::FileOutputStream::Open(directory.path("r.feather")).ValueOrDie();
  const auto writer = arrow::ipc::MakeFileWriter(feather, table->schema()).ValueOrDie();
  ASSERT_TRUE(writer->WriteTable(*table).ok());
  ASSERT_TRUE(writer->Close().ok());
  ASSERT_TRUE(feather->Close().ok());

  EXPECT_EQ(read(directory, "{path: r.csv}"), expected);
  EXPECT_EQ(read(directory, "{path: r.tsv}"), expected);
  EXPECT_EQ(read(directory, "{path: r.jsonl}"), expected);
  EXPECT_EQ(read(directory,
                 "{path: plain.dat, format: delimited, separator: '::', header: false, columns: "
                 "[user, item, rating, timestamp]}"),
            expected);
  EXPECT_EQ(read(directory, "{path: r.csv.gz}"), expected);
  EXPECT_EQ(read(directory, "{path: dates.csv}"), expected);
  EXPECT_EQ(read(directory, "{path: r.parquet}"), expected);
  EXPECT_EQ(read(directory, "{path: r.feather}"), expected);
}

TEST(Readers, Latin1BecomesUtf8) {
  const TemporaryDirectory directory;
  directory.write("r.csv", "user,item\nJos\xe9,caf\xe9\n");
  EXPECT_EQ(read(directory, "{path: r.csv, encoding: latin-1}"),
            std::vector<std::string>{"José: café"});
}

TEST(Readers, SeveralFilesAreReadOneAfterTheOther) {
  const TemporaryDirectory directory;
  directory.write("a.csv", "user,item\nu,1\n");
  directory.write("b.csv", "item,user\n2,u\n");
  EXPECT_EQ(read(directory, "[{path: a.csv}, {path: b.csv}]"), std::vector<std::string>{"u: 1 2"});
}

TEST(Readers, AMalformedRowIsRefusedWithItsLineOrSkippedAndCounted) {
  const TemporaryDirectory directory;
  directory.write("r.csv", "user,item,rating\nu,a,3\nu,b,many\nu,c,4\n");
  const auto text = problem(directory, "{path: r.csv}");
  EXPECT_THAT(text, HasSubstr("r.csv:3: error:"));
  EXPECT_THAT(text, HasSubstr("many"));
  const auto result = prepare_dataset(data_options(
      directory,
      "{files: {interactions: {path: r.csv}}, cleaning: {malformed: skip}, split: none}"));
  EXPECT_THAT(sequences(result.dataset), ElementsAre("u: a c"));
  EXPECT_THAT(result.dataset.report(), HasSubstr("malformed"));
}

TEST(Readers, SayWhatIsWrongWithAFile) {
  const TemporaryDirectory directory;
  EXPECT_THAT(problem(directory, "{path: absent.csv}"), HasSubstr("absent.csv"));
  directory.write("no_item.csv", "user,thing\nu,a\n");
  EXPECT_THAT(problem(directory, "{path: no_item.csv}"),
              AllOf(HasSubstr("no_item.csv"), HasSubstr("item"), HasSubstr("thing")));
  directory.write("short.csv", "user,item,rating\nu,a,1\nu,b\n");
  EXPECT_THAT(problem(directory, "{path: short.csv}"), HasSubstr("short.csv:3: error:"));
  directory.write("empty.csv", "");
  EXPECT_THAT(problem(directory, "{path: empty.csv}"), HasSubstr("empty.csv"));
  directory.write("foreign.parquet", "PAR0 this is no such file");
  EXPECT_THAT(problem(directory, "{path: foreign.parquet}"), HasSubstr("foreign.parquet"));
  directory.write("bad.jsonl", "{\"user\": \"u\", \"item\": \"a\"}\n{\"user\": \"u\", \"item\n");
  EXPECT_THAT(problem(directory, "{path: bad.jsonl}"), HasSubstr("bad.jsonl:2: error:"));
  directory.write("missing.csv", "user,item\nu,a\n,b\n");
  EXPECT_THAT(problem(directory, "{path: missing.csv}"), HasSubstr("missing.csv:3"));
}

TEST(Readers, IdsBeyondDoublesStayApartInJsonLines) {
  const TemporaryDirectory directory;
  // The kind of a column must not be guessed from a null.
  directory.write("null.jsonl",
                  "{\"user\": null, \"item\": 1}\n"
                  "{\"user\": 9007199254740992, \"item\": 1}\n"
                  "{\"user\": 9007199254740993, \"item\": 2}\n");
  directory.write("float.jsonl",
                  "{\"user\": 0.5, \"item\": 1}\n"
                  "{\"user\": 9007199254740992, \"item\": 1}\n"
                  "{\"user\": 9007199254740993, \"item\": 2}\n");
  const auto dropped = prepare_dataset(data_options(
      directory,
      "{files: {interactions: {path: null.jsonl}}, cleaning: {missing: drop}, split: none}"));
  EXPECT_THAT(sequences(dropped.dataset),
              ElementsAre("9007199254740992: 1", "9007199254740993: 2"));
  EXPECT_THAT(read(directory, "{path: float.jsonl}"),
              ElementsAre("0.5: 1", "9007199254740992: 1", "9007199254740993: 2"));
}

TEST(Readers, AKeyThatFewLinesOfJsonHaveIsAColumn) {
  const TemporaryDirectory directory;
  std::string text;
  for (int row = 0; row < 3000; ++row)
    text += "{\"user\": \"u\", \"item\": " + std::to_string(row) +
            (row < 2000 ? "" : ", \"rating\": 2") + "}\n";
  directory.write("r.jsonl", text);
  EXPECT_THAT(problem(directory, "{path: r.jsonl}"),
              HasSubstr("r.jsonl:1: error: no value in column 'rating'"));
}

TEST(Readers, AnIdIsTheSameInEveryFileHoweverItIsStored) {
  const TemporaryDirectory directory;
  directory.write("a.csv", "user,item\n7,x\n-3,0\n007,7\n+7,y\n1234567890123456789,x\nx,12\n");
  arrow::Int64Builder users;
  ASSERT_TRUE(users.AppendValues({-3, 1234567890123456789, 7}).ok());
  arrow::DoubleBuilder items;
  ASSERT_TRUE(items.AppendValues({12, 0, 7}).ok());
  write_parquet(directory.path("b.parquet"),
                {{"user", users.Finish().ValueOrDie()}, {"item", items.Finish().ValueOrDie()}});
  write_parquet(directory.path("c.parquet"), {{"user", text_array({"x", "7", "007", "x"})},
                                              {"item", text_array({"x", "z", "12", "007"})}});
  EXPECT_THAT(read(directory, "[{path: a.csv}, {path: b.parquet}, {path: c.parquet}]"),
              ElementsAre("7: x 7 z", "-3: 0 12", "007: 7 12", "+7: y", "1234567890123456789: x 0",
                          "x: 12 x 007"));
}

TEST(Readers, ParquetColumnsOfEveryUsualTypeGiveNumbers) {
  const TemporaryDirectory directory;
  arrow::BooleanBuilder truths;
  ASSERT_TRUE(truths.AppendValues(std::vector<bool>{true, false}).ok());
  arrow::Decimal128Builder decimals(arrow::decimal128(5, 2));
  ASSERT_TRUE(decimals.Append(arrow::Decimal128(350)).ok() &&
              decimals.Append(arrow::Decimal128(-25)).ok());
  arrow::HalfFloatBuilder halves;
  ASSERT_TRUE(halves.AppendValues(std::vector<uint16_t>{0x3E00, 0xC000}).ok());
  const auto labels = [&](std::shared_ptr<arrow::Array> ratings) {
    write_parquet(directory.path("r.parquet"), {{"user", text_array({"u", "u"})},
                                                {"item", text_array({"a", "b"})},
                                                {"rating", std::move(ratings)}});
    return values_of<float>(
        prepare_dataset(
            data_options(directory, "{files: {interactions: {path: r.parquet}}, split: none}"))
            .dataset.interactions()
            .labels);
  };
  EXPECT_THAT(labels(truths.Finish().ValueOrDie()), ElementsAre(1.f, 0.f));
  EXPECT_THAT(labels(decimals.Finish().ValueOrDie()), ElementsAre(3.5f, -0.25f));
  EXPECT_THAT(labels(halves.Finish().ValueOrDie()), ElementsAre(1.5f, -2.f));
}

TEST(Readers, ANestedColumnOfParquetMattersOnlyToThoseWhoAskForIt) {
  const TemporaryDirectory directory;
  const auto nested = arrow::StructArray::Make({text_array({"p", "q"}), text_array({"r", "s"})},
                                               std::vector<std::string>{"x", "y"})
                          .ValueOrDie();
  write_parquet(directory.path("n.parquet"), {{"extra", nested},
                                              {"user", text_array({"u", "v"})},
                                              {"item", text_array({"a", "b"})}});
  EXPECT_THAT(read(directory, "{path: n.parquet}"), ElementsAre("u: a", "v: b"));
  EXPECT_EQ(problem(directory, "{path: n.parquet, roles: {item: extra}}"),
            "n.parquet: error: the column 'extra' holds struct<x: string, y: string>, expected "
            "single values");
}

TEST(Readers, AUserWithoutItemsIsCounted) {
  const TemporaryDirectory directory;
  for (const char* separator : {"", ", separator: ' '"}) {
    directory.write("s.txt", std::string("ann a b\nbob\n\n") +
                                 (*separator == 0 ? "cid \t \n" : "") + "dan c\n");
    const auto result = prepare_dataset(data_options(
        directory, std::string("{files: {interactions: {path: s.txt, format: sequences") +
                       separator + "}}, cleaning: {missing: drop}, split: none}"));
    EXPECT_THAT(sequences(result.dataset), ElementsAre("ann: a b", "dan: c")) << separator;
    const auto report = replaced(result.dataset.report(), directory.path(""), "");
    EXPECT_THAT(report, HasSubstr("\"name\": \"users without items\"")) << separator;
    EXPECT_THAT(report, HasSubstr("first: s.txt:2")) << separator;
  }
}

TEST(Cleaning, LabelsAndWeightsThatTrainingCannotUseAreMalformed) {
  const TemporaryDirectory directory;
  directory.write("r.csv", "user,item,rating\nu,a,3\nu,b,1e300\nu,c,-3.4e38\n");
  directory.write("w.csv", "user,item,weight\nu,a,0\nu,b,-3\nu,c,1e39\n");
  EXPECT_EQ(problem(directory, "{path: r.csv}"),
            "r.csv:3: error: rating: expected a number of at most 3.4e38, got '1e+300'\n"
            "    hint: 'cleaning: {malformed: skip}' counts such rows and goes on");
  EXPECT_THAT(
      problem(directory, "{path: w.csv}"),
      HasSubstr(
          "w.csv:3: error: weight: expected a weight of at least 0 and at most 3.4e38, got '-3'"));
  const auto kept = [&](const std::string& file) {
    return sequences(
        prepare_dataset(
            data_options(directory, "{files: {interactions: {path: " + file +
                                        "}}, cleaning: {malformed: skip}, split: none}"))
            .dataset);
  };
  EXPECT_THAT(kept("r.csv"), ElementsAre("u: a c"));
  EXPECT_THAT(kept("w.csv"), ElementsAre("u: a"));
}

TEST(Cleaning, EachStepTakesWhatItSaysAndCountsIt) {
  const TemporaryDirectory directory;
  directory.write(
      "r.csv",
      "user,item,rating,timestamp,event\n"
      "u,a,5,1,view\nu,a,4,2,buy\nu,b,1,3,view\nu,c,5,4,cart\nv,a,5,5,buy\nv,d,3,9,view\n");
  const auto clean = [&](const std::string& cleaning) {
    return sequences(
        prepare_dataset(
            data_options(directory, "{files: {interactions: {path: r.csv}}, cleaning: " + cleaning +
                                        ", split: none}"))
            .dataset);
  };
  EXPECT_THAT(clean("{}"), ElementsAre("u: a a b c", "v: a d"));
  EXPECT_THAT(clean("{implicit_from: 4}"), ElementsAre("u: a a c", "v: a"));
  EXPECT_THAT(clean("{events: {keep: [buy, cart]}}"), ElementsAre("u: a c", "v: a"));
  EXPECT_THAT(clean("{filters: [{column: rating, at_least: 2, at_most: 4}]}"),
              ElementsAre("u: a", "v: d"));
  EXPECT_THAT(clean("{time: {from: '2', until: '9'}}"), ElementsAre("u: a b c", "v: a"));
  EXPECT_THAT(clean("{counts: {users: {at_least: 3}}}"), ElementsAre("u: a a b c"));
  // Repetitions count by kind of event too: here a was viewed once and bought once.
  EXPECT_THAT(clean("{duplicates: keep_first}"), ElementsAre("u: a a b c", "v: a d"));
}

TEST(Cleaning, DuplicatesKeepTheFirstOrTheLastOrAddTheirWeights) {
  const TemporaryDirectory directory;
  directory.write("r.csv", "user,item,rating,timestamp\nu,a,5,1\nu,b,1,2\nu,a,2,3\n");
  const auto clean = [&](const std::string& policy) {
    return prepare_dataset(
               data_options(directory,
                            "{files: {interactions: {path: r.csv}}, cleaning: {duplicates: " +
                                policy + "}, split: none}"))
        .dataset;
  };
  EXPECT_THAT(sequences(clean("keep_first")), ElementsAre("u: a b"));
  EXPECT_THAT(values_of<float>(clean("keep_first").interactions().labels), ElementsAre(5.f, 1.f));
  EXPECT_THAT(sequences(clean("keep_last")), ElementsAre("u: b a"));
  const auto merged = clean("merge");
  EXPECT_THAT(sequences(merged), ElementsAre("u: b a"));
  EXPECT_THAT(values_of<float>(merged.interactions().weights), ElementsAre(1.f, 2.f));
}

TEST(Cleaning, TheCoreIsWhatIsLeftAfterRepeatedRemoval) {
  const TemporaryDirectory directory;
  // e has one item; without e, item q has one user; without q, user d has one item.
  directory.write("s.txt", "a x y z\nb x y z\nc x y\nd x q\ne q\n");
  const auto dataset =
      prepare_dataset(data_options(directory,
                                   "{files: {interactions: {path: s.txt, format: sequences}}, "
                                   "cleaning: {k_core: {users: 2, items: 2}}, split: none}"))
          .dataset;
  EXPECT_THAT(sequences(dataset), ElementsAre("a: x y z", "b: x y z", "c: x y"));
  EXPECT_EQ(dataset.num_items(), 3);
}

}  // namespace
}  // namespace reckon::testing::readers_test
