// Who can be answered: one rule, which evaluation and serving ask alike.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/utils.h>

#include <atomic>

#include "core/ids.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/popularity.h"
#include "models/random.h"
#include "models/retrieval.h"

namespace reckon::usable_test {
namespace {

constexpr int64_t kUsers = 4, kItems = 6;

// Users 0 and 2 have rows in training, users 1 and 3 have none.
Interactions some_rows() {
  Interactions data;
  data.num_users = kUsers;
  data.num_items = kItems;
  data.user_offsets = torch::tensor({0, 2, 2, 5, 5}, torch::kLong);
  data.items = torch::tensor({1, 3, 3, 5, 0}, torch::kInt);
  return data;
}

/// Counts how often it propagates.
class CountingPropagation : public Propagation {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };
  static inline std::atomic<int64_t> num_calls{0};

  CountingPropagation(const Options&, const Deps& deps)
      : mix_(register_parameter("mix", torch::eye(deps.width))) {}
  int64_t output_width() const override { return mix_.size(0); }
  Propagated forward(const torch::Tensor& users, const torch::Tensor& items,
                     const torch::Tensor& rows, const std::optional<GraphView>&) override {
    ++num_calls;
    const auto all = torch::cat({users, items}).index_select(0, rows);  // [R, D]
    return {all.matmul(mix_), all};
  }

 private:
  torch::Tensor mix_;
};

/// An encoder that gives one vector for a whole history, which no objective here can learn from.
class Pooled : public SequenceEncoder {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };
  Pooled(const Options&, const Deps& deps) : width_(deps.width) {}
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor&) override { return x.mean(1); }
  OutputSpec output_spec() const override {
    return {.width = width_, .steps = OutputSpec::Steps::kPooled};
  }

 private:
  int64_t width_;
};

struct Slot {
  Component<Model> model;
  static void describe(Schema<Slot>& schema) { schema.field("model", &Slot::model).required(); }
};

std::shared_ptr<Model> make(const std::string& user, const Interactions* train,
                            const std::string& more = "") {
  Catalog catalog;
  add_layers(catalog);
  add_models(catalog);
  catalog.add<CountingPropagation>("counting", "Counts.");
  catalog.add<Pooled>("pooled", "One vector for all.");
  const auto yaml =
      "model: {family: retrieval, dim: 4, user: " + user + more + ", objectives: [{type: bpr}]}\n";
  const auto slot = read_config<Slot>(parse_yaml(yaml, "test.yaml"), catalog);
  torch::manual_seed(4);
  auto model = slot.model.build({.num_users = kUsers, .num_items = kItems, .train = train});
  model->eval();
  return model;
}

const char* const kHistory = "history: {max_length: 3, encoder: {type: gru}, dropout: 0.0}";

Batch request(const std::vector<int64_t>& users,
              const std::vector<std::vector<int64_t>>& histories) {
  Batch batch(static_cast<int64_t>(std::max(users.size(), histories.size())));
  if (!users.empty()) batch.set(batch_key::kUsers, torch::tensor(users, torch::kLong));
  if (histories.empty()) return batch;
  std::vector<torch::Tensor> rows;
  for (const auto& history : histories) rows.push_back(torch::tensor(history, torch::kLong));
  batch.set(batch_key::kHistory, torch::stack(rows));
  return batch;
}

std::vector<bool> usable(Model& model, const Batch& batch) {
  const auto flags = model.usable(batch);
  std::vector<bool> out;
  for (int64_t row = 0; row < flags.size(0); ++row) out.push_back(flags[row].item<bool>());
  return out;
}

using Flags = std::vector<bool>;
constexpr int64_t kPad = kPaddingId, kUnknown = kUnknownId;

TEST(Usable, AUserIdCountsOnlyWhereTrainingHadRowsOfTheUser) {
  const auto train = some_rows();
  const auto model = make("{id: {}}", &train);
  EXPECT_EQ(usable(*model, request({0, 1, 2, 3, kUnknown}, {})),
            (Flags{true, false, true, false, false}));
}

