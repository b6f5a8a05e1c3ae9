// Files of models that read what describes users and items.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <limits>

#include "core/diagnostics.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/feature_encoding.h"
#include "tests/export/tiny_model.h"

namespace reckon::features_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Ids = std::vector<std::string>;

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

// Two thirds of the users have a job and half of them an age.
std::vector<ColumnContent> table(TableRole role, const std::vector<ColumnRequest>& requests,
                                 const TinyOptions& sizes) {
  const auto count = role == TableRole::kItems ? sizes.num_items : sizes.num_users;
  const Ids words = {"red wine", "", "caf\xc3\xa9", "it's \"x\"", "a"};
  std::vector<ColumnContent> out;
  for (const auto& request : requests) {
    ColumnContent content;
    for (int64_t row = 0; row < count; ++row) {
      if (request.is_number) {
        content.numbers.push_back(row % 2 == 0 ? std::numeric_limits<double>::quiet_NaN()
                                               : static_cast<double>(row) * 7.5);
      } else {
        const auto word = words[static_cast<size_t>(row) % words.size()];
        content.texts.push_back(request.max_values > 0 ? word + " | a|" + word : word);
      }
    }
    out.push_back(content);
  }
  return out;
}

const std::string kColumns =
    "columns: [{column: job, type: category, min_count: 1}, {column: age, type: number, transform: "
    "log}, {column: likes, type: categories, min_count: 1}, {column: visits, type: number, "
    "transform: "
    "buckets, num_buckets: 3}]";

std::shared_ptr<Model> make(const std::string& item, const std::string& user,
                            const TinyOptions& sizes, const std::string& more = "") {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  const auto yaml = "model: {family: retrieval, dim: 4, item: {" + item + "}, user: {" + user +
                    "}, objectives: [{type: softmax}]" + more + "}\n";
  const auto slot = read_config<Slot>(parse_yaml(yaml, "test.yaml"), catalog);
  torch::manual_seed(4);
  auto model =
      slot.model.build({.num_users = sizes.num_users,
                        .num_items = sizes.num_items,
                        .columns = [&](TableRole role, const std::vector<ColumnRequest>& requests) {
                          return table(role, requests, sizes);
                        }});
  torch::NoGradGuard no_grad;
  for (auto& parameter : model->parameters()) parameter.add_(torch::randn_like(parameter) * 0.3);
  return model;
}

struct Case {
  const char* name;
  std::string item, user, more;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::string kSum = "features: {" + kColumns + "}";
const std::string kConcat = "features: {fusion: concat, hidden_units: [5], " + kColumns + "}";
const std::string kHistory = "history: {max_length: 5, encoder: {type: gru}}";
const std::string kMlp = ", scorer: {type: mlp, hidden_units: [6]}";

const Case kCases[] = {
    {"features_alone", "id: null, " + kSum, kSum, ""},
    {"ids_too", kConcat, "id: {}, " + kConcat, ""},
    {"beside_a_history", kSum, kConcat + ", " + kHistory, ""},
    {"everything_in_an_mlp", kConcat, "id: {}, " + kSum + ", " + kHistory, kMlp},
    {"numbers_alone", "dropout: 0.0", "features: {columns: [{column: age, type: number}]}", ""},
};

class FeaturesCase : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Models, FeaturesCase, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

// The export itself compares lists for drawn users, known and unknown values, several batch sizes.
TEST_P(FeaturesCase, GiveAFileThatRanksAsTheModel) {
  const TinyOptions sizes;
  const auto& c = GetParam();
  const auto model = make(c.item, c.user, sizes, c.more);
  const TinyData data(sizes);
  const TemporaryPath target("model.pt");
  export_model(*model, data.inputs(), target.path(), {});
  const ExportedFile file(target.path());
  EXPECT_TRUE(file.description().user_features);
  EXPECT_EQ(file.description().new_item_with_content, c.item != "dropout: 0.0");
  ASSERT_NE(file.description().method("recommend_features"), nullptr);
  EXPECT_EQ(file.description().method("recommend_features")->refusal, "");

  // Scores of one user by hand.
  model->eval();
  torch::NoGradGuard no_grad;
  const ExportedFile::Features asked = {{{"age", "33"}}, {{"age", "7e1"}}};
  const auto [codes, numbers] = model->user_encoding()->encode(asked);
  Batch request(2);
  request.set(batch_key::kUsers, torch::full({2}, kUnknownId, torch::kLong));
  request.set(batch_key::kHistory, torch::full({2, 1}, kPaddingId, torch::kLong));
  request.set(batch_key::kUserCodes, codes);
  request.set(batch_key::kUserNumbers, numbers);
  const auto candidates = torch::arange(sizes.num_items).unsqueeze(0).repeat({2, 1});
  const auto scores = model->score(model->encode(request), candidates);  // [B, I]
  const auto got = file.recommend_features(asked, sizes.num_items);
  for (int64_t row = 0; row < 2; ++row) {
    ASSERT_EQ(static_cast<int64_t>(got.items[static_cast<size_t>(row)].size()), sizes.num_items);
    for (int64_t rank = 0; rank < sizes.num_items; ++rank) {
      const auto& id = got.items[static_cast<size_t>(row)][static_cast<size_t>(rank)];
      EXPECT_NEAR(got.scores[row][rank].item<float>(),
                  scores[row][data.items.find(id)].item<float>(), 1e-4);
    }
  }
}

class FeaturesFile : public ::testing::Test {
 protected:
  void SetUp() override {
    model_ = make(kSum, kConcat, sizes_);
    export_model(*model_, data_.inputs(), target_.path(), {});
    file_ = std::make_unique<ExportedFile>(target_.path());
  }

