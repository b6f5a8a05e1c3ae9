#include "datasets/batch_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/ids.h"
#include "datasets/dataset.h"
#include "datasets/prefetch.h"
#include "tests/datasets/datasets_support.h"

namespace reckon::testing::batch_builder_test {
namespace {

using ::testing::ElementsAre;
constexpr int64_t kPad = kPaddingId;

std::vector<int64_t> row(const torch::Tensor& matrix, int64_t index) {
  return values_of<int64_t>(matrix[index]);
}

// 40 users with 2 to 13 items of 30, no item twice.
Interactions some_users() {
  std::vector<std::vector<int32_t>> users;
  for (int32_t user = 0; user < 40; ++user) {
    std::vector<int32_t> items;
    for (int32_t i = 0; i < 2 + user % 12; ++i) items.push_back((user * 7 + i * 11) % 30);
    users.push_back(items);
  }
  return interactions_of(users, 30);
}

std::string text_of(const StepBatch& step) {
  std::ostringstream out;
  for (const auto& shard : step.shards)
    for (const auto& [name, tensor] : shard.tensors())
      out << name << tensor.sizes() << "\n" << tensor << "\n";
  return out.str();
}

TEST(BatchBuilder, ShiftsEachHistoryByOneAndPadsInFront) {
  Needs needs;
  needs.examples = Needs::Examples::kSequences;
  needs.max_length = 3;
  const auto train = interactions_of({{1, 2, 3, 4, 5}, {6}, {7, 8}}, 9);
  const BatchBuilder builder(train, needs, {.batch_size = 10, .num_shards = 1});
  EXPECT_EQ(builder.num_examples(), 2);  // one item alone predicts nothing
  const auto step = builder.build(0, 0);
  EXPECT_EQ(step.num_targets, 4);
  ASSERT_EQ(step.shards.size(), 1U);
  const auto history = step.shards[0].at(batch_key::kHistory),
             targets = step.shards[0].at(batch_key::kTargets);
  ASSERT_EQ(history.size(0), 2);
  const int64_t longer = history[0][0].item<int64_t>() == 2 ? 0 : 1;
  EXPECT_THAT(row(history, longer), ElementsAre(2, 3, 4));  // the newest four items of user 0
  EXPECT_THAT(row(targets, longer), ElementsAre(3, 4, 5));
  EXPECT_THAT(row(history, 1 - longer), ElementsAre(kPad, kPad, 7));
  EXPECT_THAT(row(targets, 1 - longer), ElementsAre(kPad, kPad, 8));
}

TEST(BatchBuilder, OfASetTheItemsAreHistoryAndTargetsStepByStep) {
  Needs needs;
  needs.examples = Needs::Examples::kSets;
  needs.max_length = 4;
  needs.users = true;
  const auto train = interactions_of({{1, 2, 3, 4, 5}, {6}, {}, {7, 8}}, 9);
  for (const bool windows : {false, true}) {  // a set is one example in any case
    needs.windows = windows;
    const BatchBuilder builder(train, needs, {.batch_size = 10, .num_shards = 1});
    EXPECT_EQ(builder.num_examples(), 3);  // one item alone is a set, none at all is nobody
    const auto step = builder.build(0, 0);
    EXPECT_EQ(step.num_targets, 4 + 1 + 2);
    const auto& shard = step.shards.at(0);
    const auto history = shard.at(batch_key::kHistory);
    EXPECT_TRUE(history.equal(shard.at(batch_key::kTargets)));
    std::map<int64_t, std::vector<int64_t>> sets;
    for (int64_t i = 0; i < 3; ++i)
      sets[shard.at(batch_key::kUsers)[i].item<int64_t>()] = row(history, i);
    EXPECT_THAT(sets.at(0), ElementsAre(2, 3, 4, 5));  // the newest four
    EXPECT_THAT(sets.at(1), ElementsAre(kPad, kPad, kPad, 6));
    EXPECT_THAT(sets.at(3), ElementsAre(kPad, kPad, 7, 8));
  }
}

TEST(BatchBuilder, OfASetWithOneTargetEveryItemIsThatOfARowOfItsOwn) {
  Needs needs;
  needs.examples = Needs::Examples::kSets;
  needs.one_target = true;
  needs.max_length = 4;
  needs.users = true;
  needs.labels = true;
  needs.negatives = {{.count = 2, .exclude_positives = true}};
  auto train = interactions_of({{1, 2, 3, 4, 5}, {6}, {}, {7, 8}}, 12);
  train.labels = torch::arange(8, torch::kFloat) + 1;  // those of user 0 are 1 to 5
  const BatchBuilder builder(train, needs, {.batch_size = 10, .num_shards = 2});
  EXPECT_EQ(builder.num_examples(), 4 + 1 + 2);  // the newest four of user 0
  const auto step = builder.build(0, 0);
  EXPECT_EQ(step.num_targets, 7);
  using Learnt = std::pair<int64_t, int64_t>;  // user, item
  std::multiset<Learnt> learnt;
  for (const auto& shard : step.shards) {
    const auto history = shard.at(batch_key::kHistory), targets = shard.at(batch_key::kTargets);
    const auto labels = shard.at(batch_key::kLabels);
    EXPECT_EQ(shard.at(batch_key::kNegatives).sizes(), at::IntArrayRef({history.size(0), 2}));
    for (int64_t r = 0; r < history.size(0); ++r) {
      const auto user = shard.at(batch_key::kUsers)[r].item<int64_t>();
      const auto place = targets[r].ne(kPad).nonzero().squeeze(1);
      ASSERT_EQ(place.numel(), 1);
      const auto target = targets[r][place[0]].item<int64_t>();
      EXPECT_EQ(history[r][place[0]].item<int64_t>(), target) << "in the place of its item";
      learnt.emplace(user, target);
      EXPECT_EQ(labels[r].sum().item<float>(), labels[r][place[0]].item<float>());
      if (user != 0) continue;
      EXPECT_EQ(labels[r][place[0]].item<float>(), static_cast<float>(target));
      EXPECT_THAT(row(history, r), ElementsAre(2, 3, 4, 5)) << "the whole set";
    }
  }
  EXPECT_THAT(learnt, ::testing::UnorderedElementsAre(Learnt{0, 2}, Learnt{0, 3}, Learnt{0, 4},
                                                      Learnt{0, 5}, Learnt{1, 6}, Learnt{3, 7},
                                                      Learnt{3, 8}));
}

TEST(BatchBuilder, DrawnByUserEachCountsAlikeHoweverManyInteractionsItHas) {
  const auto train = interactions_of({{1, 2, 3, 4, 5, 6, 7, 8}, {}, {0}, {2, 3}}, 60);
  Needs needs;
  needs.users = true;
  needs.negatives = {{.count = 3, .exclude_positives = true}};
  const BatchBuilder builder(
      train, needs, {.batch_size = 4, .num_shards = 2, .sampling = Sampling::kUsers, .seed = 5});
  EXPECT_EQ(builder.num_examples(), 11);
  constexpr int64_t kEpochs = 300;
  std::map<int64_t, int64_t> users;
  std::map<std::pair<int64_t, int64_t>, int64_t> pairs;
  std::set<std::vector<int64_t>> negatives;
  int64_t num_draws = 0;
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch)
    for (int64_t step = 0; step < builder.steps_per_epoch(); ++step)
      for (const auto& shard : builder.build(epoch, step).shards)
        for (int64_t r = 0; r < shard.size(); ++r, ++num_draws) {
          const auto user = shard.at(batch_key::kUsers)[r].item<int64_t>();
          ++users[user];
          ++pairs[{user, shard.at(batch_key::kTargets)[r].item<int64_t>()}];
          negatives.insert(row(shard.at(batch_key::kNegatives), r));
        }
  EXPECT_EQ(num_draws, kEpochs * 11);
  ASSERT_EQ(users.size(), 3U) << "nobody is drawn who has nothing";
  // Five standard deviations of a third of 3,300 draws, and of an eighth of those.
  for (const auto& [user, count] : users) EXPECT_NEAR(count, 1100, 136) << user;
  EXPECT_EQ(pairs.size(), 8U + 1U + 2U);
  for (int64_t item = 1; item <= 8; ++item) EXPECT_NEAR((pairs[{0, item}]), 137.5, 55) << item;
  EXPECT_GT(negatives.size(), 3200U) << "an example that comes again has other negatives";
}

TEST(BatchBuilder, OfADrawForManyUsersItIsKnownWhatEachOfThemHas) {
  const auto train = some_users();
  for (const auto& [per, excluded] :
       {std::pair{NegativeNeeds::Per::kStep, false}, std::pair{NegativeNeeds::Per::kStep, true},
        std::pair{NegativeNeeds::Per::kShard, false},
        std::pair{NegativeNeeds::Per::kShard, true}}) {
    Needs needs;
    needs.users = true;
    needs.negatives = {{.count = 50, .per = per, .exclude_positives = excluded}};
    const BatchBuilder builder(train, needs, {.batch_size = 64, .num_shards = 3});
    int64_t num_hits = 0;
    for (int64_t step = 0; step < builder.steps_per_epoch(); ++step)
      for (const auto& shard : builder.build(0, step).shards) {
        const auto hits = shard.find(batch_key::kNegativeHits);
        ASSERT_EQ(hits.defined(), excluded);
        if (!excluded) continue;
        const auto negatives = values_of<int64_t>(shard.at(batch_key::kNegatives));
        EXPECT_EQ(negatives.size(), 50U) << "drawn from all items as before";
        ASSERT_EQ(hits.sizes(), at::IntArrayRef({shard.size(), 50}));
        for (int64_t r = 0; r < shard.size(); ++r) {
          const auto user = shard.at(batch_key::kUsers)[r].item<int64_t>();
          const auto own =
              values_of<int32_t>(train.items.slice(0, train.user_offsets[user].item<int64_t>(),
                                                   train.user_offsets[user + 1].item<int64_t>()));
          for (int64_t n = 0; n < 50; ++n) {
            const bool has = std::find(own.begin(), own.end(), negatives[n]) != own.end();
            EXPECT_EQ(hits[r][n].item<bool>(), has) << "user " << user << ", draw " << n;
            num_hits += has ? 1 : 0;
          }
        }
      }
    EXPECT_EQ(num_hits > 0, excluded);
  }
}

TEST(BatchBuilder, WindowsOfALongHistoryHoldEveryInteractionButTheFirstAsATargetOnce) {
  Needs needs;
  needs.examples = Needs::Examples::kSequences;
  needs.max_length = 3;
  needs.windows = true;
  needs.users = true;
  const auto train = interactions_of({{1, 2, 3, 4, 5, 6, 7, 8}, {6}, {7, 8}, {1, 2, 3, 4}}, 9);
  const BatchBuilder builder(train, needs, {.batch_size = 10, .num_shards = 1});
  EXPECT_EQ(builder.num_examples(), 5);
  const auto step = builder.build(0, 0);
  EXPECT_EQ(step.num_targets, 7 + 1 + 3);
  const auto& shard = step.shards.at(0);
  std::map<std::vector<int64_t>, std::pair<int64_t, std::vector<int64_t>>> user_and_targets;
  for (int64_t i = 0; i < 5; ++i)
    user_and_targets[row(shard.at(batch_key::kHistory), i)] = {
        shard.at(batch_key::kUsers)[i].item<int64_t>(), row(shard.at(batch_key::kTargets), i)};
  using Row = std::vector<int64_t>;
  EXPECT_EQ(user_and_targets[Row({5, 6, 7})], std::make_pair(int64_t{0}, Row({6, 7, 8})));
  EXPECT_EQ(user_and_targets[Row({2, 3, 4})], std::make_pair(int64_t{0}, Row({3, 4, 5})));
  EXPECT_EQ(user_and_targets[Row({kPad, kPad, 1})],
            std::make_pair(int64_t{0}, Row({kPad, kPad, 2})));
  EXPECT_EQ(user_and_targets[Row({kPad, kPad, 7})],
            std::make_pair(int64_t{2}, Row({kPad, kPad, 8})));
  EXPECT_EQ(user_and_targets[Row({1, 2, 3})], std::make_pair(int64_t{3}, Row({2, 3, 4})));
}

TEST(BatchBuilder, EveryExampleComesOnceAnEpochWhateverTheShardsAndBuckets) {
  Needs needs;
  needs.examples = Needs::Examples::kSequences;
  needs.max_length = 50;
  needs.users = true;
  const auto train = some_users();
  for (const bool bucket : {false, true}) {
    for (const int64_t shards : {1, 2, 3}) {
      const BatchBuilder builder(
          train, needs,
          {.batch_size = 7, .num_shards = shards, .bucket_by_length = bucket, .seed = 4});
      std::multiset<int64_t> seen;
      int64_t targets = 0;
      for (int64_t step = 0; step < builder.steps_per_epoch(); ++step) {
        const auto batch = builder.build(2, step);
        for (const auto& shard : batch.shards) {
          for (const auto user : values_of<int64_t>(shard.at(batch_key::kUsers))) seen.insert(user);
          const auto here = shard.at(batch_key::kTargets).ge(0).sum().item<int64_t>();
          targets += here;
          // A shard is as wide as its longest history.
          EXPECT_TRUE(shard.size() == 0 ||
                      shard.at(batch_key::kTargets).select(1, 0).ge(0).any().item<bool>());
        }
      }
      EXPECT_EQ(seen.size(), 40U);
      EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 40U);
      EXPECT_EQ(targets, train.size() - 40);
    }
  }
}

