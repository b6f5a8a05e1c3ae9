#include "kernels/neighbours.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/kernel_threads.h"
#include "tests/kernels/every_simd.h"
#include "tests/kernels/random_graph.h"
#include "tests/support/gradients.h"

namespace reckon::neighbours_test {
namespace {

using ::testing::ElementsAre;

std::vector<int64_t> numbers(const torch::Tensor& x) {
  const auto flat = x.to(torch::kLong).contiguous();
  return {flat.data_ptr<int64_t>(), flat.data_ptr<int64_t>() + flat.numel()};
}

// The receiver and the sender of each edge.
std::vector<std::pair<int64_t, int64_t>> edges_of(const NeighbourLists& lists) {
  const auto offsets = numbers(lists.offsets), senders = numbers(lists.senders);
  std::vector<std::pair<int64_t, int64_t>> edges;
  for (size_t r = 0; r + 1 < offsets.size(); ++r)
    for (int64_t e = offsets[r]; e < offsets[r + 1]; ++e)
      edges.emplace_back(static_cast<int64_t>(r), senders[static_cast<size_t>(e)]);
  return edges;
}

// The formulas edge by edge, in double.
struct OneByOne {
  const NeighbourLists& lists;
  std::vector<std::pair<int64_t, int64_t>> edges = edges_of(lists);

  torch::Tensor sums(const torch::Tensor& receivers, const torch::Tensor& senders) const {
    auto out = torch::zeros({lists.num_edges(), receivers.size(1)}, torch::kDouble);
    for (size_t e = 0; e < edges.size(); ++e)
      out[static_cast<int64_t>(e)] = receivers[edges[e].first] + senders[edges[e].second];
    return out;
  }
  torch::Tensor products(const torch::Tensor& receivers, const torch::Tensor& senders) const {
    auto out = torch::zeros({lists.num_edges(), receivers.size(1)}, torch::kDouble);
    for (size_t e = 0; e < edges.size(); ++e)
      out[static_cast<int64_t>(e)] =
          (receivers[edges[e].first] * senders[edges[e].second]).sum(-1).to(torch::kDouble);
    return out;
  }
  torch::Tensor softmax(const torch::Tensor& scores) const {
    const auto exponentials = scores.to(torch::kDouble).exp();  // [E, H]
    auto totals = torch::zeros({lists.num_receivers(), scores.size(1)}, torch::kDouble);
    for (size_t e = 0; e < edges.size(); ++e)
      totals[edges[e].first] += exponentials[static_cast<int64_t>(e)];
    auto out = exponentials.clone();
    for (size_t e = 0; e < edges.size(); ++e)
      out[static_cast<int64_t>(e)] /= totals[edges[e].first];
    return out;
  }
  torch::Tensor weighted(const torch::Tensor& weights, const torch::Tensor& x) const {
    const bool is_shared = x.dim() == 2;
    auto out = torch::zeros({lists.num_receivers(), weights.size(1), x.size(-1)}, torch::kDouble);
    for (size_t e = 0; e < edges.size(); ++e) {
      const auto heard = is_shared ? x[edges[e].second].unsqueeze(0) : x[edges[e].second];
      out[edges[e].first] += weights[static_cast<int64_t>(e)].unsqueeze(1) * heard;
    }
    return out;
  }
};

void expect_close(const torch::Tensor& got, const torch::Tensor& expected,
                  const std::string& what) {
  EXPECT_EQ(got.sizes(), expected.sizes()) << what;
  EXPECT_TRUE(torch::allclose(got.to(torch::kDouble), expected.to(torch::kDouble), 1e-4, 1e-5))
      << what;
}

TEST(Neighbours, EqualTheFormulasEdgeByEdgeAtEveryWidthAndInstructionSet) {
  torch::manual_seed(1);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const auto& [receivers, senders, edges] :
         {std::tuple{1, 1, 0}, {1, 1, 1}, {5, 3, 11}, {20, 60, 150}})
      for (const int64_t heads : {1, 3, 8})
        for (const int64_t width : {1, 3, 8, 16, 21, 64}) {
          const auto lists = random_lists(receivers, senders, edges);
          const OneByOne oracle{lists};
          const auto what = std::string(simd_name(simd)) + ", " + std::to_string(edges) +
                            " edges, heads " + std::to_string(heads) + " x " +
                            std::to_string(width);
          const auto q = torch::randn({receivers, heads, width});  // [R, H, F]
          const auto k = torch::randn({senders, heads, width});    // [S, H, F]
          const auto weights = torch::randn({edges, heads});       // [E, H]
          expect_close(edge_products(lists, q, k), oracle.products(q, k), what);
          expect_close(edge_products_by_aten(lists, q, k), oracle.products(q, k), what);
          expect_close(weighted_neighbours(lists, weights, k), oracle.weighted(weights, k), what);
          expect_close(weighted_neighbours_by_aten(lists, weights, k), oracle.weighted(weights, k),
                       what);
          const auto shared = torch::randn({senders, width});  // [S, F]
          const auto expected = oracle.weighted(weights, shared);
          expect_close(weighted_neighbours(lists, weights, shared), expected, what);
          expect_close(weighted_neighbours_by_aten(lists, weights, shared), expected, what);
          const auto plain = oracle.weighted(torch::ones({edges, 1}), shared).squeeze(1);
          expect_close(sums_of_neighbours(lists, shared), plain, what);
          if (width > 1) continue;
          const auto a = q.squeeze(-1), b = k.squeeze(-1);  // [R, H], [S, H]
          expect_close(edge_sums(lists, a, b), oracle.sums(a, b), what);
          expect_close(edge_sums_by_aten(lists, a, b), oracle.sums(a, b), what);
          expect_close(edge_softmax(lists, weights), oracle.softmax(weights), what);
          expect_close(edge_softmax_by_aten(lists, weights), oracle.softmax(weights), what);
        }
  }
}