TEST(Usable, AHistoryCountsOnlyWithAKnownItem) {
  const auto model = make("{" + std::string(kHistory) + "}", nullptr);
  EXPECT_EQ(usable(*model, request({}, {{kPad, kPad, 4},
                                        {kPad, kPad, kPad},
                                        {kPad, kUnknown, kUnknown},
                                        {kUnknown, 0, kUnknown}})),
            (Flags{true, false, false, true}));
}

TEST(Usable, WhereBothAreReadEitherIsEnough) {
  const auto train = some_rows();
  const auto model = make("{id: {}, " + std::string(kHistory) + "}", &train);
  EXPECT_EQ(
      usable(*model,
             request({0, 1, 1, kUnknown},
                     {{kPad, kPad, kPad}, {kPad, kPad, 2}, {kPad, kPad, kPad}, {kPad, 1, 1}})),
      (Flags{true, true, false, true}));
}

TEST(Usable, WhoRanksForEverybodyNeedsNothing) {
  Popularity popularity({}, {.num_users = kUsers, .num_items = kItems});
  Random random({}, {.num_users = kUsers, .num_items = kItems});
  EXPECT_TRUE(popularity.ranks_for_everybody());
  EXPECT_EQ(usable(popularity, request({0, kUnknown}, {})), (Flags{true, true}));
  EXPECT_EQ(usable(random, request({0, kUnknown}, {})), (Flags{true, true}));
  const auto train = some_rows();
  EXPECT_FALSE(make("{id: {}}", &train)->ranks_for_everybody());
  EXPECT_FALSE(make("{" + std::string(kHistory) + "}", nullptr)->ranks_for_everybody());
}

TEST(Retrieval, AUserWithoutRowsIsEncodedAsAnUnknownOneWhateverWasDrawn) {
  const auto train = some_rows();
  const torch::NoGradGuard no_grad;
  for (const auto& user : {std::string("{id: {}}"), "{id: {}, " + std::string(kHistory) + "}"}) {
    const auto model = make(user, &train);
    const std::vector<std::vector<int64_t>> histories(3, {kPad, 2, 5});
    const auto batch = model->request_needs().max_length > 0 ? request({1, kUnknown, 2}, histories)
                                                             : request({1, kUnknown, 2}, {});
    const auto state = model->encode(batch).tensors[0];  // [B, D]
    EXPECT_TRUE(torch::equal(state[0], state[1])) << user;
    EXPECT_FALSE(torch::equal(state[0], state[2])) << user;
  }
}

TEST(Retrieval, WhoHasRowsIsKeptWithTheWeights) {
  const auto train = some_rows();
  const auto model = make("{id: {}}", &train);
  const auto& flags = model->named_buffers()["trained_users"];
  EXPECT_TRUE(torch::equal(flags, torch::tensor({true, false, true, false})));
  EXPECT_EQ(usable(*make("{id: {}}", nullptr), request({1}, {})), Flags{true})
      << "only sizes are known";
}

TEST(Retrieval, VectorsOfUsersWithoutRowsAreZero) {
  const auto train = some_rows();
  const auto vectors = *make("{id: {}}", &train)->user_vectors();  // [U, D]
  EXPECT_TRUE(torch::equal(vectors.ne(0).any(1), torch::tensor({true, false, true, false})));
}