TEST(BatchBuilder, InteractionsCarryUserItemAndRating) {
  Needs needs;
  needs.users = true;
  needs.labels = true;
  auto train = interactions_of({{1, 2}, {0}}, 3);
  train.labels = torch::tensor({4.f, 2.f, 5.f});  // [E]
  const BatchBuilder builder(train, needs, {.batch_size = 2, .num_shards = 1, .seed = 1});
  EXPECT_EQ(builder.steps_per_epoch(), 2);
  std::map<std::pair<int64_t, int64_t>, float> found;
  for (int64_t step = 0; step < 2; ++step) {
    const auto shard = builder.build(0, step).shards[0];
    for (int64_t i = 0; i < shard.size(); ++i)
      found[{shard.at(batch_key::kUsers)[i].item<int64_t>(),
             shard.at(batch_key::kTargets)[i].item<int64_t>()}] =
          shard.at(batch_key::kLabels)[i].item<float>();
  }
  EXPECT_EQ(found, (std::map<std::pair<int64_t, int64_t>, float>{
                       {{0, 1}, 4.f}, {{0, 2}, 2.f}, {{1, 0}, 5.f}}));
}

TEST(BatchBuilder, EpochsAndSeedsAreOtherOrdersAndTheSameQuestionHasTheSameAnswer) {
  Needs needs;
  needs.users = true;
  const auto train = some_users();
  const BatchBuilder one(train, needs, {.batch_size = 16, .seed = 1}),
      again(train, needs, {.batch_size = 16, .seed = 1}),
      other(train, needs, {.batch_size = 16, .seed = 2});
  EXPECT_EQ(text_of(one.build(3, 5)), text_of(again.build(3, 5)));
  EXPECT_NE(text_of(one.build(3, 5)), text_of(one.build(4, 5)));
  EXPECT_NE(text_of(one.build(3, 5)), text_of(other.build(3, 5)));
}

