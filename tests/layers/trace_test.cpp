// A component recorded at one batch size and length must be right at any other.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "core/ids.h"
#include "layers/dot_scorer.h"
#include "layers/embedding_table.h"
#include "layers/gmf_scorer.h"
#include "layers/learned_position.h"
#include "layers/mean_pooling_encoder.h"
#include "layers/mlp_scorer.h"
#include "layers/neumf_scorer.h"
#include "layers/recurrent_encoder.h"
#include "layers/sinusoidal_position.h"
#include "layers/transformer_encoder.h"
#include "tests/layers/trace_support.h"

namespace reckon::trace_test {
namespace {

struct Size {
  int64_t batch, length;
};
constexpr Size kSizes[] = {{1, 1}, {2, 5}, {7, 3}, {3, 12}};

torch::Tensor random_valid(int64_t batch, int64_t length) {
  const auto start = torch::randint(length, {batch, 1}, torch::kLong);
  return torch::arange(length, torch::kLong).unsqueeze(0).ge(start);  // [B, T]
}

TEST(Trace, OfAnEncoderIsGeneral) {
  torch::manual_seed(1);
  const SequenceEncoder::Deps deps{.width = 8, .max_length = 12};
  using T = TransformerEncoder;
  const std::vector<std::shared_ptr<SequenceEncoder>> encoders = {
      std::make_shared<T>(T::Options{.num_heads = 2}, deps),
      std::make_shared<T>(T::Options{.num_heads = 2,
                                     .activation = FeedForwardKind::kSwiglu,
                                     .residual = ResidualKind::kGated},
                          deps),
      std::make_shared<T>(T::Options{.residual = ResidualKind::kSasrec}, deps),
      std::make_shared<T>(T::Options{.norm = NormPlace::kPost, .norm_type = NormKind::kRms}, deps),
      std::make_shared<GruEncoder>(RecurrentOptions{.num_layers = 2, .hidden = 5}, deps),
      std::make_shared<LstmEncoder>(RecurrentOptions{}, deps),
      std::make_shared<MeanPoolingEncoder>(MeanPoolingEncoder::Options{}, deps),
      std::make_shared<MeanPoolingEncoder>(MeanPoolingEncoder::Options{.decay = 0.5}, deps)};
  for (const auto& encoder : encoders) {
    const auto run = [&](const std::vector<torch::Tensor>& in) {
      return encoder->forward(in[0], in[1]);
    };
    const auto recorded = record(*encoder, {torch::randn({2, 4, 8}), random_valid(2, 4)}, run);
    for (const auto& size : kSizes) {
      const std::vector<torch::Tensor> in = {torch::randn({size.batch, size.length, 8}),
                                             random_valid(size.batch, size.length)};
      const auto got = recorded(in), expected = run(in);
      ASSERT_EQ(got.sizes(), expected.sizes()) << encoder->name();
      const auto keep = in[1].unsqueeze(-1);
      EXPECT_TRUE(torch::allclose(got * keep, expected * keep, 1e-4, 1e-5)) << encoder->name();
    }
  }
}

TEST(Trace, OfAPositionIsGeneral) {
  torch::manual_seed(2);
  const Position::Deps deps{.width = 8, .max_length = 12};
  const std::vector<std::shared_ptr<Position>> positions = {
      std::make_shared<LearnedPosition>(LearnedPosition::Options{}, deps),
      std::make_shared<SinusoidalPosition>(SinusoidalPosition::Options{}, deps)};
  for (const auto& position : positions) {
    const auto run = [&](const std::vector<torch::Tensor>& in) { return position->forward(in[0]); };
    const auto recorded = record(*position, {torch::randn({2, 4, 8})}, run);
    for (const auto& size : kSizes) {
      const auto x = torch::randn({size.batch, size.length, 8});
      EXPECT_TRUE(recorded({x}).equal(run({x})));
    }
  }
}

TEST(Trace, OfATableAndAScorerIsGeneral) {
  torch::manual_seed(3);
  EmbeddingTable table(EmbeddingTableImpl::Options{.num_rows = 20, .width = 8});
  const Scorer::Deps deps{.width = 8, .num_users = 20, .num_items = 20, .has_user_ids = true};
  const std::vector<std::shared_ptr<Scorer>> scorers = {
      std::make_shared<DotScorer>(DotScorer::Options{.item_bias = true,
                                                     .user_bias = true,
                                                     .global_bias = true,
                                                     .normalize = true},
                                  deps),
      std::make_shared<DotScorer>(DotScorer::Options{}, deps),
      std::make_shared<GmfScorer>(GmfScorer::Options{}, deps),
      std::make_shared<NeumfScorer>(NeumfScorer::Options{.hidden_units = {6, 4}}, deps),
      std::make_shared<MlpScorer>(MlpScorer::Options{.hidden_units = {6, 4}}, deps)};
  for (auto& parameter : table->parameters()) parameter.set_requires_grad(false);
  for (const auto& scorer : scorers) {
    {
      torch::NoGradGuard no_grad;
      for (auto& parameter : scorer->parameters()) parameter.normal_();
    }
    const auto run = [&](const std::vector<torch::Tensor>& in) {
      return scorer->forward({table->lookup(in[0]), in[0]}, {table->lookup(in[1]), in[1]});
    };
    const auto form = [&](const std::vector<torch::Tensor>& in) {
      const auto items = scorer->item_form({table->lookup(in[1]), in[1]});
      const ScorerSide users{table->lookup(in[0]), in[0]};
      auto scores = at::matmul(scorer->query_form(users), items.vectors.t());
      const auto bias = scorer->query_bias(users);
      if (bias.defined()) scores = scores + bias.unsqueeze(1);
      return items.bias.defined() ? scores + items.bias : scores;
    };
    const auto ids = [](at::IntArrayRef sizes) {
      return torch::randint(kPaddingId, 20, sizes, torch::kLong);
    };
    const auto own = record(*scorer, {ids({2}), ids({2, 4})}, run);
    const auto shared = record(*scorer, {ids({2}), ids({4})}, run);
    for (const auto& size : kSizes) {
      const std::vector<torch::Tensor> some = {ids({size.batch}), ids({size.batch, size.length})};
      EXPECT_TRUE(torch::allclose(own(some), run(some), 1e-5, 1e-6)) << scorer->name();
      const std::vector<torch::Tensor> all = {ids({size.batch}), ids({size.length})};
      EXPECT_TRUE(torch::allclose(shared(all), run(all), 1e-5, 1e-6)) << scorer->name();
      if (!scorer->is_inner_product()) continue;
      EXPECT_TRUE(
          torch::allclose(record(*scorer, {ids({2}), ids({4})}, form)(all), form(all), 1e-5, 1e-6));
    }
  }
}

}  // namespace
}  // namespace reckon::trace_test
