#include "layers/embedding_table.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <limits>

#include "core/ids.h"

namespace reckon::embedding_table_test {
namespace {

EmbeddingTable make_table(int64_t num_rows, int64_t width, bool sparse = false) {
  torch::manual_seed(1);
  return EmbeddingTable(
      EmbeddingTableImpl::Options{.num_rows = num_rows, .width = width, .sparse = sparse});
}

torch::Tensor ids(std::vector<int64_t> values) { return torch::tensor(values, torch::kLong); }

TEST(EmbeddingTable, PaddingAndUnknownAreZeroAndDenseIdsAreNot) {
  const auto table = make_table(3, 4);
  EXPECT_TRUE(table->lookup(ids({kPaddingId, kUnknownId})).equal(torch::zeros({2, 4})));
  EXPECT_GT(table->all().abs().min().item<float>(), 0.0f);
}

TEST(EmbeddingTable, LookupOfAllIdsIsAll) {
  const auto table = make_table(5, 3);
  EXPECT_TRUE(table->lookup(torch::arange(5, torch::kLong)).equal(table->all()));
  EXPECT_TRUE(table->block(1, 4).equal(table->all().slice(0, 1, 4)));
  EXPECT_TRUE(table->lookup(ids({4, 0}).view({1, 2, 1}))
                  .equal(at::stack({table->all()[4], table->all()[0]}).view({1, 2, 1, 3})));
}

TEST(EmbeddingTable, PaddingGetsNoGradientAndTheOthersOneForEachUse) {
  for (const bool sparse : {false, true}) {
    const auto table = make_table(2, 2, sparse);
    const auto weight = table->parameters()[0];
    auto gradient = torch::autograd::grad(
        {table->lookup(ids({kPaddingId, kPaddingId, kUnknownId, 1, 1, 1})).sum()}, {weight})[0];
    ASSERT_TRUE(gradient.is_sparse()) << "a table of zeros for each lookup is what costs most";
    gradient = gradient.to_dense();
    const auto expected = torch::tensor({0.0f, 1.0f, 0.0f, 3.0f}).unsqueeze(1).expand({4, 2});
    EXPECT_TRUE(gradient.equal(expected)) << gradient;
  }
}

TEST(EmbeddingTable, GradientsFlowThroughAll) {
  const auto table = make_table(2, 2);
  const auto of = [&](const torch::Tensor& sum) {
    return torch::autograd::grad({sum}, table->parameters())[0];
  };
  const auto gradient = of(table->all().sum());
  EXPECT_TRUE(gradient.is_sparse());
  EXPECT_TRUE(gradient.to_dense().equal(
      torch::tensor({0.0f, 0.0f, 1.0f, 1.0f}).unsqueeze(1).expand({4, 2})));
  // A gradient of rows of all rows, and more than one use of the table.
  const auto picked = at::embedding(table->all(), ids({1, 1}), -1, false, /*sparse=*/true);
  EXPECT_TRUE(of(picked.sum() + table->all().sum() + table->lookup(ids({-1, 0})).sum())
                  .to_dense()
                  .equal(torch::tensor({0.0f, 1.0f, 2.0f, 3.0f}).unsqueeze(1).expand({4, 2})));
}

TEST(EmbeddingTable, RefusesIdsThatItHasNot) {
  const auto table = make_table(3, 2);
  EXPECT_THROW(table->lookup(ids({0, 3})), c10::Error);
  EXPECT_THROW(table->lookup(ids({-3})), c10::Error);
  EXPECT_THROW(table->block(1, 4), c10::Error);
  EXPECT_EQ(table->lookup(ids({})).sizes(), (std::vector<int64_t>{0, 2}));
}

TEST(EmbeddingTable, IsDrawnFromTheGeneratorAsItsOptionsSay) {
  const auto draw = [](EmbeddingInit::Kind kind, double scale) {
    torch::manual_seed(5);
    const EmbeddingTable table(EmbeddingTableImpl::Options{
        .num_rows = 4000, .width = 20, .init = {.kind = kind, .scale = scale}});
    return table->all().detach();
  };
  const auto normal = draw(EmbeddingInit::Kind::kNormal, 0.5);
  EXPECT_NEAR(normal.std().item<double>(), 0.5, 0.01);
  EXPECT_TRUE(normal.equal(draw(EmbeddingInit::Kind::kNormal, 0.5)));
  const auto uniform = draw(EmbeddingInit::Kind::kUniform, 0.5);
  EXPECT_NEAR(uniform.abs().max().item<double>(), 0.5, 1e-3);
  EXPECT_NEAR(uniform.std().item<double>(), 0.5 / std::sqrt(3.0), 0.01);
  const auto xavier = draw(EmbeddingInit::Kind::kXavierUniform, 0.5);
  EXPECT_NEAR(xavier.abs().max().item<double>(), std::sqrt(6.0 / 4020.0), 1e-3);
}

TEST(EmbeddingTable, GrowsByRowsThatTheSeedAloneDecides) {
  auto table = make_table(3, 4);
  const auto parameter = table->parameters()[0];
  const auto before = table->all().detach().clone();
  table->grow(2, 77);
  EXPECT_EQ(table->num_rows(), 5);
  EXPECT_TRUE(table->all().slice(0, 0, 3).equal(before));
  // The parameter that an optimiser holds is the grown one.
  EXPECT_EQ(parameter.size(0), 7);
  EXPECT_TRUE(parameter.is_same(table->parameters()[0]));

  torch::manual_seed(99);
  auto other = make_table(3, 4);
  other->grow(2, 77);
  EXPECT_TRUE(other->all().slice(0, 3).equal(table->all().slice(0, 3)));
  other->grow(1, 78);
  EXPECT_FALSE(other->all()[5].equal(table->all()[3]));

  const auto gradient =
      torch::autograd::grad({table->lookup(ids({4})).sum()}, table->parameters())[0];
  EXPECT_EQ(gradient.size(0), 7);
}

TEST(EmbeddingTable, AppliesGradientsToWeightRowsButNeverToPadding) {
  auto table = make_table(3, 2);
  const auto before = table->all().detach().clone();
  const auto gradients = torch::tensor({{5.0, 5.0}, {1.0, 1.0}, {1.0, 1.0}}, torch::kFloat);
  table->apply_gradient(ids({0, 1, 3}), gradients,
                        [](const torch::Tensor& weight, const torch::Tensor& rows,
                           const torch::Tensor& values) {
                          EXPECT_TRUE(rows.equal(ids({1, 3})));
                          weight.index_add_(0, rows, values, -1.0);
                        });
  EXPECT_TRUE(table->lookup(ids({kPaddingId})).equal(torch::zeros({1, 2})));
  EXPECT_TRUE(table->lookup(ids({kUnknownId})).equal(-torch::ones({1, 2})));
  EXPECT_TRUE(table->all()[1].equal(before[1] - 1.0f));
  EXPECT_TRUE(table->all()[0].equal(before[0]));
}

TEST(EmbeddingTable, LoadsRowsAndKeepsThoseThatAreNotNumbers) {
  auto table = make_table(3, 2);
  const auto before = table->all().detach().clone();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  table->load_rows(torch::tensor({{1.0, 2.0}, {3.0, static_cast<double>(nan)}}, torch::kDouble));
  EXPECT_TRUE(table->all()[0].equal(torch::tensor({1.0f, 2.0f})));
  EXPECT_TRUE(table->all().slice(0, 1).equal(before.slice(0, 1)));
  EXPECT_THROW(table->load_rows(torch::zeros({4, 2})), c10::Error);
  EXPECT_THROW(table->load_rows(torch::zeros({1, 3})), c10::Error);
}

}  // namespace
}  // namespace reckon::embedding_table_test
