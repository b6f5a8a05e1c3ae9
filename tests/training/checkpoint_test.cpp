#include "training/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "core/files.h"
#include "tests/training/tiny_model.h"
#include "training/checkpoint_format.h"

namespace reckon::checkpoint_test {
namespace {

using testing::HasSubstr;

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing was thrown";
}

class CheckpointFile : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    path_ = testing::TempDir() + info->test_suite_name() + "." + info->name() + ".ckpt";
  }
  void TearDown() override { std::filesystem::remove(path_); }

  Checkpoint sample() const {
    Checkpoint checkpoint;
    checkpoint.config = "training:\n  epochs: 3\n";
    checkpoint.data_fingerprint = "abc";
    checkpoint.procedure = "supervised";
    checkpoint.seed = 18446744073709551615ull;
    checkpoint.step = 12;
    checkpoint.num_metric_lines = 4;
    checkpoint.best = BestEpoch{.epoch = 2, .step = 8, .metric = "ndcg@10", .value = 0.1 + 0.2};
    checkpoint.model = {{"a.weight", torch::arange(6, torch::kFloat).view({2, 3})},
                        {"counts", torch::tensor({1, -2, 3}, torch::kLong)},
                        {"empty", torch::empty({0, 4})},
                        {"flags", torch::tensor({true, false})},
                        {"half", torch::ones({3}).to(torch::kBFloat16)},
                        {"scalar", torch::full({}, 2.5, torch::kDouble)}};
    checkpoint.state.tensors = {{"optimizer/step/a.weight", torch::full({}, 12.0f)}};
    checkpoint.state.json = R"({"epoch":1})";
    checkpoint.generator = torch::arange(10, torch::kByte);
    return checkpoint;
  }

  std::string path_;
};

TEST_F(CheckpointFile, EverythingComesBackAsItWas) {
  const auto saved = sample();
  save_checkpoint(path_, saved);
  const auto loaded = load_checkpoint(path_);
  EXPECT_EQ(loaded.config, saved.config);
  EXPECT_EQ(loaded.data_fingerprint, saved.data_fingerprint);
  EXPECT_EQ(loaded.procedure, saved.procedure);
  EXPECT_EQ(loaded.seed, saved.seed);
  EXPECT_EQ(loaded.step, saved.step);
  EXPECT_EQ(loaded.num_metric_lines, saved.num_metric_lines);
  EXPECT_EQ(loaded.best, saved.best);
  EXPECT_EQ(loaded.state.json, saved.state.json);
  ASSERT_EQ(loaded.model.size(), saved.model.size());
  for (const auto& [name, tensor] : saved.model) {
    EXPECT_TRUE(torch::equal(loaded.model.at(name), tensor)) << name;
    EXPECT_EQ(loaded.model.at(name).scalar_type(), tensor.scalar_type()) << name;
  }
  EXPECT_TRUE(
      torch::equal(loaded.state.tensors.at("optimizer/step/a.weight"), torch::full({}, 12.0f)));
  EXPECT_TRUE(torch::equal(loaded.generator, saved.generator));
}

TEST_F(CheckpointFile, IsTheSameFileForTheSameState) {
  save_checkpoint(path_, sample());
  const auto first = read_file(path_);
  save_checkpoint(path_, sample());
  EXPECT_EQ(first, read_file(path_));
}

TEST_F(CheckpointFile, CutOffAnywhereItSaysThatItIsTruncated) {
  save_checkpoint(path_, sample());
  const auto whole = read_file(path_);
  for (size_t size = 1; size < whole.size(); ++size) {
    write_file_atomic(path_, std::string_view(whole).substr(0, size));
    const auto message = message_of([&] { load_checkpoint(path_); });
    ASSERT_THAT(message, HasSubstr("the checkpoint is truncated")) << size << " bytes";
    ASSERT_THAT(message, HasSubstr(path_));
  }
}

TEST_F(CheckpointFile, AnyByteThatChangedIsNoticed) {
  save_checkpoint(path_, sample());
  const auto whole = read_file(path_);
  const auto content = parse_checkpoint(whole, path_);
  // Bytes between two tensors are nobody's.
  std::vector<bool> is_used(whole.size(), false);
  size_t head_end = 0;
  for (const auto& tensor : content.tensors) {
    const auto begin = static_cast<size_t>(tensor.bytes.data() - whole.data());
    if (head_end == 0) head_end = begin;
    for (size_t i = begin; i < begin + tensor.bytes.size(); ++i) is_used[i] = true;
  }
  for (size_t i = 0; i + 64 < head_end; ++i) is_used[i] = true;
  for (size_t i = 0; i < whole.size(); ++i) {
    if (!is_used[i]) continue;
    auto damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    EXPECT_THROW(parse_checkpoint(damaged, path_), DataError) << "byte " << i;
  }
}

TEST_F(CheckpointFile, ADamagedTensorIsNamed) {
  save_checkpoint(path_, sample());
  auto bytes = read_file(path_);
  const auto content = parse_checkpoint(bytes, path_);
  for (const auto& tensor : content.tensors)
    if (tensor.name == "model/counts")
      bytes[static_cast<size_t>(tensor.bytes.data() - bytes.data())] ^= 1;
  write_file_atomic(path_, bytes);
  EXPECT_EQ(
      message_of([&] { load_checkpoint(path_); }),
      path_ + ": error: tensor `model/counts` of the checkpoint is damaged: its checksum differs");
}