TEST(BatchBuilder, NegativesHaveTheShapeThatWasAskedForAndAvoidWhatTheUserHas) {
  const auto train = some_users();
  const auto offsets = values_of<int64_t>(train.user_offsets);
  const auto items = values_of<int32_t>(train.items);
  for (const auto per : {NegativeNeeds::Per::kExample, NegativeNeeds::Per::kPosition}) {
    Needs needs;
    needs.examples = Needs::Examples::kSequences;
    needs.max_length = 5;
    needs.users = true;
    needs.negatives = {NegativeNeeds{.count = 4, .per = per}};
    const BatchBuilder builder(train, needs, {.batch_size = 8, .num_shards = 2, .seed = 9});
    for (int64_t step = 0; step < builder.steps_per_epoch(); ++step) {
      for (const auto& shard : builder.build(0, step).shards) {
        const auto negatives = shard.at(batch_key::kNegatives);
        const auto width = shard.at(batch_key::kHistory).size(1);
        const auto shape = per == NegativeNeeds::Per::kExample
                               ? std::vector<int64_t>{shard.size(), 4}
                               : std::vector<int64_t>{shard.size(), width, 4};
        EXPECT_EQ(negatives.sizes(), shape);
        for (int64_t i = 0; i < shard.size(); ++i) {
          const auto user = shard.at(batch_key::kUsers)[i].item<int64_t>();
          const std::set<int64_t> own(items.begin() + offsets[user],
                                      items.begin() + offsets[user + 1]);
          const auto targets = shard.at(batch_key::kTargets)[i];
          for (int64_t t = 0; t < (per == NegativeNeeds::Per::kPosition ? width : 1); ++t) {
            if (per == NegativeNeeds::Per::kPosition && targets[t].item<int64_t>() == kPaddingId)
              continue;
            const auto drawn = values_of<int64_t>(
                per == NegativeNeeds::Per::kPosition ? negatives[i][t] : negatives[i]);
            for (const auto item : drawn) {
              EXPECT_TRUE(item >= 0 && item < 30) << item;
              EXPECT_EQ(own.count(item), 0U) << "user " << user << " has item " << item;
            }
          }
        }
      }
    }
  }
}

