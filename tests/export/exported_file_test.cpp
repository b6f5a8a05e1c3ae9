#include "export/exported_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/utils.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include "core/diagnostics.h"
#include "core/files.h"
#include "tests/export/tiny_model.h"
#include "tests/support/zip_file.h"

namespace reckon::exported_file_test {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

// What loading `path` says; anything but a DataError fails the test.
std::string refusal(const std::string& path) {
  try {
    const ExportedFile file(path);
    return "was accepted";
  } catch (const DataError& e) {
    return e.what();
  }
}

class DamagedFile : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    TinyModel model({});
    const TinyData data({});
    const TemporaryPath target("model.pt");
    export_model(model, data.inputs(), target.path(),
                 {.display = std::vector<std::string>{"title"}, .check = false});
    bytes_ = new std::string(read_file(target.path()));
  }
  static void TearDownTestSuite() { delete bytes_; }

  std::string refusal_of(const std::string& bytes) const {
    // Hundreds of files: without a sync each.
    std::ofstream(target_.path(), std::ios::binary) << bytes;
    return refusal(target_.path());
  }

  static std::string* bytes_;
  const TemporaryPath target_{"model.pt"};
};
std::string* DamagedFile::bytes_ = nullptr;

TEST_F(DamagedFile, IsAcceptedWhenItIsWhole) { EXPECT_EQ(refusal_of(*bytes_), "was accepted"); }

TEST_F(DamagedFile, IsRefusedWhereverItIsCut) {
  const auto size = bytes_->size();
  for (size_t i = 0; i < 60; ++i) {
    const auto cut = size * i / 60;
    EXPECT_THAT(refusal_of(bytes_->substr(0, cut)),
                AnyOf(HasSubstr("cut short"), HasSubstr("not an exported model")))
        << "cut at " << cut;
  }
  EXPECT_THAT(refusal_of(bytes_->substr(0, size - 1)), HasSubstr("cut short"));
}

TEST_F(DamagedFile, IsRefusedOrTheSameWhereverAByteIsChanged) {
  // Between records and in fields that nobody reads, a byte does not matter; elsewhere it is noticed.
  const auto size = bytes_->size();
  int refused = 0;
  for (size_t i = 0; i < 300; ++i) {
    auto changed = *bytes_;
    const auto at = (size * i / 300 + 13 * i) % size;
    changed[at] = static_cast<char>(changed[at] ^ 0x5a);
    const auto message = refusal_of(changed);
    if (message != "was accepted") ++refused;
  }
  EXPECT_GT(refused, 150);
}

TEST_F(DamagedFile, IsRefusedWhenAWeightHasChanged) {
  // A weight is a plain run of floats, and LibTorch itself would load other numbers without a word.
  TinyModel model({});
  const auto weight = model.named_parameters()["items"].detach().contiguous();
  const std::string needle(static_cast<const char*>(weight.data_ptr()), 64);
  auto changed = *bytes_;
  const auto at = changed.find(needle);
  ASSERT_NE(at, std::string::npos);
  changed[at + 17] = static_cast<char>(changed[at + 17] ^ 1);
  EXPECT_THAT(refusal_of(changed), HasSubstr("does not match its checksum"));
}

TEST_F(DamagedFile, IsRefusedWhenBytesAreMissingInTheMiddle) {
  auto changed = *bytes_;
  changed.erase(changed.size() / 3, 64);
  EXPECT_THAT(refusal_of(changed), HasSubstr("the file is damaged"));
}

TEST_F(DamagedFile, IsRefusedWhenItIsSomethingElse) {
  for (const std::string text : {"", "P", "PK\x03\x04", "user,item\n1,2\n"})
    EXPECT_THAT(refusal_of(text), HasSubstr("not an exported model")) << text;
  EXPECT_THAT(refusal_of(std::string(100000, '\0')), HasSubstr("not an exported model"));
  EXPECT_THAT(refusal_of("PK\x03\x04" + std::string(100000, 'x')), HasSubstr("cut short"));
}

TEST_F(DamagedFile, IsRefusedAsForeignWhenItIsAnOrdinaryZipFile) {
  EXPECT_THAT(refusal_of(
                  make_zip({{"notes/read me.txt", "hello"}, {"data.csv", "user,item\n1,2\n"}})),
              HasSubstr("not an exported model: the archive holds no TorchScript module"));
  // Such as other programs write: with permissions, which archives of LibTorch never have.
  auto zipped = make_zip({{"data.csv", "user,item\n1,2\n"}});
  zipped[zipped.find("PK\x01\x02") + 41] = '\x81';
  EXPECT_THAT(refusal_of(zipped),
              HasSubstr("not an exported model: the archive holds no TorchScript module"));
}

TEST_F(DamagedFile, IsRefusedWhenItIsATorchScriptModuleOfSomebodyElse) {
  torch::jit::Module module("Foreign");
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return x + 1\n");
  module.save(target_.path());
  EXPECT_THAT(refusal(target_.path()), HasSubstr("a TorchScript module, but not of reckon"));
}

TEST_F(DamagedFile, IsRefusedWhenItComesFromALaterVersion) {
  torch::jit::Module module("Later");
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return x + 1\n");
  module.save(target_.path(),
              {{kDescriptionRecord, R"({"format": "reckon", "format_version": 99})"}});
  EXPECT_THAT(refusal(target_.path()),
              HasSubstr("it has format version 99, this program reads version " +
                        std::to_string(Description::kVersion)));
  module.save(target_.path(), {{kDescriptionRecord, "not json"}});
  EXPECT_THAT(refusal(target_.path()), HasSubstr("its description is damaged"));
}