  std::string refusal(const ExportedFile::Features& features) const {
    try {
      file_->recommend_features(features, 3);
    } catch (const DataError& error) {
      const std::string text = error.what();
      return text.substr(text.find("error: ") + 7);
    }
    return "";
  }

  TinyOptions sizes_;
  TinyData data_{sizes_};
  TemporaryPath target_{"model.pt"};
  std::shared_ptr<Model> model_;
  std::unique_ptr<ExportedFile> file_;
};

TEST_F(FeaturesFile, ValuesThatTrainingNeverHadAndMissingOnesRankTheSame) {
  const auto got = file_->recommend_features({{{"job", "a"}, {"likes", "no such|nor this"}},
                                              {{"job", "a"}},
                                              {{"job", " a "}, {"likes", ""}, {"age", " "}}},
                                             5);
  EXPECT_EQ(got.items[0], got.items[1]);
  EXPECT_EQ(got.items[0], got.items[2]);
  EXPECT_TRUE(got.scores[0].equal(got.scores[1]));
}

TEST_F(FeaturesFile, SomebodyOfWhomNothingIsKnownGetsTheFallback) {
  EXPECT_THAT(
      file_->serves_features(
          {{{"job", "a"}}, {}, {{"job", "no such"}}, {{"age", "5"}}, {{"likes", "no such| a"}}}),
      ElementsAre(true, false, false, true, true));
  const auto got = file_->recommend_features({{{"job", "no such"}}}, 2);
  EXPECT_THAT(got.items[0], ElementsAre("item-3", "item-7"));
  EXPECT_EQ(got.scores[0][0].item<float>(), 3.0f);
}

TEST_F(FeaturesFile, LeavesOutAndChoosesAsEveryOtherRequest) {
  const auto all = file_->recommend_features({{{"job", "a"}}}, 23).items[0];
  const auto rest = file_->recommend_features({{{"job", "a"}}}, 23, {{all[0], all[2]}}).items[0];
  EXPECT_EQ(rest.size(), 21U);
  EXPECT_EQ(rest[0], all[1]);
  EXPECT_THAT(file_->recommend_features({{{"job", "a"}}}, 9, {}, {all[5], all[1]}).items[0],
              ElementsAre(all[1], all[5]));
  EXPECT_TRUE(file_->recommend_features({}, 3).items.empty());
}

TEST_F(FeaturesFile, RefusesColumnsThatItHasNotAndTextsThatAreNoNumbers) {
  EXPECT_EQ(refusal({{{"jobs", "a"}}}),
            "there is no feature 'jobs'; this file knows job, age, likes, visits");
  EXPECT_EQ(refusal({{{"age", "old"}}}), "age: expected a number, got 'old'");
  for (const std::string text : {"1e999", "1e", "1-2", "1.2.3", "e5", "+", "1e5e5", "--1", "1e2.5"})
    EXPECT_EQ(refusal({{{"age", text}}}), "age: expected a number, got '" + text + "'");
  for (const std::string text : {"33", "+3.3e1", "330E-1", ".5", "5."})
    EXPECT_EQ(refusal({{{"age", text}}}), "");
  EXPECT_EQ(refusal({{{"age", "-3"}}}), "age: expected a number of at least 0, got '-3'");
  EXPECT_EQ(refusal({{{"visits", "-3"}}}), "");
}

TEST(FeaturesOfNobody, AreRefusedByAFileWithoutThem) {
  const TinyOptions sizes;
  TinyModel model(sizes);
  const TinyData data(sizes);
  const TemporaryPath target("model.pt");
  export_model(model, data.inputs(), target.path(), {});
  const ExportedFile file(target.path());
  EXPECT_FALSE(file.description().user_features);
  try {
    file.recommend_features({{{"job", "a"}}}, 3);
    FAIL() << "it was answered";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("this model reads no columns that describe a user"));
  }
}

}  // namespace
}  // namespace reckon::features_test