TEST(Neighbours, SharesOfAReceiverAddUpToOneHoweverLargeTheScoresAre) {
  torch::manual_seed(2);
  for (const auto simd : runnable_simd()) {
    const ForcedSimd forced(simd);
    for (const auto type : {torch::kFloat, torch::kDouble}) {
      const auto lists = random_lists(30, 20, 400);
      // Of a node with all its edges at 1e4 or at -1e4 an exponential alone is infinite or zero.
      const auto shift = torch::randint(-1, 2, {30, 2}, torch::kLong).to(type) * 1e4;  // [R, H]
      const auto scores = torch::randn({400, 2}, torch::TensorOptions(type)) +
                          edge_sums(lists, shift, torch::zeros({20, 2}, shift.options()));
      const auto shares = edge_softmax(lists, scores);  // [E, H]
      EXPECT_TRUE(shares.isfinite().all().item<bool>());
      const auto totals = weighted_neighbours(lists, shares, torch::ones({20, 1}, shift.options()))
                              .squeeze(-1);                                     // [R, H]
      const auto has_edges = lists.offsets.diff().gt(0).unsqueeze(1).to(type);  // [R, 1]
      EXPECT_TRUE(torch::allclose(totals, has_edges.expand_as(totals), 1e-5, 1e-5));
      // Moving all scores alike moves no share, where the sum itself is exact enough.
      if (type == torch::kDouble) {
        EXPECT_TRUE(torch::allclose(shares, edge_softmax(lists, scores - 1e4), 1e-9, 1e-9));
      }
    }
  }
}

TEST(Neighbours, AnEdgeThatIsFarBelowTheOthersHasNoShareAndOneThatIsAloneHasAll) {
  const auto lists = neighbour_lists(torch::tensor({0, 2, 3, 3}, torch::kLong),
                                     torch::tensor({0, 1, 1}, torch::kInt), 2);
  const auto shares =
      edge_softmax(lists, torch::tensor({0.0F, -500.0F, -500.0F}).unsqueeze(1));  // [E, 1]
  EXPECT_NEAR(shares[0][0].item<float>(), 1.0, 1e-6);
  EXPECT_NEAR(shares[1][0].item<float>(), 0.0, 1e-6);
  EXPECT_NEAR(shares[2][0].item<float>(), 1.0, 1e-6);
}

TEST(Neighbours, GradientsEqualDifferences) {
  torch::manual_seed(3);
  const auto lists = random_lists(5, 4, 12);
  const auto options = torch::TensorOptions(torch::kDouble);
  const auto mix = torch::randn({12, 2}, options);         // [E, H]
  const auto wide_mix = torch::randn({5, 2, 3}, options);  // [R, H, F]
  const auto q = torch::randn({5, 2, 3}, options);         // [R, H, F]
  const auto k = torch::randn({4, 2, 3}, options);         // [S, H, F]
  expect_gradients([&](const auto& in) { return (edge_sums(lists, in[0], in[1]) * mix).sum(); },
                   {q.select(2, 0).contiguous(), k.select(2, 0).contiguous()});
  expect_gradients([&](const auto& in) { return (edge_products(lists, in[0], in[1]) * mix).sum(); },
                   {q, k});
  expect_gradients([&](const auto& in) { return (edge_softmax(lists, in[0]) * mix).sum(); },
                   {torch::randn({12, 2}, options)});
  for (const auto& x : {k, torch::randn({4, 3}, options)})
    expect_gradients(
        [&](const auto& in) { return (weighted_neighbours(lists, in[0], in[1]) * wide_mix).sum(); },
        {mix, x});
  expect_gradients(
      [&](const auto& in) { return (sums_of_neighbours(lists, in[0]) * wide_mix[0][0]).sum(); },
      {torch::randn({4, 3}, options)});
  const auto types = torch::randint(3, {12}, torch::kInt);  // [E]
  expect_gradients([&](const auto& in) { return (rows_of_types(in[0], types) * mix).sum(); },
                   {torch::randn({3, 2}, options)});
}