TEST(BatchBuilder, AStepsSharedNegativesAreTheSameInEveryShard) {
  Needs needs;
  needs.examples = Needs::Examples::kSequences;
  needs.max_length = 5;
  needs.negatives = {NegativeNeeds{.count = 16, .per = NegativeNeeds::Per::kStep, .log_q = true}};
  const BatchBuilder builder(some_users(), needs, {.batch_size = 8, .num_shards = 2});
  const auto step = builder.build(0, 1);
  EXPECT_EQ(step.shards[0].at(batch_key::kNegatives).sizes(), (std::vector<int64_t>{16}));
  EXPECT_TRUE(torch::equal(step.shards[0].at(batch_key::kNegatives),
                           step.shards[1].at(batch_key::kNegatives)));
  // Uniform over 30 items.
  EXPECT_TRUE(torch::allclose(step.shards[0].at(batch_key::kNegativeLogQ),
                              torch::full({16}, -std::log(30.0))));
}

TEST(BatchBuilder, EachShardOfEachStepHasADrawOfItsOwn) {
  for (const auto examples : {Needs::Examples::kInteractions, Needs::Examples::kSequences}) {
    Needs needs;
    needs.examples = examples;
    if (examples == Needs::Examples::kSequences) needs.max_length = 5;
    needs.negatives = {
        NegativeNeeds{.count = 16, .per = NegativeNeeds::Per::kShard, .log_q = true}};
    const BatchBuilder builder(some_users(), needs, {.batch_size = 6, .num_shards = 3});
    std::set<std::vector<int64_t>> draws;
    size_t num_shards = 0;
    for (int64_t epoch = 0; epoch < 2; ++epoch)
      for (int64_t step = 0; step < builder.steps_per_epoch(); ++step) {
        const auto built = builder.build(epoch, step), again = builder.build(epoch, step);
        for (size_t s = 0; s < built.shards.size(); ++s) {
          if (built.shards[s].size() == 0) continue;
          const auto negatives = built.shards[s].at(batch_key::kNegatives);
          ASSERT_EQ(negatives.sizes(), (std::vector<int64_t>{16}));
          EXPECT_TRUE(torch::equal(negatives, again.shards[s].at(batch_key::kNegatives)));
          EXPECT_EQ(built.shards[s].at(batch_key::kNegativeLogQ).sizes(), negatives.sizes());
          draws.insert(values_of<int64_t>(negatives));
          ++num_shards;
        }
      }
    EXPECT_GT(num_shards, 6U);
    EXPECT_EQ(draws.size(), num_shards) << "two shards have the same negatives";
  }
}

