#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <tuple>

#include "core/files.h"
#include "tests/support/program.h"
#include "training/checkpoint.h"

namespace reckon::resume_test {
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
    folder_ = fs::temp_directory_path() /
              ("reckon-resume-" + std::string(GetParam().name) + "-" + std::to_string(getpid()));
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
        << "data:\n  directory: '" << folder_.string() << "'\n  cache: '"
        << (folder_ / "cache").string()
        << "'\n  files: {interactions: {path: sequences.txt, format: sequences}}\n  split: {type: "
           "leave_one_out}\n"
        << "model: " << GetParam().model << "\n"
        << "training: {type: supervised, epochs: 12, batch_size: 32, shards: 2, threads: "
        << GetParam().threads
        << ", checkpoint_steps: 2, optimizer: {type: adam, lr: 1e-2}, early_stopping: {metric: "
           "ndcg@10, patience: 50}}\n"
        << "evaluation: {metrics: [ndcg@10]}\n";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<std::string> train(const std::string& run, bool resume) const {
    std::vector<std::string> arguments = {"train", (folder_ / "experiment.yaml").string(),
                                          "--quiet", "--run", (folder_ / run).string()};
    if (resume) arguments.push_back("--resume");
    return arguments;
  }

  // Waits until the run has written that many checkpoints, or has ended.
  void await_checkpoints(int count, pid_t child) const {
    const auto path = (folder_ / "killed" / "checkpoints" / "last.ckpt").string();
    const auto written = [&] {
      struct stat found = {};
      const bool is_there = stat(path.c_str(), &found) == 0;
      return is_there ? std::make_tuple(found.st_ino, found.st_mtim.tv_sec, found.st_mtim.tv_nsec)
                      : std::make_tuple(ino_t{0}, time_t{0}, 0L);
    };
    siginfo_t ended = {};
    auto before = written();
    while (count > 0 &&
           (waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT),
            ended.si_pid == 0)) {
      const auto now = written();
      if (now != before) --count;
      before = now;
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  fs::path folder_;
};

TEST_P(Resume, KilledAtAnyMomentARunEndsBitIdenticalToAnUninterruptedOne) {
  ASSERT_EQ(run_reckon(train("whole", false)), 0);
  std::mt19937 random(std::random_device{}());
  int kills = 0;
  for (int attempt = 0; attempt < 40; ++attempt) {
    // A run that was killed before its folder was made is begun again.
    const bool resume = fs::exists(folder_ / "killed");
    const auto child = start_reckon(train("killed", resume));
    // Counted in checkpoints, not in time: a program takes longer to begin on one machine than to train on
    // another. The first kill falls at any moment of the beginning.
    if (kills == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(random() % 300));
    else if (kills < 6)
      await_checkpoints(1 + static_cast<int>(random() % 8), child);
    if (kills < 6) {
      std::this_thread::sleep_for(std::chrono::microseconds(random() % 10'000));
      kill(child, SIGKILL);
    }
    const int code = wait_for(child);
    if (code == 0) break;
    ASSERT_EQ(code, -SIGKILL) << "a resumed run failed by itself";
    ++kills;
  }
  EXPECT_GE(kills, 1);
  const auto environment =
      nlohmann::json::parse(read_file((folder_ / "killed" / "environment.json").string()));
  EXPECT_GT(environment.at("resumed_from_step").get<int64_t>(), 0)
      << "no kill fell between two checkpoints";
  for (const char* name : {"last.ckpt", "best.ckpt"}) {
    const auto whole = load_checkpoint((folder_ / "whole" / "checkpoints" / name).string());
    const auto killed = load_checkpoint((folder_ / "killed" / "checkpoints" / name).string());
    EXPECT_EQ(whole.step, killed.step);
    ASSERT_EQ(whole.model.size(), killed.model.size());
    for (const auto& [key, tensor] : whole.model)
      EXPECT_TRUE(torch::equal(tensor, killed.model.at(key)))
          << name << " " << key << " after " << kills << " kills";
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
             "{preset: sasrec, dim: 16, user: {history: {max_length: 12, encoder: {hidden: 16}}}}",
             "1"},
        Case{"sparse",
             "{family: retrieval, dim: 16, item: {id: {sparse: true}}, user: {id: {sparse: true}}, "
             "objectives: [{type: bpr}]}",
             "1"},
        Case{"threads",
             "{preset: sasrec_softmax, dim: 16, user: {history: {max_length: 12, encoder: {hidden: "
             "16}}}, "
             "objectives: [{type: sampled_softmax, negatives: 32}]}",
             "2"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace reckon::resume_test
