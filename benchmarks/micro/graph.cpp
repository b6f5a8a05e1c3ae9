// Sums over neighbours, and a step of LightGCN, on graphs of the size and shape of Gowalla and larger.
#include <torch/autograd.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "benchmarks/micro/limits.h"
#include "kernels/light_propagation.h"
#include "kernels/neighbour_sampling.h"
#include "kernels/spmm.h"

namespace reckon::bench {
namespace {

constexpr int64_t kWidth = 64;

struct Shape {
  int64_t users, items, edges;
  int64_t num_nodes() const { return users + items; }
};
constexpr Shape kGowalla{29858, 40981, 810128};
constexpr Shape kLarge{1000000, 500000, 10000000};

// Users alike, items by a power law.
const UndirectedGraph& graph_of(const Shape& shape) {
  static std::map<int64_t, UndirectedGraph> graphs;
  auto& graph = graphs[shape.edges];
  if (!graph.offsets.defined()) {
    torch::manual_seed(1);
    const auto users = torch::randint(shape.users, {shape.edges}, torch::kLong);  // [E]
    const auto items = (torch::rand({shape.edges}, torch::kDouble).pow(2.5) * shape.items)
                           .to(torch::kLong);  // [E]
    graph = undirected_graph(shape.num_nodes(), users, items + shape.users);
  }
  return graph;
}

const Shape& shape_of(const benchmark::State& state) {
  return state.range(0) == 0 ? kGowalla : kLarge;
}

// A data set where one is given: neighbours lie closer to each other than in graphs that are drawn.
const char* file_of_sequences() { return std::getenv("RECKON_MICRO_SEQUENCES"); }

// Each line a user and its items, numbers from 0.
const UndirectedGraph& graph_of_file() {
  static const UndirectedGraph graph = [] {
    std::ifstream file(file_of_sequences());
    if (!file) throw std::runtime_error(std::string("cannot read ") + file_of_sequences());
    std::vector<int64_t> users, items;
    int64_t user = 0, item = 0;
    for (std::string line; std::getline(file, line);) {
      std::istringstream numbers(line);
      numbers >> user;
      while (numbers >> item) {
        users.push_back(user);
        items.push_back(item);
      }
    }
    if (users.empty())
      throw std::runtime_error(std::string("no interactions in ") + file_of_sequences());
    const int64_t num_users = *std::max_element(users.begin(), users.end()) + 1;
    const int64_t num_items = *std::max_element(items.begin(), items.end()) + 1;
    return undirected_graph(num_users + num_items, torch::tensor(users),
                            torch::tensor(items) + num_users);
  }();
  return graph;
}

void sum_over_neighbours(benchmark::State& state, const UndirectedGraph& graph) {
  const auto x = torch::randn({graph.num_nodes(), kWidth});
  for (auto _ : state)
    benchmark::DoNotOptimize(spmm(graph, x, {.row_scale = graph.inverse_degree}));
  const auto row = static_cast<double>(kWidth * sizeof(float));
  report(state, {.bytes = static_cast<double>(x.nbytes() + graph.ends.nbytes()),
                 .gathered_bytes = static_cast<double>(graph.ends.size(0)) * row});
}

void sum_over_neighbours_by_aten(benchmark::State& state, const UndirectedGraph& graph) {
  const auto x = torch::randn({graph.num_nodes(), kWidth});
  const auto matrix = torch::sparse_csr_tensor(
      graph.offsets.to(torch::kInt), graph.ends, torch::ones({graph.ends.size(0)}),
      {graph.num_nodes(), graph.num_nodes()},
      torch::TensorOptions().layout(torch::kSparseCsr).dtype(torch::kFloat));
  for (auto _ : state) benchmark::DoNotOptimize(at::matmul(matrix, x));
  const auto row = static_cast<double>(kWidth * sizeof(float));
  report(state, {.gathered_bytes = static_cast<double>(graph.ends.size(0)) * row});
}

void BM_Spmm(benchmark::State& state) { sum_over_neighbours(state, graph_of(shape_of(state))); }
BENCHMARK(BM_Spmm)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

void BM_SpmmOfAten(benchmark::State& state) {
  sum_over_neighbours_by_aten(state, graph_of(shape_of(state)));
}
BENCHMARK(BM_SpmmOfAten)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

[[maybe_unused]] const bool has_file = [] {
  if (file_of_sequences() == nullptr) return false;
  benchmark::RegisterBenchmark(
      "BM_Spmm/file", [](benchmark::State& state) { sum_over_neighbours(state, graph_of_file()); })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
  benchmark::RegisterBenchmark("BM_SpmmOfAten/file",
                               [](benchmark::State& state) {
                                 sum_over_neighbours_by_aten(state, graph_of_file());
                               })
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
  return true;
}();

// Forward and back through three layers, for the 6,144 nodes of a batch of 2,048 pairs.
void BM_LightPropagation(benchmark::State& state) {
  const auto& shape = shape_of(state);
  const auto& graph = graph_of(shape);
  const auto users = torch::randn({shape.users, kWidth}).requires_grad_();
  const auto items = torch::randn({shape.items, kWidth}).requires_grad_();
  const auto rows =
      std::get<0>(torch::randperm(shape.num_nodes()).slice(0, 0, 6144).sort());  // [R]
  for (auto _ : state) {
    const auto out = light_propagation(graph, {users, items}, rows, {0.25, 0.25, 0.25, 0.25});
    benchmark::DoNotOptimize(torch::autograd::grad({out.vectors.sum()}, {users, items}));
  }
  // Of six products two are of a few rows: at most .22 of the edges each.
  const auto row = static_cast<double>(kWidth * sizeof(float));
  report(state, {.gathered_bytes = 4.0 * static_cast<double>(graph.ends.size(0)) * row});
}
BENCHMARK(BM_LightPropagation)->Arg(0)->Unit(benchmark::kMillisecond)->UseRealTime();

// The same through three hops of drawn neighbours: drawing, gathering, forward and back.
void BM_SampledPropagation(benchmark::State& state) {
  const auto& shape = shape_of(state);
  const auto& graph = graph_of(shape);
  const auto x = torch::randn({shape.num_nodes(), kWidth});
  const auto rows =
      std::get<0>(torch::randperm(shape.num_nodes()).slice(0, 0, 6144).sort());  // [R]
  uint64_t key = 0;
  int64_t num_edges = 0;
  for (auto _ : state) {
    const auto sample = sample_neighbours(graph, rows, {10, 5, 5}, key++);
    const auto origin = x.index_select(0, sample.nodes).requires_grad_();  // [S, D]
    auto layer = origin;                                                   // [., D]
    for (size_t hop = sample.hops.size(); hop-- > 0;)
      layer = normalized_sum_of_sample(graph, sample, hop, layer);
    benchmark::DoNotOptimize(torch::autograd::grad({layer.sum()}, {origin}));
    num_edges = 0;
    for (const auto& hop : sample.hops) num_edges += hop.lists.num_edges();
  }
  const auto row = static_cast<double>(kWidth * sizeof(float));
  report(state, {.gathered_bytes = 2.0 * static_cast<double>(num_edges) * row});
}
BENCHMARK(BM_SampledPropagation)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace reckon::bench
