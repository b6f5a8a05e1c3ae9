// States and scores as sums of their parts: what explanations are made of.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <vector>

#include "layers/dot_scorer.h"
#include "layers/gmf_scorer.h"
#include "layers/mean_pooling_encoder.h"
#include "layers/recurrent_encoder.h"
#include "layers/set_pooling_encoder.h"
#include "layers/transformer_encoder.h"
#include "layers/unit_vectors.h"

namespace reckon::summands_test {
namespace {

using Pooling = SetPoolingEncoder::Pooling;
constexpr SequenceEncoder::Deps kDeps{.width = 4, .max_length = 9};

std::vector<std::shared_ptr<SequenceEncoder>> every_sum() {
  std::vector<std::shared_ptr<SequenceEncoder>> out;
  for (const double decay : {1.0, 0.6})
    out.push_back(
        std::make_shared<MeanPoolingEncoder>(MeanPoolingEncoder::Options{.decay = decay}, kDeps));
  for (const auto& options : std::vector<SetPoolingEncoder::Options>{
           {}, {.projection = false}, {.leave_out_target = true}, {.pooling = Pooling::kAttention}})
    out.push_back(std::make_shared<SetPoolingEncoder>(options, kDeps));
  return out;
}

// Full, padded in front, one item alone, nothing at all.
torch::Tensor mixed_valid(int64_t length) {
  auto valid = torch::zeros({4, length}, torch::kBool);  // [B, T]
  valid[0].fill_(true);
  valid[1].slice(0, length / 2).fill_(true);
  valid[2][length - 1] = true;
  return valid;
}

TEST(Summands, AddUpToTheLastState) {
  torch::manual_seed(1);
  for (const auto& encoder : every_sum())
    for (const int64_t length : {1, 5}) {
      encoder->to(torch::kDouble);
      const auto valid = mixed_valid(length);
      const auto x = torch::randn({4, length, 4}, torch::kDouble);
      const auto parts = encoder->summands(x, x, valid);  // [B, T, D]
      EXPECT_TRUE(torch::allclose(parts.sum(1), encoder->forward(x, valid).select(1, -1)))
          << encoder->name();
      EXPECT_TRUE(parts.masked_select(valid.logical_not().unsqueeze(-1)).eq(0).all().item<bool>());
    }
}

TEST(Summands, AreLinearInWhatIsAddedUp) {
  torch::manual_seed(2);
  for (const auto& encoder : every_sum()) {
    encoder->to(torch::kDouble);
    const auto valid = mixed_valid(5);
    const auto x = torch::randn({4, 5, 4}, torch::kDouble);
    const auto a = torch::randn({4, 5, 4}, torch::kDouble);
    const auto b = torch::randn({4, 5, 4}, torch::kDouble);
    EXPECT_TRUE(
        torch::allclose(encoder->summands(x, a + 2.0 * b, valid),
                        encoder->summands(x, a, valid) + 2.0 * encoder->summands(x, b, valid)));
  }
}

TEST(Summands, AreNotOfferedByEncodersWhoseStatesAreNoSums) {
  TransformerEncoder transformer({.num_heads = 2}, kDeps);
  GruEncoder gru({}, kDeps);
  SetPoolingEncoder tower({.hidden_units = {5}}, kDeps);
  const auto x = torch::randn({1, 2, 4});
  const auto valid = torch::ones({1, 2}, torch::kBool);
  for (SequenceEncoder* encoder : std::vector<SequenceEncoder*>{&transformer, &gru, &tower}) {
    EXPECT_FALSE(encoder->is_sum_of_steps());
    EXPECT_THROW(encoder->summands(x, x, valid), c10::Error);
  }
  for (const auto& encoder : every_sum()) EXPECT_TRUE(encoder->is_sum_of_steps());
}

TEST(QueryParts, AddUpToTheQueryOfTheWhole) {
  torch::manual_seed(3);
  constexpr Scorer::Deps kSizes{.width = 4, .num_users = 3, .num_items = 3};
  std::vector<std::shared_ptr<Scorer>> scorers = {
      std::make_shared<GmfScorer>(GmfScorer::Options{}, kSizes)};
  for (const bool normalize : {false, true})
    for (const double temperature : {1.0, 0.3})
      scorers.push_back(std::make_shared<DotScorer>(
          DotScorer::Options{.normalize = normalize, .temperature = temperature}, kSizes));
  for (const auto& scorer : scorers)
    for (const int64_t num_parts : {1, 6}) {
      scorer->to(torch::kDouble);
      const auto parts = torch::randn({3, num_parts, 4}, torch::kDouble);  // [P, N, D]
      const auto whole = parts.sum(1);                                     // [P, D]
      EXPECT_TRUE(torch::allclose(scorer->query_parts(parts, whole).sum(1),
                                  scorer->query_form({whole, {}})))
          << scorer->name();
    }
}

TEST(QueryParts, OfAWholeThatIsZeroAreNoNaN) {
  DotScorer cosine({.normalize = true}, {.width = 2, .num_users = 1, .num_items = 1});
  const auto parts = torch::zeros({1, 3, 2});
  EXPECT_TRUE(torch::equal(cosine.query_parts(parts, parts.sum(1)), parts));
}

TEST(UnitVectors, AreVectorsDividedByTheirNorms) {
  const auto x = torch::tensor({{3.0, 4.0}, {0.0, 0.0}}, torch::kDouble);
  EXPECT_TRUE(torch::equal(norms_of(x).slice(0, 0, 1), torch::full({1, 1}, 5.0, torch::kDouble)));
  EXPECT_TRUE(
      torch::allclose(unit_vectors(x), torch::tensor({{0.6, 0.8}, {0.0, 0.0}}, torch::kDouble)));
}

}  // namespace
}  // namespace reckon::summands_test
