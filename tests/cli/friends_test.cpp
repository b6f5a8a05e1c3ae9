// Users who are recommended to each other, from the file of pairs to the exported model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/loaded_run.h"
#include "evaluation/evaluator.h"
#include "serving/recommender.h"
#include "tests/cli/command.h"

namespace reckon::friends_test {
namespace {

constexpr int64_t kPeople = 30;

class Friends : public ::testing::TestWithParam<const char*> {
 protected:
  // A ring in which everybody knows those one, two and five places away.
  Friends() {
    std::string pairs = "user\tfriend\n";
    for (int64_t person = 0; person < kPeople; ++person)
      for (const int64_t step : {1, 2, 5})
        pairs +=
            "p" + std::to_string(person) + "\tp" + std::to_string((person + step) % kPeople) + "\n";
    shop_.write("friends.tsv", pairs);
    shop_.write("e.yaml", "data:\n  directory: '" + shop_.file("") + "'\n  cache: '" +
                              shop_.file("cache") +
                              "'\n  files: {interactions: {path: friends.tsv, roles: {item: "
                              "friend}}}\n  mutual: true\n"
                              "  split: {type: ratio, scope: global, validation: 0, test: 0.2}\n" +
                              std::string(GetParam()) +
                              "evaluation: {metrics: [recall@5, auc], top_k_lists: 30}\n"
                              "export: {include_users: true}\n");
  }

  Workshop shop_{"friends"};
};

TEST_P(Friends, AreNeverOneselfNorThoseWhomOneHas) {
  const auto trained =
      reckon({"train", shop_.file("e.yaml"), "--quiet", "--run", shop_.file("run")});
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto catalog = default_catalog();
  const auto run = load_run(shop_.file("run"), {}, catalog);
  const auto& people = run.dataset.users();
  std::vector<std::set<std::string>> known(kPeople), all(kPeople);
  const auto note = [&people](const Interactions& data, std::vector<std::set<std::string>>& of) {
    for (int64_t user = 0; user < kPeople; ++user) {
      of[static_cast<size_t>(user)].emplace(people.raw(user));
      for (auto row = data.user_offsets[user].item<int64_t>();
           row < data.user_offsets[user + 1].item<int64_t>(); ++row)
        of[static_cast<size_t>(user)].emplace(people.raw(data.items[row].item<int64_t>()));
    }
  };
  note(run.train, known);
  note(run.dataset.interactions(), all);

  const auto result = evaluate(*run.model, run.dataset, run.experiment.evaluation);
  ASSERT_TRUE(result.lists);
  const auto& lists = *result.lists;
  ASSERT_GT(lists.num_users(), 0);
  for (int64_t row = 0; row < lists.num_users(); ++row) {
    const auto begin = lists.offsets[row].item<int64_t>(),
               end = lists.offsets[row + 1].item<int64_t>();
    const auto& own = known[static_cast<size_t>(lists.users[row].item<int64_t>())];
    EXPECT_EQ(static_cast<size_t>(end - begin), kPeople - own.size()) << "all whom it may find";
    for (auto i = begin; i < end; ++i)
      EXPECT_FALSE(own.contains(std::string(people.raw(lists.items[i].item<int64_t>()))));
  }

  const auto exported = reckon({"export", shop_.file("run"), "--output", shop_.file("model.pt")});
  ASSERT_EQ(exported.code, 0) << exported.err;
  const Recommender recommender(shop_.file("model.pt"));
  for (int64_t user = 0; user < kPeople; ++user) {
    Request request{.k = kPeople};
    request.kind = Request::Kind::kUser;
    request.id = std::string(people.raw(user));
    request.exclude_seen = true;
    const auto answer = recommender.answer({request}).front();
    const auto& own = all[static_cast<size_t>(user)];
    EXPECT_EQ(answer.items.size(), kPeople - own.size()) << request.id;
    for (const auto& item : answer.items) EXPECT_FALSE(own.contains(item.id)) << request.id;
  }
}

TEST(FriendsCheck, WhatComparesWhoKnowsWhomIsRefusedBeforeAnyDataIsRead) {
  Workshop shop{"friends_check"};
  shop.write("e.yaml",
             "data:\n  files: {interactions: {path: nowhere.tsv}}\n  split: {type: ratio}\n"
             "model: {preset: katz}\n");
  const auto checked = reckon({"check", shop.file("e.yaml")});
  EXPECT_NE(checked.code, 0);
  EXPECT_NE(checked.err.find("compares users by whom they know, and here they choose items"),
            std::string::npos)
      << checked.err;
}

INSTANTIATE_TEST_SUITE_P(
    Model, Friends,
    ::testing::Values("model: {preset: katz}\n", "model: {preset: deepwalk, dim: 8, epochs: 2}\n",
                      "model: {preset: bpr_mf, dim: 8}\n"
                      "training: {epochs: 2, batch_size: 16, threads: 1, early_stopping: null}\n",
                      "model: {preset: popularity}\n"),
    [](const auto& info) {
      const std::string model = info.param;
      const auto begin = model.find("preset: ") + 8;
      return model.substr(begin, model.find_first_of(",}") - begin);
    });

}  // namespace
}  // namespace reckon::friends_test