TEST(BatchBuilder, TheFrequencyOfTargetsIsTheirShareOfTrainingWhateverNegativesAreDrawn) {
  const auto train = interactions_of({{0, 1, 1}, {1, 2}, {1, 0}, {0}}, 4);
  const std::vector<double> share = {3.0 / 8.0, 4.0 / 8.0, 1.0 / 8.0, 0.0};
  for (const bool sequences : {false, true}) {
    for (const bool with_negatives : {false, true}) {
      Needs needs;
      if (sequences) needs.examples = Needs::Examples::kSequences;
      needs.max_length = sequences ? 5 : 0;
      needs.log_frequency = true;
      if (with_negatives) needs.negatives = {NegativeNeeds{.count = 2, .log_q = true}};
      const BatchBuilder builder(train, needs, {.batch_size = 10, .num_shards = 1});
      const auto shard = builder.build(0, 0).shards[0];
      const auto targets = values_of<int64_t>(shard.at(batch_key::kTargets));
      const auto found = values_of<float>(shard.at(batch_key::kTargetLogFrequency));
      ASSERT_EQ(found.size(), targets.size());
      for (size_t i = 0; i < targets.size(); ++i)
        EXPECT_NEAR(found[i], targets[i] == kPad ? 0.0 : std::log(share[targets[i]]), 1e-6);
      // How often a target is drawn is another question: uniformly, of four items.
      ASSERT_EQ(shard.has(batch_key::kTargetLogQ), with_negatives);
      if (!with_negatives) continue;
      const auto drawn = values_of<float>(shard.at(batch_key::kTargetLogQ));
      for (size_t i = 0; i < targets.size(); ++i)
        EXPECT_NEAR(drawn[i], targets[i] == kPad ? 0.0 : -std::log(4.0), 1e-6);
    }
  }
}

