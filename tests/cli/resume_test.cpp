#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "core/files.h"
#include "tests/support/program.h"
#include "training/checkpoint.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char* name;
  const char* model;
  const char* threads;
};

class Resume : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("reckon-resume-" + std::string(GetParam().name) + "-" + std::to_string(getpid()));
    fs::create_directories(folder_);
    std::ofstream data(folder_ / "sequences.txt");
    std::mt19937 random(5);
    for (int user = 0; user < 300; ++user) {
      data << "u" << user;
      int item = static_cast<int>(random() % 60);
      const int length = 6 + static_cast<int>(random() % 20);
      for (int i = 0; i < length; ++i) {
        data << " i" << item;
        item = (item * 7 + 3 + static_cast<int>(random() % 4)) % 60;
      }
      data << "\n";
    }
    std::ofstream(folder_ / "experiment.yaml")
        << "data:\n  directory: '" << folder_.string() << "'\n  cache: '" << (folder_ / "cache").string()
        << "'\n  files: {interactions: {path: sequences.txt, format: sequences}}\n  split: {type: leave_one_out}\n"
        << "model: " << GetParam().model << "\n"
        << "training: {type: supervised, epochs: 12, batch_size: 32, shards: 2, threads: " << GetParam().threads
        << ", checkpoint_steps: 2, optimizer: {type: adam, lr: 1e-2}, early_stopping: {metric: ndcg@10, patience: 50}}\n"
        << "evaluation: {metrics: [ndcg@10]}\n";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<std::string> train(const std::string& run, bool resume) const {
    std::vector<std::string> arguments = {"train", (folder_ / "experiment.yaml").string(), "--quiet", "--run",
                                          (folder_ / run).string()};
    if (resume) arguments.push_back("--resume");
    return arguments;
  }

  fs::path folder_;
};

TEST_P(Resume, KilledAtAnyMomentARunEndsBitIdenticalToAnUninterruptedOne) {
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(run_reckon(train("whole", false)), 0);
  const auto duration = static_cast<int>(
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  std::mt19937 random(std::random_device{}());
  int kills = 0;
  for (int attempt = 0; attempt < 40; ++attempt) {
    // From before the first checkpoint to shortly before the end.
    const int moment = duration / 4 + static_cast<int>(random() % (duration * 2 / 3));
    // A run that was killed before its folder was made is begun again.
    const bool resume = fs::exists(folder_ / "killed");
    const int code = run_reckon(train("killed", resume), kills < 6 ? moment : 0);
    if (code == 0) break;
    ASSERT_EQ(code, -SIGKILL) << "a resumed run failed by itself";
    ++kills;
  }
  EXPECT_GE(kills, 1);
  const auto environment = nlohmann::json::parse(read_file((folder_ / "killed" / "environment.json").string()));
  EXPECT_GT(environment.at("resumed_from_step").get<int64_t>(), 0) << "no kill fell between two checkpoints";
  for (const char* name : {"last.ckpt", "best.ckpt"}) {
    const auto whole = load_checkpoint((folder_ / "whole" / "checkpoints" / name).string());
    const auto killed = load_checkpoint((folder_ / "killed" / "checkpoints" / name).string());
    EXPECT_EQ(whole.step, killed.step);
    ASSERT_EQ(whole.model.size(), killed.model.size());
    for (const auto& [key, tensor] : whole.model)
      EXPECT_TRUE(torch::equal(tensor, killed.model.at(key))) << name << " " << key << " after " << kills << " kills";
    ASSERT_EQ(whole.state.tensors.size(), killed.state.tensors.size());
    for (const auto& [key, tensor] : whole.state.tensors)
      EXPECT_TRUE(torch::equal(tensor, killed.state.tensors.at(key))) << name << " " << key;
  }
  EXPECT_EQ(read_file((folder_ / "whole" / "test-result.json").string()),
            read_file((folder_ / "killed" / "test-result.json").string()));
}

INSTANTIATE_TEST_SUITE_P(
    Run, Resume,
    ::testing::Values(
        Case{"dense",
             "{preset: sasrec, dim: 16, user: {history: {max_length: 12, encoder: {hidden: 16}}}}", "1"},
        Case{"sparse",
             "{family: retrieval, dim: 16, item: {id: {sparse: true}}, user: {id: {sparse: true}}, "
             "objectives: [{type: bpr}]}",
             "1"},
        Case{"threads",
             "{preset: sasrec_softmax, dim: 16, user: {history: {max_length: 12, encoder: {hidden: 16}}}, "
             "objectives: [{type: sampled_softmax, negatives: 32}]}",
             "2"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace reckon
