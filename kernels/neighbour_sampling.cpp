#include "kernels/neighbour_sampling.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/random.h"
#include "kernels/kernel_threads.h"

namespace reckon {

namespace {

constexpr int64_t kReceiversOfTask = 256;

// `count` of the numbers 0 .. number - 1, ascending (Bentley, Floyd, "Programming Pearls: A Sample of
// Brilliance", CACM 1987): as many draws as there are results, however many numbers there are.
void draw_places(const RandomKey& key, int64_t number, int64_t count,
                 std::vector<int64_t>& places) {
  places.clear();
  if (count == number) {
    places.resize(static_cast<size_t>(number));
    std::iota(places.begin(), places.end(), int64_t{0});
    return;
  }
  for (int64_t last = number - count; last < number; ++last) {
    const auto bound = static_cast<uint64_t>(last) + 1;
    const auto drawn = static_cast<int64_t>(random_below(key, bound, bound));
    const auto at = std::lower_bound(places.begin(), places.end(), drawn);
    if (at == places.end() || *at != drawn)
      places.insert(at, drawn);
    else
      places.push_back(last);  // above all that are there
  }
}

// What `nodes` hear at one hop: where each one's edges begin, and their places in the graph.
// Shapes   -> [R + 1] int64, [E'] int64
std::pair<torch::Tensor, torch::Tensor> draw_edges(const UndirectedGraph& graph,
                                                   const std::vector<int64_t>& nodes,
                                                   int64_t fanout, const RandomKey& hop) {
  const auto num_receivers = static_cast<int64_t>(nodes.size());
  const auto* of_node = graph.offsets.const_data_ptr<int64_t>();
  auto offsets = torch::zeros({num_receivers + 1}, torch::kLong);  // [R + 1]
  auto* offset = offsets.data_ptr<int64_t>();
  for (int64_t r = 0; r < num_receivers; ++r)
    offset[r + 1] = offset[r] + std::min(fanout, of_node[nodes[r] + 1] - of_node[nodes[r]]);
  auto edges = torch::empty({offset[num_receivers]}, torch::kLong);  // [E']
  auto* edge = edges.data_ptr<int64_t>();
  kernel_parallel_for(num_receivers, kReceiversOfTask, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> places;
    for (int64_t r = begin; r < end; ++r) {
      const int64_t node = nodes[r], first = of_node[node];
      draw_places(hop.child(static_cast<uint64_t>(node)), of_node[node + 1] - first,
                  offset[r + 1] - offset[r], places);
      auto* to = edge + offset[r];
      for (const int64_t place : places) *to++ = first + place;
    }
  });
  return {offsets, edges};
}

// Sums of the vectors that receivers of a hop hear, each times a value. `fill` is called with a receiver's
// node, the places in the graph of the edges it hears, room for a value of each, and their number.
template <class Fill>
torch::Tensor weighted_by(const NeighbourSample& sample, size_t hop, const torch::Tensor& x,
                          const Fill& fill) {
  const auto& [lists, edges] = sample.hops.at(hop);
  const auto values = torch::empty({lists.num_edges(), 1});  // [E', 1]
  const auto* node = sample.nodes.const_data_ptr<int64_t>();
  const auto* offset = lists.offsets.const_data_ptr<int64_t>();
  const auto* edge = edges.const_data_ptr<int64_t>();
  auto* value = values.data_ptr<float>();
  kernel_parallel_for(lists.num_receivers(), kReceiversOfTask, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t count = offset[r + 1] - offset[r];
      if (count > 0) fill(node[r], edge + offset[r], value + offset[r], count);
    }
  });
  return weighted_neighbours(lists, values.to(x.scalar_type()), x).squeeze(1);  // [R, D]
}

const float* weights_of(const UndirectedGraph& graph) {
  return graph.weights.defined() ? graph.weights.const_data_ptr<float>() : nullptr;
}

}  // namespace