TEST(BatchBuilder, EachStreamOfNegativesIsDrawnByItselfAndTheFirstAsIfItWereAlone) {
  const auto train = some_users();
  const NegativeNeeds first{.count = 6, .exclude_positives = false, .log_q = true};
  const NegativeNeeds second{.count = 4,
                             .per = NegativeNeeds::Per::kStep,
                             .distribution = NegativeNeeds::Distribution::kPopularity,
                             .exclude_positives = false,
                             .log_q = true};
  const auto build = [&](std::vector<NegativeNeeds> negatives) {
    Needs needs;
    needs.negatives = std::move(negatives);
    return BatchBuilder(train, needs, {.batch_size = 8, .num_shards = 1, .seed = 3})
        .build(0, 0)
        .shards[0];
  };
  const auto both = build({first, second}), alone = build({first});
  const auto of = [&](const char* name, size_t stream) {
    return both.at(batch_key::of_stream(name, stream));
  };
  for (const auto* name : {batch_key::kNegatives, batch_key::kTargetLogQ, batch_key::kNegativeLogQ})
    EXPECT_TRUE(torch::equal(of(name, 0), alone.at(name))) << name;
  EXPECT_EQ(of(batch_key::kNegatives, 1).sizes(), (std::vector<int64_t>{4}));
  // By the distribution of each: uniform here, by popularity there.
  const auto counts = item_counts(train).to(torch::kDouble);  // [I]
  const auto log_share = (counts / counts.sum()).log();       // [I]
  EXPECT_TRUE(torch::allclose(of(batch_key::kTargetLogQ, 0), torch::full({8}, -std::log(30.0))));
  for (const auto& [ids, log_q] :
       {std::pair{both.at(batch_key::kTargets), of(batch_key::kTargetLogQ, 1)},
        {of(batch_key::kNegatives, 1), of(batch_key::kNegativeLogQ, 1)}})
    EXPECT_TRUE(
        torch::allclose(log_q.to(torch::kDouble), log_share.index_select(0, ids), 1e-5, 1e-5));
  // Two streams of one kind are still two draws.
  const auto twice = build({first, first});
  EXPECT_FALSE(torch::equal(twice.at(batch_key::of_stream(batch_key::kNegatives, 0)),
                            twice.at(batch_key::of_stream(batch_key::kNegatives, 1))));
}

