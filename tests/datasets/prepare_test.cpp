#include "datasets/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/datasets/datasets_support.h"

namespace reckon::testing {
namespace {

using ::testing::ElementsAre;

TEST(PrepareDataset, ReadsSequencesInTheOrderOfTheFile) {
  const TemporaryDirectory directory;
  directory.write("seq.txt", "ann a b c d\nbob b\tc  a\r\n\ncid a\nann e\n");
  const auto result = prepare_dataset(
      data_options(directory, "files: {interactions: {path: seq.txt, format: sequences}}"));
  EXPECT_THAT(sequences(result.dataset), ElementsAre("ann: a b c d e", "bob: b c a", "cid: a"));
  EXPECT_THAT(result.dataset.items().to_vector(), ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_THAT(sequences(result.dataset, Split::kTrain), ElementsAre("ann: a b c", "bob: b", "cid: a"));
  EXPECT_THAT(sequences(result.dataset, Split::kValidation), ElementsAre("ann: d", "bob: c", "cid:"));
  EXPECT_THAT(sequences(result.dataset, Split::kTest), ElementsAre("ann: e", "bob: a", "cid:"));
}

TEST(PrepareDataset, OrdersByTimeAndKeepsTiesInFileOrder) {
  const TemporaryDirectory directory;
  directory.write("r.csv",
                  "user_id,item_id,rating,timestamp\n"
                  "u1,b,4,20\nu2,z,1,5\nu1,a,3.5,10\nu1,c,2,20\nu1,d,5,15\n");
  const auto result =
      prepare_dataset(data_options(directory, "{files: {interactions: {path: r.csv}}, split: none}"));
  EXPECT_THAT(sequences(result.dataset), ElementsAre("u1: a d b c", "u2: z"));
  EXPECT_THAT(values_of<float>(result.dataset.interactions().labels),
              ElementsAre(3.5f, 5.0f, 4.0f, 2.0f, 1.0f));
  EXPECT_THAT(values_of<int64_t>(result.dataset.interactions().times),
              ElementsAre(10, 15, 20, 20, 5));
}

}  // namespace
}  // namespace reckon::testing
