// A user without rows in training gets one and the same list from the evaluator, from the exported file
// behind the evaluator, and from serving.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/experiment.h"
#include "cli/loaded_run.h"
#include "core/experiment_tree.h"
#include "core/files.h"
#include "evaluation/evaluator.h"
#include "export/exporter.h"
#include "serving/recommender.h"
#include "tests/cli/command.h"

namespace reckon::unseen_users_test {
namespace {

using ::testing::HasSubstr;

// Split by time: old-* have rows in training, mid-* begin in validation, new-* begin in the test.
class UnseenUsers : public ::testing::TestWithParam<const char*> {
 protected:
  UnseenUsers() {
    std::string rows = "user\titem\ttimestamp\n";
    const auto add = [&](const std::string& user, int seed, int time) {
      rows += user + "\ti" + std::to_string((seed * 7) % 30) + "\t" + std::to_string(time) + "\n";
    };
    for (int user = 0; user < 25; ++user)
      for (int step = 0; step < 8; ++step)
        add("old-" + std::to_string(user), user * 3 + step * step,
            step < 6 ? step : 94 + 10 * (step - 6));
    for (int user = 0; user < 6; ++user)
      for (int step = 0; step < 3; ++step)
        add("mid-" + std::to_string(user), user * 5 + step, step < 2 ? 95 : 105);
    for (int user = 0; user < 7; ++user)
      for (int step = 0; step < 2; ++step) add("new-" + std::to_string(user), user * 4 + step, 106);
    shop_.write("rows.tsv", rows);
    shop_.write("e.yaml", "data:\n  directory: '" + shop_.file("") + "'\n  cache: '" +
                              shop_.file("cache") +
                              "'\n  files: {interactions: {path: rows.tsv}}\n"
                              "  split: {type: time, validation_from: '90', test_from: '100'}\n" +
                              std::string(GetParam()) + kShortTraining +
                              "evaluation: {metrics: [ndcg@10, auc], top_k_lists: 10}\n");
  }

  Workshop shop_{"unseen"};
};

std::vector<std::string> list_of(const RankedLists& lists, int64_t row, const IdMap& items) {
  std::vector<std::string> out;
  for (auto i = lists.offsets[row].item<int64_t>(); i < lists.offsets[row + 1].item<int64_t>(); ++i)
    out.emplace_back(items.raw(lists.items[i].item<int64_t>()));
  return out;
}

TEST_P(UnseenUsers, GetTheSameListEverywhereAndAreCounted) {
  const auto run_path = shop_.file("run");
  ASSERT_EQ(reckon({"train", shop_.file("e.yaml"), "--quiet", "--run", run_path}).code, 0);
  const auto catalog = default_catalog();
  const auto run = load_run(run_path, {}, catalog);
  const auto& evaluation = run.experiment.evaluation;
  const auto eager = evaluate(*run.model, run.dataset, evaluation);
  const bool reads_history = run.model->request_needs().max_length > 0;

  ExportInputs inputs;
  inputs.items = &run.dataset.items();
  inputs.users = &run.dataset.users();
  inputs.item_counts = item_counts(run.train);
  inputs.user_offsets = run.dataset.interactions().user_offsets;
  inputs.user_items = run.dataset.interactions().items;
  const auto file = shop_.file("model.pt");
  StagedExport staged(*run.model, inputs, file, {});
  const auto exported = evaluate(staged.model(), run.dataset, evaluation);
  staged.commit();
  EXPECT_TRUE(torch::equal(eager.per_user, exported.per_user));
  EXPECT_EQ(eager.num_fallback_users, exported.num_fallback_users);
  // Without a history a user id alone must have been trained; with one, only newcomers have nothing.
  EXPECT_EQ(eager.num_fallback_users, reads_history ? 7 : 13);
  const auto stored = nlohmann::json::parse(read_file(result_path(run_path, "test")));
  EXPECT_EQ(stored["num_fallback_users"], eager.num_fallback_users);
  EXPECT_THAT(to_text(eager), HasSubstr("users have nothing that the model can use"));

  const Recommender recommender(file);
  const auto data = run.dataset.evaluation(Split::kTest);
  const auto by_popularity = item_counts(run.train);
  for (int64_t row = 0; row < eager.users.size(0); ++row) {
    const auto user = eager.users[row].item<int64_t>();
    ASSERT_EQ(data.users[row].item<int64_t>(), user);
    std::vector<std::string> history;
    for (auto i = data.history_offsets[row].item<int64_t>();
         i < data.history_offsets[row + 1].item<int64_t>(); ++i)
      history.emplace_back(run.dataset.items().raw(data.history_items[i].item<int64_t>()));
    const auto raw = std::string(run.dataset.users().raw(user));
    Request request{.k = 10};
    const bool reads_users = run.model->request_needs().users;
    request.kind = reads_history && reads_users ? Request::Kind::kUserWithHistory
                   : reads_history              ? Request::Kind::kHistory
                                                : Request::Kind::kUser;
    if (reads_history) request.history = history;
    request.id = raw;
    request.exclude = history;
    const auto answer = recommender.answer({request}).front();
    std::vector<std::string> served;
    for (const auto& item : answer.items) served.push_back(item.id);
    const auto expected = list_of(*eager.lists, row, run.dataset.items());
    EXPECT_EQ(served, expected) << raw;
    EXPECT_EQ(list_of(*exported.lists, row, run.dataset.items()), expected) << raw;
    const bool gets_fallback = reads_history ? history.empty() : raw.rfind("old", 0) != 0;
    EXPECT_EQ(!answer.fallback.empty(), gets_fallback) << raw;
    if (!gets_fallback) continue;
    for (size_t i = 1; i < expected.size(); ++i)
      EXPECT_GE(by_popularity[run.dataset.items().find(expected[i - 1])].item<int64_t>(),
                by_popularity[run.dataset.items().find(expected[i])].item<int64_t>())
          << raw;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, UnseenUsers,
    ::testing::Values(kTinyUserModel, kTinySequenceModel,
                      "model: {family: retrieval, dim: 8, user: {id: {}, history: {encoder: "
                      "{type: mean_pooling}}}, objectives: [{type: softmax}]}\n",
                      "model: {family: retrieval, dim: 8, user: {id: {}}, scorer: {type: mlp}, "
                      "objectives: [{type: bpr}]}\n"),
    [](const auto& info) { return std::to_string(info.index); });

}  // namespace
}  // namespace reckon::unseen_users_test