TEST(BatchBuilder, MoreNegativesThanAStepCanHoldAreRefusedWithTheNumbers) {
  Needs needs;
  needs.examples = Needs::Examples::kSequences;
  needs.max_length = 1000;
  const auto error_with = [&](NegativeNeeds::Per per) {
    needs.negatives = {NegativeNeeds{.count = 1'000'000, .per = per}};
    return error_of([&] { BatchBuilder(some_users(), needs, {.batch_size = 1 << 20}); });
  };
  // 40 users of at most 13 items, hence 12 positions.
  EXPECT_THAT(error_with(NegativeNeeds::Per::kPosition),
              ::testing::HasSubstr("1,000,000 negatives in each of 480 positions of a step"));
  EXPECT_EQ(error_with(NegativeNeeds::Per::kExample), "nothing");
  EXPECT_EQ(error_with(NegativeNeeds::Per::kStep), "nothing");
}

TEST(BatchBuilder, DataWithoutExamplesIsAnErrorThatSaysSo) {
  Needs needs;
  needs.examples = Needs::Examples::kSequences;
  needs.max_length = 5;
  EXPECT_THAT(error_of([&] { BatchBuilder(interactions_of({{1}, {2}}, 3), needs, {}); }),
              ::testing::HasSubstr("error:"));
}

TEST(BuildRequests, KeepTheNewestItemsAndNameTheUsers) {
  EvaluationData data;
  data.users = torch::tensor({3, 5}, torch::kLong);
  data.history_offsets = torch::tensor({0, 4, 5}, torch::kLong);
  data.history_items = torch::tensor({1, 2, 3, 4, 9}, torch::kInt);
  const auto batch = build_requests(data, 0, 2, {.users = true, .max_length = 3});
  EXPECT_THAT(values_of<int64_t>(batch.at(batch_key::kUsers)), ElementsAre(3, 5));
  EXPECT_THAT(row(batch.at(batch_key::kHistory), 0), ElementsAre(2, 3, 4));
  EXPECT_THAT(row(batch.at(batch_key::kHistory), 1), ElementsAre(kPad, kPad, 9));
}

TEST(Prefetcher, GivesTheBuildersBatchesWithAnyNumberOfThreadsAndInAnyOrder) {
  Needs needs;
  needs.examples = Needs::Examples::kSequences;
  needs.max_length = 5;
  needs.negatives = {NegativeNeeds{.count = 3}};
  const BatchBuilder builder(some_users(), needs, {.batch_size = 6, .seed = 3});
  for (const int64_t threads : {0, 1, 3}) {
    Prefetcher prefetcher(builder, threads);
    for (int64_t epoch = 0; epoch < 3; ++epoch)
      for (int64_t step = 0; step < builder.steps_per_epoch(); ++step)
        EXPECT_EQ(text_of(prefetcher.take(epoch, step)), text_of(builder.build(epoch, step)));
    // As after a resume: elsewhere, and back.
    EXPECT_EQ(text_of(prefetcher.take(7, 2)), text_of(builder.build(7, 2)));
    EXPECT_EQ(text_of(prefetcher.take(0, 0)), text_of(builder.build(0, 0)));
    EXPECT_EQ(text_of(prefetcher.take(0, 1)), text_of(builder.build(0, 1)));
  }
}

}  // namespace
}  // namespace reckon::testing::batch_builder_test
