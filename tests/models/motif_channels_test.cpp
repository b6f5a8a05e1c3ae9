#include "models/motif_channels.h"

#include <gtest/gtest.h>

#include "models/social_graph.h"
#include "tests/models/social_support.h"

namespace reckon::motif_channels_test {
namespace {

struct DenseChannels {
  torch::Tensor social, joint, purchase;  // [U, U] each
};

// The paper's table, by dense matrices.   Shapes   s [U, U], r [U, I], of zeros and ones
DenseChannels by_the_table(torch::Tensor s, const torch::Tensor& r, int64_t common_items) {
  s = s * (1.0 - torch::eye(s.size(0), torch::kDouble));  // [U, U]
  const auto b = s * s.t(), v = s - b;                    // [U, U]
  const auto mm = [](const torch::Tensor& x, const torch::Tensor& y) { return x.matmul(y); };
  const auto turned_too = [](const torch::Tensor& c) { return c + c.t(); };
  const auto m1 = turned_too(mm(v, v) * v.t());
  const auto m2 = turned_too(mm(b, v) * v.t() + mm(v, b) * v.t() + mm(v, v) * b);
  const auto m3 = turned_too(mm(b, b) * v + mm(b, v) * b + mm(v, b) * b);
  const auto m4 = mm(b, b) * b;
  const auto m5 = turned_too(mm(v, v) * v + mm(v, v.t()) * v + mm(v.t(), v) * v);
  const auto m6 = mm(v, b) * v + mm(b, v.t()) * v.t() + mm(v.t(), v) * b;
  const auto m7 = mm(v.t(), b) * v.t() + mm(b, v) * v + mm(v, v.t()) * b;
  const auto common = mm(r, r.t());  // [U, U]
  const auto m8 = common * b, m9 = turned_too(common * v);
  auto m10 = common - m8 - m9;                                  // [U, U]
  m10 = m10 * (1.0 - torch::eye(m10.size(0), torch::kDouble));  // nobody is a pair alone
  m10 = m10 * m10.ge(common_items);
  return {m1 + m2 + m3 + m4 + m5 + m6 + m7, m8 + m9, m10};
}

MotifChannels channels_of(const Graph& graph, const MotifOptions& options) {
  const auto social = social_graph(deps_of(graph, 4));
  return motif_channels(social.friends, social.interactions, graph.node_types[1].nodes.count,
                        options);
}

TEST(MotifChannels, EqualTheTableByDenseMatrices) {
  torch::manual_seed(1);
  for (const auto& [users, items, friendships, interactions] :
       {std::tuple{1, 1, 0, 0}, {1, 1, 1, 1}, {3, 4, 5, 8}, {8, 10, 35, 50}, {20, 30, 90, 200}})
    for (const int64_t common_items : {1, 2, 3}) {
      const auto graph = random_social_graph(users, items, friendships, interactions);
      const auto found = channels_of(graph, {.common_items = common_items, .max_strangers = 0});
      const auto expected =
          by_the_table(dense_of_kind(graph, EdgeKind::kFriends),
                       dense_of_kind(graph, EdgeKind::kInteractions), common_items);
      EXPECT_TRUE(torch::equal(dense_rows(found.social, users), expected.social)) << users;
      EXPECT_TRUE(torch::equal(dense_rows(found.joint, users), expected.joint)) << users;
      EXPECT_TRUE(torch::equal(dense_rows(found.purchase, users), expected.purchase)) << users;
      if (users == 8) {
        EXPECT_GT(expected.social.sum().item<double>(), 0.0);
        EXPECT_GT(expected.joint.sum().item<double>(), 0.0);
      }
    }
}

TEST(MotifChannels, KeepThoseStrangersWithTheMostInCommon) {
  torch::manual_seed(2);
  const auto graph = random_social_graph(15, 12, 20, 120);
  const auto all =
      dense_rows(channels_of(graph, {.common_items = 1, .max_strangers = 0}).purchase, 15);
  const auto some =
      dense_rows(channels_of(graph, {.common_items = 1, .max_strangers = 3}).purchase, 15);
  for (int64_t u = 0; u < 15; ++u) {
    const auto kept = some[u].gt(0);  // [U]
    EXPECT_EQ(kept.sum().item<int64_t>(), std::min<int64_t>(3, all[u].gt(0).sum().item<int64_t>()));
    EXPECT_TRUE(torch::equal(some[u], all[u] * kept));
    EXPECT_GE(std::get<0>(some[u].topk(3)).sum().item<double>(),
              std::get<0>(all[u].topk(3)).sum().item<double>());
  }
}

// How strong a rating or a friendship is changes no triangle.
TEST(MotifChannels, CountTrianglesAndNotWeights) {
  torch::manual_seed(3);
  const auto weighted = random_social_graph(8, 10, 35, 50, true);
  torch::manual_seed(3);
  const auto plain = random_social_graph(8, 10, 35, 50);
  const auto a = channels_of(weighted, {}), b = channels_of(plain, {});
  EXPECT_TRUE(torch::equal(dense_rows(a.social, 8), dense_rows(b.social, 8)));
  EXPECT_TRUE(torch::equal(dense_rows(a.joint, 8), dense_rows(b.joint, 8)));
  EXPECT_TRUE(torch::equal(dense_rows(a.purchase, 8), dense_rows(b.purchase, 8)));
}

}  // namespace
}  // namespace reckon::motif_channels_test