TEST_F(CheckpointFile, ForeignFilesAreNotTakenForDamagedOnes) {
  for (const std::string& foreign :
       {std::string("PK\3\4 a zip file"), std::string(), std::string(500, 'x')}) {
    write_file_atomic(path_, foreign);
    EXPECT_THAT(message_of([&] { load_checkpoint(path_); }),
                HasSubstr("this is no checkpoint of reckon"));
  }
  std::filesystem::remove(path_);
  EXPECT_THROW(load_checkpoint(path_), DataError);
}

TEST_F(CheckpointFile, AnotherVersionIsNamed) {
  save_checkpoint(path_, sample());
  auto bytes = read_file(path_);
  bytes[8] = 9;
  write_file_atomic(path_, bytes);
  EXPECT_THAT(message_of([&] { load_checkpoint(path_); }), HasSubstr("format version 9"));
}

TEST_F(CheckpointFile, TensorsThatDoNotFitTheirShapeAreNotWritten) {
  CheckpointContent content;
  content.tensors = {
      {.name = "a", .type = StoredType::kFloat32, .shape = {3}, .bytes = "12345678"}};
  EXPECT_THROW(write_checkpoint(path_, content), std::invalid_argument);
  content.tensors = {{.name = "a", .type = StoredType::kInt8, .shape = {1}, .bytes = "1"},
                     {.name = "a", .type = StoredType::kInt8, .shape = {1}, .bytes = "2"}};
  EXPECT_THROW(write_checkpoint(path_, content), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST(LoadModel, CopiesEveryTensor) {
  torch::manual_seed(1);
  TinyModel from({}, 4, 5), to({}, 4, 5);
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& [name, tensor] : model_tensors(from)) tensors[name] = tensor.detach().clone();
  load_model(to, tensors, "x.ckpt");
  for (const auto& [name, tensor] : model_tensors(to))
    EXPECT_TRUE(torch::equal(tensor, tensors.at(name))) << name;
}

TEST(LoadModel, AnotherModelIsRefusedAndNothingIsCopied) {
  TinyModel from({}, 4, 5), to({}, 4, 5);
  auto tensors = model_tensors(from);
  const auto before = to.named_parameters()["items.weight"].detach().clone();

  auto missing = tensors;
  missing.erase("users.weight");
  EXPECT_EQ(message_of([&] { load_model(to, missing, "x.ckpt"); }),
            "x.ckpt: error: the checkpoint is of another model: it has no `users.weight`");
  auto other = tensors;
  other["users.weight"] = torch::zeros({9, 4});
  EXPECT_EQ(message_of([&] { load_model(to, other, "x.ckpt"); }),
            "x.ckpt: error: the checkpoint is of another model: its `users.weight` is [9, 4], "
            "expected [6, 4]");
  auto more = tensors;
  more["gate.weight"] = torch::zeros({1});
  EXPECT_EQ(message_of([&] { load_model(to, more, "x.ckpt"); }),
            "x.ckpt: error: the checkpoint is of another model: `gate.weight` is not in this one");
  EXPECT_TRUE(torch::equal(to.named_parameters()["items.weight"].detach(), before));
}

TEST(CheckSameConfig, EveryDifferenceIsNamedWithBothValues) {
  const auto old_config = parse_yaml(
      "model: {dim: 64, objectives: [{type: bpr, weight: 1}]}\ntraining: {epochs: 3, optimizer: "
      "{type: adam, lr: 0.001}}\n",
      "old.yaml");
  const auto new_config = parse_yaml(
      "model:\n  dim: 32\n  objectives: [{type: bpr, weight: 2}]\ntraining: {epochs: 3, optimizer: "
      "{type: adam, lr: 0.01, eps: 1e-6}}\n",
      "new.yaml");
  EXPECT_EQ(
      message_of([&] { check_same_config(old_config, new_config); }),
      "new.yaml:2:8: error: model.dim: the run to resume has 64, now it is 32\n"
      "new.yaml:3:36: error: model.objectives[0].weight: the run to resume has 1, now it is 2\n"
      "new.yaml:4:51: error: training.optimizer.lr: the run to resume has 0.001, now it is 0.01\n"
      "new.yaml:4:62: error: training.optimizer.eps: the run to resume has nothing, now it is "
      "1e-6");
}

TEST(CheckSameConfig, LengthThreadsDeviceAndLoggingMayChange) {
  const auto old_config = parse_yaml(
      "training: {epochs: 3, steps: 0, threads: 1, prefetch_threads: 1, device: cpu, log_every: 0}",
      "a.yaml");
  const auto new_config = parse_yaml(
      "training: {epochs: 9, steps: 5, threads: 4, prefetch_threads: 0, device: cuda, log_every: "
      "7}",
      "b.yaml");
  EXPECT_NO_THROW(check_same_config(old_config, new_config));
  EXPECT_NO_THROW(check_same_config(new_config, old_config));
}

}  // namespace
}  // namespace reckon::checkpoint_test
