#include "models/random_walks.h"

#include <algorithm>
#include <utility>

namespace reckon {

RandomWalks::RandomWalks(UndirectedGraph graph, Options options)
    : graph_(std::move(graph)),
      options_(std::move(options)),
      offsets_(graph_.offsets.const_data_ptr<int64_t>()),
      ends_(graph_.ends.numel() > 0 ? graph_.ends.const_data_ptr<int32_t>() : nullptr) {
  const auto& path = options_.path;
  TORCH_CHECK(path.empty() || (path.size() > 1 && path.front() == path.back()),
              "random walks: a path must end with the type that it begins with");
  TORCH_CHECK(path.empty() ||
                  (options_.return_parameter == 1.0 && options_.in_out_parameter == 1.0),
              "random walks: parameters of the way back are of walks without a path");
  if (graph_.weights.defined()) {
    const auto* weights = ends_ != nullptr ? graph_.weights.const_data_ptr<float>() : nullptr;
    cumulative_.push_back(0.0);
    for (int64_t edge = 0; edge < graph_.ends.numel(); ++edge)
      cumulative_.push_back(cumulative_.back() + weights[edge]);
  }
  for (int64_t node = 0; node < graph_.num_nodes(); ++node) {
    const auto start = static_cast<int32_t>(node);
    const bool is_first = path.empty() || path[0].holds(node);
    if (is_first && weight_of(edges_to(1, start)) > 0.0) starts_.push_back(start);
  }
}

bool RandomWalks::may_visit(int32_t node) const {
  const auto& path = options_.path;
  return path.empty() ||
         std::any_of(path.begin(), path.end(), [node](NodeRange type) { return type.holds(node); });
}

RandomWalks::Edges RandomWalks::edges_to(int64_t place, int32_t node) const {
  const Edges all{offsets_[node], offsets_[node + 1]};
  const auto& path = options_.path;
  if (path.empty()) return all;
  const auto type = path[static_cast<size_t>(place) % (path.size() - 1)];
  // Ends ascend, and the nodes of a type stand together.
  const auto at = [&](int64_t bound) {
    return std::lower_bound(ends_ + all.begin, ends_ + all.end, bound) - ends_;
  };
  return {at(type.first), at(type.first + type.count)};
}

double RandomWalks::weight_of(Edges edges) const {
  if (cumulative_.empty()) return static_cast<double>(edges.end - edges.begin);
  return cumulative_[static_cast<size_t>(edges.end)] -
         cumulative_[static_cast<size_t>(edges.begin)];
}

int32_t RandomWalks::draw(Edges edges, CounterRng& rng) const {
  const auto count = static_cast<uint64_t>(edges.end - edges.begin);
  if (cumulative_.empty()) return ends_[edges.begin + static_cast<int64_t>(rng.below(count))];
  const auto begin = cumulative_.begin() + edges.begin;
  const double point = *begin + rng.uniform() * weight_of(edges);
  // Rounding may reach the end, where no edge is.
  const auto place = std::upper_bound(begin + 1, begin + (edges.end - edges.begin), point) - begin;
  return ends_[edges.begin + place - 1];
}

int32_t RandomWalks::draw_from(int32_t previous, Edges edges, CounterRng& rng) const {
  const double back = 1.0 / options_.return_parameter, out = 1.0 / options_.in_out_parameter;
  if (back == 1.0 && out == 1.0) return draw(edges, rng);
  // Rejection: what has no table for each edge needs no memory for one (Yang et al., "KnightKing", SOSP
  // 2019).
  const double most = std::max({back, 1.0, out});
  for (;;) {
    const auto next = draw(edges, rng);
    const double bias = next == previous ? back : are_neighbours(previous, next) ? 1.0 : out;
    if (rng.uniform() * most < bias) return next;
  }
}

bool RandomWalks::are_neighbours(int32_t node, int32_t other) const {
  return std::binary_search(ends_ + offsets_[node], ends_ + offsets_[node + 1], other);
}

void RandomWalks::walk(int32_t start, const RandomKey& key, std::vector<int32_t>& nodes) const {
  CounterRng rng(key);
  nodes.assign(1, start);
  for (int64_t place = 1; place < options_.length; ++place) {
    const auto edges = edges_to(place, nodes.back());
    if (weight_of(edges) <= 0.0) return;
    nodes.push_back(place == 1 ? draw(edges, rng) : draw_from(nodes[nodes.size() - 2], edges, rng));
  }
}

}  // namespace reckon
