#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/files.h"
#include "tests/support/program.h"
#include "training/profile.h"

namespace reckon::profile_test {
namespace {

// The form that Chrome's and Perfetto's viewers read: events with a name, a phase, a thread, a time and a
// duration in microseconds.
TEST(Profile, IsATraceOfWhatEveryThreadDidInSomeSteps) {
  const TemporaryFolder folder("profile");
  std::ofstream data(folder.file("sequences.txt"));
  for (int user = 0; user < 200; ++user) {
    data << "u" << user;
    for (int i = 0; i < 8; ++i) data << " i" << (user * 7 + i * 3) % 40;
    data << "\n";
  }
  data.close();
  std::ofstream(folder.file("experiment.yaml"))
      << "data:\n  directory: '" << folder.path().string() << "'\n  cache: '"
      << folder.file("cache")
      << "'\n  files: {interactions: {path: sequences.txt, format: sequences}}\n"
      << "model: {preset: sasrec, dim: 8}\n"
      << "training: {epochs: 3, batch_size: 8, shards: 2, threads: 2, early_stopping: null}\n";
  ASSERT_EQ(run_reckon({"train", folder.file("experiment.yaml"), "--quiet", "--profile", "--run",
                        folder.file("run")}),
            0);

  const auto trace = nlohmann::json::parse(read_file(folder.file("run/trace.json")));
  std::map<std::string, int64_t> count;
  std::set<int64_t> threads;
  for (const auto& event : trace.at("traceEvents")) {
    if (event.value("ph", "") != "X") continue;
    const auto name = event.at("name").get<std::string>();
    ++count[name];
    EXPECT_GE(event.at("dur").get<double>(), 0.0);
    if (name == "reckon::represent") threads.insert(event.at("tid").get<int64_t>());
  }
  EXPECT_EQ(count["reckon::optimizer"], StepProfile::kNumSteps);
  EXPECT_EQ(count["reckon::represent"], 2 * StepProfile::kNumSteps);
  EXPECT_EQ(count["reckon::backward"], 2 * StepProfile::kNumSteps);
  EXPECT_GT(count["aten::mm"], 0);
  EXPECT_EQ(threads.size(), 2U);
}

}  // namespace
}  // namespace reckon::profile_test