TEST_F(DamagedFile, IsRefusedWhenItDescribesMethodsThatItHasNot) {
  const ExportedFile whole = [&] {
    write_file_atomic(target_.path(), *bytes_);
    return ExportedFile(target_.path());
  }();
  torch::jit::Module module("Empty");
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return x + 1\n");
  module.save(target_.path(), {{kDescriptionRecord, whole.description().to_json()}});
  EXPECT_THAT(refusal(target_.path()), HasSubstr("it describes a method `recommend`"));
}

TEST(ExportedFile, IsRefusedWhenItIsMissingOrAFolder) {
  const TemporaryPath target("model.pt");
  EXPECT_THAT(refusal(target.path()), HasSubstr("cannot be read"));
  EXPECT_THAT(refusal(target.folder()), HasSubstr("is not a file"));
}

TEST(ExportedFile, RefusesDenseIdsThatTheModelDoesNotHave) {
  const TinyOptions options{.reads_users = true};
  TinyModel model(options);
  const TinyData data(options);
  const TemporaryPath target("model.pt");
  export_model(model, data.inputs(), target.path(), {.check = false});
  const ExportedFile file(target.path());
  const auto ids = [](std::vector<int64_t> values) { return torch::tensor(values, torch::kLong); };
  const auto message_of = [&](const std::function<void()>& call) -> std::string {
    try {
      call();
    } catch (const DataError& e) {
      return e.what();
    }
    return "accepted";
  };
  const auto history = ids({-2, 22}).unsqueeze(0);
  EXPECT_EQ(message_of([&] { file.forward({ids({6}), history}); }), "accepted");
  EXPECT_THAT(message_of([&] { file.forward({ids({7}), history}); }),
              HasSubstr("users: expected ids from -1 to 6, got 7"));
  EXPECT_THAT(message_of([&] { file.encode(ids({-2}), history); }),
              HasSubstr("users: expected ids from -1 to 6, got -2"));
  EXPECT_THAT(message_of([&] { file.forward({ids({0}), ids({23}).unsqueeze(0)}); }),
              HasSubstr("history: expected ids from -2 to 22, got 23"));
  EXPECT_THAT(message_of([&] { file.encode(ids({0}), ids({-3}).unsqueeze(0)); }),
              HasSubstr("history: expected ids from -2 to 22, got -3"));
  EXPECT_THAT(message_of([&] { file.encode(ids({0}), ids({1})); }),
              HasSubstr("history: expected int64 of 2 dimensions, got Long [1]"));
  EXPECT_THAT(
      message_of([&] { file.forward({ids({0})}); }),
      HasSubstr(
          "forward: expected (self, users: Tensor, history: Tensor) -> Tensor, got 1 tensors"));
  const auto state = file.encode(ids({0}), history);
  EXPECT_THAT(message_of([&] { file.score_states(state, ids({-1}).unsqueeze(0)); }),
              HasSubstr("candidates: expected ids from 0 to 22, got -1"));
  // What LibTorch itself finds wrong: two users and one history.
  EXPECT_THAT(message_of([&] { file.encode(ids({0, 1, 2}), ids({1, 2}).unsqueeze(1)); }),
              ::testing::MatchesRegex(
                  ".*model.pt: error: LibTorch fails in encode: [^\n]*must match[^\n]*"));
}

TEST(ExportedFile, ServesSeveralThreadsAtOnce) {
  TinyModel model({});
  const TinyData data({});
  const TemporaryPath target("model.pt");
  export_model(model, data.inputs(), target.path(), {.check = false});
  const ExportedFile file(target.path());
  const auto wanted = file.recommend({{"item-1"}, {}, {"item-2", "item-3"}}, 7).items;
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i)
        wrong[t] += file.recommend({{"item-1"}, {}, {"item-2", "item-3"}}, 7).items != wanted;
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

TEST(ExportedModel, StandsInForTheModelInAnEvaluator) {
  for (const bool reduce_max : {false, true}) {
    const TinyOptions options{.reads_users = true, .num_queries = 2, .reduce_max = reduce_max};
    TinyModel model(options);
    const TinyData data(options);
    const TemporaryPath target("model.pt");
    export_model(model, data.inputs(), target.path(), {.check = false});
    ExportedModel exported(std::make_shared<ExportedFile>(target.path()));
    EXPECT_EQ(exported.request_needs().max_length, 5);
    EXPECT_TRUE(exported.request_needs().users);
    EXPECT_TRUE(exported.contract().known_user);
    ASSERT_TRUE(exported.factors().has_value());
    EXPECT_EQ(exported.factors()->reduction == Factors::Reduction::kMax, reduce_max);
    EXPECT_TRUE(torch::equal(exported.factors()->items, model.factors()->items));
    EXPECT_TRUE(torch::equal(exported.factors()->item_bias, model.factors()->item_bias));
    EXPECT_EQ(exported.queries({{torch::zeros({4, 6}), torch::zeros({4})}}).sizes(),
              (std::vector<int64_t>{4, 2, 6}));
  }
}

}  // namespace
}  // namespace reckon::exported_file_test
