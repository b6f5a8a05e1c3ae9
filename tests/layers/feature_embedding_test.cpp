#include "layers/feature_embedding.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>

#include "core/ids.h"
#include "tests/layers/trace_support.h"
#include "tests/support/gradients.h"

namespace reckon::feature_embedding_test {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kWidth = 3;

// A category of 4 values, a standardised number, a list of up to 3 of 2 values, a number in buckets.
FeatureEmbedding make(FeatureFusion fusion, std::vector<int64_t> hidden_units = {}) {
  torch::manual_seed(2);
  const auto values = torch::tensor({1.0, 2.0, 4.0, 9.0}, torch::kDouble);
  FeatureEmbedding embedding(
      FeatureEmbeddingImpl::Options{
          .fusion = fusion, .hidden_units = std::move(hidden_units), .init = {.scale = 0.5}},
      std::vector<FeatureEmbeddingImpl::Feature>{{1, 4}, {}, {3, 2}, {}},
      std::vector<NumberTransform>{NumberTransform(NumberTransformImpl::Kind::kStandardize, 10,
                                                   values),
                                   NumberTransform(NumberTransformImpl::Kind::kBuckets, 2, values)},
      kWidth);
  torch::NoGradGuard no_grad;
  for (auto& parameter : embedding->parameters())
    if (parameter.dim() == 2) parameter.add_(torch::randn_like(parameter) * 0.3);
  embedding->eval();
  return embedding;
}

torch::Tensor codes(const std::vector<std::vector<int64_t>>& rows) {
  auto out = torch::empty({static_cast<int64_t>(rows.size()), 4}, torch::kLong);
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < 4; ++j)
      out[static_cast<int64_t>(i)][static_cast<int64_t>(j)] = rows[i][j];
  return out;
}

torch::Tensor some_codes() {
  return codes({{0, 1, kPaddingId, kPaddingId},
                {3, 0, 1, kUnknownId},
                {kUnknownId, kUnknownId, kPaddingId, kPaddingId}});
}

torch::Tensor some_numbers() {
  return torch::tensor({{1.0, 9.0}, {kNaN, 2.0}, {6.5, kNaN}}, torch::kDouble);
}

// Vectors of the four features of each row, by hand. Rows of the table behind the two in front:
// unknown and 0 .. 3 of the category; unknown and the direction of the number; unknown, 0, 1 of the
// list; unknown, low, high of the buckets.
torch::Tensor by_hand(const FeatureEmbedding& embedding, int64_t row) {
  torch::NoGradGuard no_grad;
  const auto weight = embedding->named_parameters()["table.weight"];
  const auto vector = [&](int64_t at) { return weight[2 + at]; };
  const auto list_of = [&](int64_t code) { return vector(8 + code); };
  const double mean = 4.0, deviation = std::sqrt((9.0 + 4.0 + 0.0 + 25.0) / 4.0);
  const auto c = some_codes()[row];
  const auto n = some_numbers()[row];
  const auto number = n[0].item<double>(), bucketed = n[1].item<double>();
  std::vector<torch::Tensor> out;
  out.push_back(vector(1 + c[0].item<int64_t>()));
  out.push_back(std::isnan(number) ? vector(5) : vector(6) * ((number - mean) / deviation));
  auto sum = torch::zeros({kWidth});
  int64_t count = 0;
  for (int64_t j = 1; j < 4; ++j) {
    const auto code = c[j].item<int64_t>();
    if (code == kPaddingId) continue;
    sum = sum + list_of(code);
    ++count;
  }
  out.push_back(sum / static_cast<double>(count));
  out.push_back(std::isnan(bucketed) ? vector(10) : bucketed > 2.0 ? vector(12) : vector(11));
  return torch::stack(out);  // [F, D]
}

TEST(FeatureEmbedding, SumAddsUpTheVectorsOfTheValues) {
  auto embedding = make(FeatureFusion::kSum);
  const auto out = embedding->forward(some_codes(), some_numbers());
  ASSERT_EQ(out.sizes(), (std::vector<int64_t>{3, kWidth}));
  for (int64_t row = 0; row < 3; ++row)
    EXPECT_TRUE(torch::allclose(out[row], by_hand(embedding, row).sum(0), 1e-5, 1e-6)) << row;
}