TEST(Retrieval, WhileItScoresItPropagatesOnce) {
  const auto train = some_rows();
  const auto model = make("{id: {}}", &train, ", propagation: {type: counting}");
  const torch::NoGradGuard no_grad;
  CountingPropagation::num_calls = 0;
  const auto candidates = torch::arange(kItems).unsqueeze(0);  // [1, I]
  const auto score = [&] { return model->score(model->encode(request({0}, {})), candidates); };
  const auto before = score();
  model->factors();
  model->item_vectors();
  EXPECT_TRUE(torch::equal(score(), before));
  EXPECT_EQ(CountingPropagation::num_calls, 1);
  // Loading writes weights in place.
  for (auto& parameter : model->parameters()) parameter.mul_(2.0);
  EXPECT_FALSE(torch::allclose(score(), before));
  EXPECT_EQ(CountingPropagation::num_calls, 2);
  // An optimiser's row updates are not seen in autograd's versions; the mode is.
  model->train();
  model->encode(request({0}, {}));
  model->encode(request({0}, {}));
  EXPECT_EQ(CountingPropagation::num_calls, 4);
  model->eval();
  score();
  EXPECT_EQ(CountingPropagation::num_calls, 5);
}

TEST(Retrieval, WithGradientsEveryPropagationHasAGraphOfItsOwn) {
  const auto train = some_rows();
  const auto model = make("{id: {}}", &train, ", propagation: {type: counting}");
  {
    const torch::NoGradGuard no_grad;
    model->factors();
  }
  EXPECT_TRUE(model->factors()->items.requires_grad());
}

TEST(Retrieval, AnEncoderThatPoolsIsRefusedWithThePlacesOfBothSlots) {
  try {
    make("{history: {encoder: {type: pooled}}}", nullptr);
    FAIL() << "built";
  } catch (const ConfigError& error) {
    EXPECT_THAT(std::string(error.what()),
                ::testing::MatchesRegex(
                    "test.yaml:1:[0-9]+: error: model.user.history.encoder: gives one "
                    "vector for a whole history, but model.objectives at "
                    "test.yaml:1:[0-9]+ learn the next item of every step(.|\n)*"));
  }
}

TEST(Retrieval, AFrozenTableKeepsZeroWhereTheFileHasNoVectorATrainedOneWhatWasDrawn) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  auto rows = torch::full({kItems, 4}, nan);  // [I, D]
  rows[1] = torch::tensor({1.0, 2.0, 3.0, 4.0});
  for (const bool frozen : {false, true}) {
    const auto model = make("{" + std::string(kHistory) + "}", nullptr,
                            std::string(", item: {id: {pretrained: v.tsv, frozen: ") +
                                (frozen ? "true" : "false") + "}}");
    const auto drawn = model->item_vectors()->clone();  // [I, D]
    const auto requests = model->pretrained();
    ASSERT_EQ(requests.size(), 1U);
    EXPECT_EQ(requests[0].option, "model.item.id.pretrained");
    EXPECT_EQ(requests[0].frozen, frozen);
    requests[0].load(rows);
    const auto loaded = *model->item_vectors();  // [I, D]
    EXPECT_TRUE(torch::equal(loaded[1], rows[1]));
    EXPECT_TRUE(torch::equal(loaded[0], frozen ? torch::zeros({4}) : drawn[0])) << frozen;
  }
}

TEST(Random, SeedsFarApartAreOtherRankingsAndNoneIsAnotherShiftedByUsers) {
  const auto all = torch::arange(50).unsqueeze(0).expand({20, 50});  // [B, I]
  Batch batch(20);
  batch.set(batch_key::kUsers, torch::arange(20));
  const auto scores = [&](int64_t seed) {
    Random model({.seed = seed}, {.num_users = 20, .num_items = 50});
    return model.score(model.encode(batch), all);  // [B, I]
  };
  const auto one = scores(1);
  EXPECT_FALSE(torch::equal(one, scores(1 + 65536)));
  EXPECT_FALSE(torch::equal(one, scores(1 + (int64_t{1} << 40))));
  for (const int64_t other : {2, 3, 65537}) {
    const auto shifted = scores(other);
    for (int64_t shift = 0; shift < 20; ++shift)
      EXPECT_FALSE(torch::equal(one[shift], shifted[0])) << other << " " << shift;
  }
}

}  // namespace
}  // namespace reckon::usable_test