TEST(Neighbours, AreTheSameOnAnyNumberOfThreadsAndSoAreTheirGradients) {
  torch::manual_seed(4);
  const auto lists = random_lists(3000, 2000, 30000);
  const auto q = torch::randn({3000, 4, 8}).requires_grad_();  // [R, H, F]
  const auto k = torch::randn({2000, 4, 8}).requires_grad_();  // [S, H, F]
  const auto outcome = [&] {
    const auto shares = edge_softmax(lists, edge_products(lists, q, k));  // [E, H]
    const auto out = weighted_neighbours(lists, shares, k);               // [R, H, F]
    auto gradients = torch::autograd::grad({out.square().sum()}, {q, k});
    gradients.push_back(out.detach());
    return gradients;
  };
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const auto alone = outcome();
  {
    const KernelThreads threads(3);
    const auto together = outcome();
    for (size_t i = 0; i < alone.size(); ++i) EXPECT_TRUE(torch::equal(together[i], alone[i])) << i;
  }
  at::set_num_threads(before);
}

TEST(NeighbourLists, HoldTheSameEdgesBothWays) {
  torch::manual_seed(5);
  const auto lists = random_lists(7, 6, 25);
  const auto edges = edges_of(lists);
  const auto offsets = numbers(lists.back_offsets), receivers = numbers(lists.back_receivers),
             places = numbers(lists.back_edges);
  ASSERT_EQ(places.size(), edges.size());
  for (size_t s = 0; s + 1 < offsets.size(); ++s)
    for (auto b = static_cast<size_t>(offsets[s]); b < static_cast<size_t>(offsets[s + 1]); ++b) {
      EXPECT_EQ(edges[static_cast<size_t>(places[b])],
                std::pair(receivers[b], static_cast<int64_t>(s)));
    }
  EXPECT_THAT(std::set<int64_t>(places.begin(), places.end()), ::testing::SizeIs(edges.size()));
}

TEST(NeighbourLists, OfAGraphHoldEachNodeItselfOnceWhereThatIsAskedFor) {
  // 0 - 2, and 1 with a loop of its own.
  const auto graph =
      undirected_graph(4, torch::tensor({0, 1}, torch::kLong), torch::tensor({2, 1}, torch::kLong));
  EXPECT_THAT(numbers(neighbour_lists(graph, false).senders), ElementsAre(2, 1, 0));
  const auto looped = neighbour_lists(graph, true);
  EXPECT_THAT(numbers(looped.offsets), ElementsAre(0, 2, 3, 5, 6));
  EXPECT_THAT(numbers(looped.senders), ElementsAre(0, 2, 1, 0, 2, 3));
}

TEST(NeighbourLists, OfSomeRowsAreThoseOfTheWholeInTheOrderAsked) {
  torch::manual_seed(6);
  const auto lists = random_lists(9, 5, 30);
  const auto rows = torch::tensor({7, 0, 4}, torch::kLong);  // [R']
  const auto some = lists_of_rows(lists, rows);
  const auto whole = edges_of(lists), part = edges_of(some.lists);
  const auto places = numbers(some.edges);
  ASSERT_EQ(part.size(), places.size());
  const auto of_rows = numbers(rows);
  size_t expected = 0;
  for (const auto row : of_rows)
    for (const auto& edge : whole) expected += edge.first == row ? 1U : 0U;
  EXPECT_EQ(part.size(), expected);
  for (size_t e = 0; e < part.size(); ++e) {
    const auto& edge = whole[static_cast<size_t>(places[e])];
    EXPECT_EQ(edge, std::pair(of_rows[static_cast<size_t>(part[e].first)], part[e].second));
  }
  const auto x = torch::randn({5, 4});  // [S, F]
  EXPECT_TRUE(torch::equal(sums_of_neighbours(some.lists, x),
                           sums_of_neighbours(lists, x).index_select(0, rows)));
}

TEST(NeighbourLists, RefuseWhatDoesNotFit) {
  const auto one = torch::tensor({0, 1}, torch::kLong);
  const auto sender = torch::tensor({3}, torch::kInt);
  EXPECT_THROW(neighbour_lists(one, sender, 3), c10::Error);
  EXPECT_THROW(neighbour_lists(torch::tensor({0, 2}, torch::kLong), sender, 4), c10::Error);
  EXPECT_THROW(neighbour_lists(torch::tensor({1, 1}, torch::kLong), sender, 4), c10::Error);
  const auto lists = neighbour_lists(one, sender, 4);
  EXPECT_THROW(lists_of_rows(lists, torch::tensor({1}, torch::kLong)), c10::Error);
  EXPECT_THROW(edge_softmax(lists, torch::ones({2, 1})), c10::Error);
  EXPECT_THROW(edge_sums(lists, torch::ones({1, 2}), torch::ones({4, 1})), c10::Error);
  EXPECT_THROW(edge_products(lists, torch::ones({1, 2, 3}), torch::ones({3, 2, 3})), c10::Error);
  EXPECT_THROW(weighted_neighbours(lists, torch::ones({1, 2}), torch::ones({4, 3, 2})), c10::Error);
}

}  // namespace
}  // namespace reckon::neighbours_test