TEST(FeatureEmbedding, ConcatPutsThemSideBySideThroughItsLayers) {
  for (const std::vector<int64_t>& hidden : {std::vector<int64_t>{}, std::vector<int64_t>{5}}) {
    auto embedding = make(FeatureFusion::kConcat, hidden);
    const auto out = embedding->forward(some_codes(), some_numbers());
    auto named = embedding->named_parameters();
    for (int64_t row = 0; row < 3; ++row) {
      auto x = by_hand(embedding, row).flatten();  // [F * D]
      if (!hidden.empty())
        x = (named["hidden.layers.0.weight"].matmul(x) + named["hidden.layers.0.bias"]).relu();
      const auto expected = named["output.weight"].matmul(x) + named["output.bias"];
      EXPECT_TRUE(torch::allclose(out[row], expected, 1e-5, 1e-6)) << row;
    }
  }
}

TEST(FeatureEmbedding, NotKnowingAValueSaysNothingUntilItIsTrained) {
  torch::manual_seed(1);
  FeatureEmbedding embedding(FeatureEmbeddingImpl::Options(),
                             std::vector<FeatureEmbeddingImpl::Feature>{{1, 2}, {2, 3}},
                             std::vector<NumberTransform>{}, kWidth);
  const auto nothing = torch::empty({1, 0}, torch::kDouble);
  const auto unknown = torch::tensor({{kUnknownId, kUnknownId, kPaddingId}});
  EXPECT_TRUE(embedding->forward(unknown, nothing).equal(torch::zeros({1, kWidth})));
  const auto known = torch::tensor({{int64_t{1}, kUnknownId, kPaddingId}});
  EXPECT_GT(embedding->forward(known, nothing).abs().min().item<float>(), 0.0f);
}

TEST(FeatureEmbedding, TheOrderOfAListChangesNothing) {
  auto embedding = make(FeatureFusion::kConcat, {4});
  const auto a = embedding->forward(codes({{0, 1, 0, kUnknownId}}), some_numbers().slice(0, 0, 1));
  const auto b = embedding->forward(codes({{0, kUnknownId, 1, 0}}), some_numbers().slice(0, 0, 1));
  EXPECT_TRUE(torch::allclose(a, b, 1e-6, 1e-7));
}

TEST(FeatureEmbedding, EveryParameterGetsAGradientAndPaddingNone) {
  for (const auto fusion : {FeatureFusion::kSum, FeatureFusion::kConcat}) {
    auto embedding = make(fusion, fusion == FeatureFusion::kSum ? std::vector<int64_t>{}
                                                                : std::vector<int64_t>{6});
    const auto loss = embedding->forward(some_codes(), some_numbers()).pow(2).sum();
    const auto named = embedding->named_parameters();
    std::vector<torch::Tensor> parameters;
    for (const auto& item : named) parameters.push_back(item.value());
    const auto gradients = dense_gradients(loss, parameters);
    for (size_t i = 0; i < parameters.size(); ++i) {
      ASSERT_TRUE(gradients[i].defined()) << named[i].key();
      EXPECT_TRUE(gradients[i].ne(0).any().item<bool>()) << named[i].key();
    }
    // Behind padding: values 1 and 2 of the category stand nowhere, all other rows somewhere.
    const auto of_table = gradients[0].ne(0).any(1);
    ASSERT_EQ(named[0].key(), "table.weight");
    for (int64_t row = 0; row < of_table.size(0); ++row)
      EXPECT_EQ(of_table[row].item<bool>(), row > 1 && row != 4 && row != 5) << row;
  }
}

TEST(FeatureEmbedding, IsTheSameAtOtherSizesThanThoseThatATraceSaw) {
  for (const auto fusion : {FeatureFusion::kSum, FeatureFusion::kConcat}) {
    auto embedding = make(fusion);
    const auto recorded =
        record(*embedding, {some_codes(), some_numbers()},
               [&](const auto& inputs) { return embedding->forward(inputs[0], inputs[1]); });
    for (const int64_t count : {1, 2, 9}) {
      const auto rows = torch::arange(count).remainder(3);
      const auto c = some_codes().index_select(0, rows), n = some_numbers().index_select(0, rows);
      EXPECT_TRUE(torch::allclose(recorded({c, n}), embedding->forward(c, n), 1e-6, 1e-7)) << count;
    }
  }
}

}  // namespace
}  // namespace reckon::feature_embedding_test
