#include "datasets/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/datasets/datasets_support.h"

namespace reckon::testing::prepare_test {
namespace {

using ::testing::ElementsAre;

TEST(PrepareDataset, ReadsSequencesInTheOrderOfTheFile) {
  const TemporaryDirectory directory;
  directory.write("seq.txt", "ann a b c d\nbob b\tc  a\r\n\ncid a\nann e\n");
  const auto result = prepare_dataset(
      data_options(directory, "files: {interactions: {path: seq.txt, format: sequences}}"));
  EXPECT_THAT(sequences(result.dataset), ElementsAre("ann: a b c d e", "bob: b c a", "cid: a"));
  EXPECT_THAT(result.dataset.items().to_vector(), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(sequences(result.dataset, Split::kTrain),
              ElementsAre("ann: a b c", "bob: b", "cid: a"));
  EXPECT_THAT(sequences(result.dataset, Split::kValidation),
              ElementsAre("ann: d", "bob: c", "cid:"));
  EXPECT_THAT(sequences(result.dataset, Split::kTest), ElementsAre("ann: e", "bob: a", "cid:"));
}

TEST(PrepareDataset, OrdersByTimeAndKeepsTiesInFileOrder) {
  const TemporaryDirectory directory;
  directory.write("r.csv",
                  "user_id,item_id,rating,timestamp\n"
                  "u1,b,4,20\nu2,z,1,5\nu1,a,3.5,10\nu1,c,2,20\nu1,d,5,15\n");
  const auto result = prepare_dataset(
      data_options(directory, "{files: {interactions: {path: r.csv}}, split: none}"));
  EXPECT_THAT(sequences(result.dataset), ElementsAre("u1: a d b c", "u2: z"));
  EXPECT_THAT(values_of<float>(result.dataset.interactions().labels),
              ElementsAre(3.5f, 5.0f, 4.0f, 2.0f, 1.0f));
  EXPECT_THAT(values_of<int64_t>(result.dataset.interactions().times),
              ElementsAre(10, 15, 20, 20, 5));
}

TEST(PrepareDataset, KeepsItemsThatNobodyHasChosenWhereTheCatalogueIsAskedForWhole) {
  const TemporaryDirectory directory;
  directory.write("seq.txt", "ann a b c\nbob b c a\n");
  const std::string files =
      "files: {interactions: {path: seq.txt, format: sequences}, items: {path: items.tsv, display: "
      "[name]}}";
  for (const std::string rows : {"z\tZed\na\tAye\nd\tDee\n", "d\tDee\nz\tZed\na\tAye\n"}) {
    directory.write("items.tsv", "item\tname\n" + rows);
    const auto whole =
        prepare_dataset(data_options(directory, "{" + files + ", whole_catalogue: true}")).dataset;
    EXPECT_THAT(whole.items().to_vector(), ElementsAre("a", "b", "c", "d", "z"));
    EXPECT_EQ(whole.interactions().num_items, 5);
    EXPECT_THAT(sequences(whole), ElementsAre("ann: a b c", "bob: b c a"));
    ASSERT_EQ(whole.item_columns().size(), 1U);
    EXPECT_THAT(whole.item_columns()[0].values, ElementsAre("Aye", "", "", "Dee", "Zed"));
    const auto chosen = prepare_dataset(data_options(directory, "{" + files + "}")).dataset;
    EXPECT_THAT(chosen.items().to_vector(), ElementsAre("a", "b", "c"));
    EXPECT_NE(whole.fingerprint(), chosen.fingerprint());
  }
  EXPECT_THAT(error_of([&] {
                data_options(directory,
                             "{files: {interactions: {path: seq.txt, format: sequences}}, "
                             "whole_catalogue: true}");
              }),
              ::testing::HasSubstr("whole_catalogue: needs a table of items in 'files'"));
}

TEST(PrepareDataset, OnlyARatingThatIsKeptBecomesALabel) {
  const TemporaryDirectory directory;
  directory.write("seq.txt", "ann a b c d\nbob b c a\n");
  directory.write("rated.csv", "user,item,rating\nu,a,4\nu,b,1\nu,c,5\nu,d,3\n");
  directory.write("bare.csv", "user,item\nu,a\nu,b\nu,c\nu,d\n");
  const auto prepare = [&](const std::string& yaml) {
    auto options = data_options(directory, yaml);
    prepare_dataset(options);
    auto again = prepare_dataset(options);  // as the prepared file has it
    EXPECT_TRUE(again.from_cache);
    return again.dataset;
  };
  for (const std::string implicit :
       {"{files: {interactions: {path: seq.txt, format: sequences}}}",
        "{files: {interactions: {path: bare.csv}}}",
        "{files: {interactions: {path: rated.csv}}, cleaning: {implicit_from: 2}}"}) {
    const auto dataset = prepare(implicit);
    EXPECT_FALSE(dataset.interactions().labels.defined()) << implicit;
    EXPECT_FALSE(dataset.part(Split::kTrain).labels.defined()) << implicit;
    const auto data = dataset.evaluation(Split::kTest);
    EXPECT_FALSE(data.target_labels.defined()) << implicit;
    EXPECT_GT(data.target_items.numel(), 0) << implicit;
  }
  const auto rated = prepare("{files: {interactions: {path: rated.csv}}}");
  EXPECT_THAT(values_of<float>(rated.interactions().labels), ElementsAre(4.f, 1.f, 5.f, 3.f));
  EXPECT_THAT(values_of<float>(rated.part(Split::kTrain).labels), ElementsAre(4.f, 1.f));
  EXPECT_THAT(values_of<float>(rated.evaluation(Split::kTest).target_labels), ElementsAre(3.f));
}

TEST(PrepareDataset, KeepsTheNumbersOfADataSetThatItGoesOnFrom) {
  const TemporaryDirectory directory;
  const std::string files = "files: {interactions: {path: s.txt, format: sequences}}, split: none";
  directory.write("s.txt", "ann x y\nbob z\n7 x\n");
  const auto first = prepare_dataset(data_options(directory, "{" + files + "}"));
  directory.write("s.txt", "7 w z\ncid x w\nann y\n");
  const auto alone = prepare_dataset(data_options(directory, "{" + files + "}"));
  const auto next = prepare_dataset(
      data_options(directory, "{" + files + ", ids_from: '" + first.cache_directory + "'}"));
  EXPECT_THAT(next.dataset.users().to_vector(), ElementsAre("ann", "bob", "7", "cid"));
  EXPECT_THAT(next.dataset.items().to_vector(), ElementsAre("x", "y", "z", "w"));
  EXPECT_THAT(sequences(next.dataset), ElementsAre("ann: y", "bob:", "7: w z", "cid: x w"));
  EXPECT_THAT(alone.dataset.users().to_vector(), ElementsAre("7", "cid", "ann"));
  EXPECT_NE(next.dataset.fingerprint(), alone.dataset.fingerprint());
  // The file in the folder says the same as the folder.
  EXPECT_TRUE(prepare_dataset(data_options(directory, "{" + files + ", ids_from: '" +
                                                          first.cache_directory + "/dataset.bin'}"))
                  .from_cache);
  const auto absent = error_of(
      [&] { prepare_dataset(data_options(directory, "{" + files + ", ids_from: nowhere}")); });
  EXPECT_EQ(absent.rfind("nowhere: error: ", 0), 0U) << absent;
}

TEST(PrepareDataset, NotesThatTheOrderOfRowsStandsInForTimes) {
  const TemporaryDirectory directory;
  directory.write("r.csv", "user,item\nu,a\nu,b\nu,c\n");
  directory.write("t.csv", "user,item,time\nu,a,1\nu,b,2\nu,c,3\n");
  directory.write("s.txt", "u a b c\n");
  const auto has_note = [&](const std::string& file, const std::string& split) {
    const auto dataset = prepare_dataset(data_options(directory, "{files: {interactions: " + file +
                                                                     "}, split: " + split + "}"))
                             .dataset;
    return format_report(dataset).find("note: the files give no times") != std::string::npos;
  };
  EXPECT_TRUE(has_note("{path: r.csv}", "leave_one_out"));
  EXPECT_TRUE(has_note("{path: r.csv}", "{type: ratio, order: temporal}"));
  EXPECT_FALSE(has_note("{path: r.csv}", "{type: ratio, order: random}"));
  EXPECT_FALSE(has_note("{path: t.csv}", "leave_one_out"));
  EXPECT_FALSE(has_note("{path: s.txt, format: sequences}", "leave_one_out"));
}

}  // namespace
}  // namespace reckon::testing::prepare_test