NeighbourSample sample_neighbours(const UndirectedGraph& graph, const torch::Tensor& rows,
                                  const std::vector<int64_t>& fanouts, uint64_t key) {
  TORCH_CHECK(graph.ends.is_cpu() && rows.is_cpu(),
              "sample_neighbours: neighbours are drawn on the CPU alone");
  TORCH_CHECK(rows.dim() == 1 && rows.scalar_type() == torch::kLong,
              "sample_neighbours: expected rows [R] int64, got ", rows.sizes(), " ",
              rows.scalar_type());
  TORCH_CHECK(!fanouts.empty() && *std::min_element(fanouts.begin(), fanouts.end()) > 0,
              "sample_neighbours: expected positive fan-outs, at least one, got ",
              at::IntArrayRef(fanouts));
  const auto asked = rows.contiguous();  // [R]
  const auto* first = asked.const_data_ptr<int64_t>();
  std::vector<int64_t> nodes(first, first + asked.numel());
  std::vector<int32_t> places(static_cast<size_t>(graph.num_nodes()), -1);  // in the sample
  for (size_t r = 0; r < nodes.size(); ++r) {
    const int64_t node = nodes[r];
    TORCH_CHECK(node >= 0 && node < graph.num_nodes() && places[node] < 0,
                "sample_neighbours: expected distinct rows in [0, ", graph.num_nodes(), "), got ",
                node, node >= 0 && node < graph.num_nodes() ? " twice" : "");
    places[node] = static_cast<int32_t>(r);
  }
  const auto* graph_end = graph.ends.const_data_ptr<int32_t>();
  NeighbourSample sample;
  for (size_t h = 0; h < fanouts.size(); ++h) {
    const auto [offsets, edges] =
        draw_edges(graph, nodes, fanouts[h], RandomKey(key).child(h));  // [R + 1], [E']
    auto senders = torch::empty({edges.size(0)}, torch::kInt);          // [E']
    const auto* edge = edges.const_data_ptr<int64_t>();
    auto* sender = senders.data_ptr<int32_t>();
    for (int64_t e = 0; e < edges.size(0); ++e) {
      const int32_t node = graph_end[edge[e]];
      auto& place = places[node];
      if (place < 0) {
        place = static_cast<int32_t>(nodes.size());
        nodes.push_back(node);
      }
      sender[e] = place;
    }
    sample.hops.push_back(
        {neighbour_lists(offsets, senders, static_cast<int64_t>(nodes.size())), edges});
  }
  sample.nodes = torch::tensor(nodes, torch::kLong);  // [S]
  return sample;
}

torch::Tensor normalized_sum_of_sample(const UndirectedGraph& graph, const NeighbourSample& sample,
                                       size_t hop, const torch::Tensor& x) {
  const auto* offset = graph.offsets.const_data_ptr<int64_t>();
  const auto* end = graph.ends.const_data_ptr<int32_t>();
  const auto* root = graph.inverse_root_degree.const_data_ptr<float>();
  const auto* weight = weights_of(graph);
  return weighted_by(sample, hop, x,
                     [&](int64_t node, const int64_t* edge, float* value, int64_t count) {
                       const auto neighbours = static_cast<float>(offset[node + 1] - offset[node]);
                       const float factor = root[node] * (neighbours / static_cast<float>(count));
                       for (int64_t i = 0; i < count; ++i)
                         value[i] = factor * root[end[edge[i]]] *
                                    (weight == nullptr ? 1.0F : weight[edge[i]]);
                     });  // [R, D]
}

torch::Tensor mean_of_sample(const UndirectedGraph& graph, const NeighbourSample& sample,
                             size_t hop, const torch::Tensor& x) {
  const auto* weight = weights_of(graph);
  return weighted_by(sample, hop, x,
                     [&](int64_t, const int64_t* edge, float* value, int64_t count) {
                       double total = 0.0;
                       for (int64_t i = 0; i < count; ++i) {
                         value[i] = weight == nullptr ? 1.0F : weight[edge[i]];
                         total += value[i];
                       }
                       const double scale = total > 0.0 ? 1.0 / total : 0.0;
                       for (int64_t i = 0; i < count; ++i)
                         value[i] = static_cast<float>(value[i] * scale);
                     });  // [R, D]
}

}  // namespace reckon
