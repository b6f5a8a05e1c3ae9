#pragma once

#include <cstdint>
#include <vector>

#include "core/random.h"
#include "datasets/graph.h"
#include "kernels/spmm.h"

namespace reckon {

/// Random walks over a graph, each a function of its first node and a random key alone.
///
/// Without a path the walk that came from t to v goes on to a neighbour x of v in proportion to
///
///   w(v, x) * (1 / return_parameter  where x = t;  1  where t and x are neighbours;
///              1 / in_out_parameter  elsewhere)
///
/// (node2vec: Grover, Leskovec, KDD 2016, whose p and q these are; both 1 is DeepWalk: Perozzi, Al-Rfou,
/// Skiena, KDD 2014), its first step in proportion to w alone. Along a path of node types P_0 ... P_m = P_0
/// the n-th node is one of P_(n mod m), drawn among such neighbours in proportion to w (metapath2vec: Dong,
/// Chawla, Swami, KDD 2017). w is the weight of an edge, 1 where the graph has none.
class RandomWalks {
 public:
  struct Options {
    int64_t length = 40;  ///< Nodes of a walk, the first included.
    double return_parameter = 1.0;
    double in_out_parameter = 1.0;
    /// Nodes of each type on the path, whose first and last are the same; empty: any neighbour.
    std::vector<NodeRange> path;
  };

  /// Throws   c10::Error when both a path and parameters other than 1 are given, or a path that does not
  ///          end where it begins.
  RandomWalks(UndirectedGraph graph, Options options);

  /// The nodes that a walk can begin at and leave, ascending.
  const std::vector<int32_t>& starts() const { return starts_; }

  /// Whether a walk may come by a node: any one without a path, else those of its types.
  bool may_visit(int32_t node) const;

  /// Replaces `nodes` by a walk from `start`. It ends early where no edge leads on.
  void walk(int32_t start, const RandomKey& key, std::vector<int32_t>& nodes) const;

 private:
  /// Edges of one node, as places in graph_.ends.
  struct Edges {
    int64_t begin = 0;
    int64_t end = 0;
  };

  // Those of `node` that the walk may take to be at its n-th place, beginning with 0.
  Edges edges_to(int64_t place, int32_t node) const;
  double weight_of(Edges edges) const;
  int32_t draw(Edges edges, CounterRng& rng) const;
  int32_t draw_from(int32_t previous, Edges edges, CounterRng& rng) const;
  bool are_neighbours(int32_t node, int32_t other) const;

  UndirectedGraph graph_;
  Options options_;
  const int64_t* offsets_;
  const int32_t* ends_;
  std::vector<double> cumulative_;  // weights of all edges before each; empty when all are 1
  std::vector<int32_t> starts_;
};

}  // namespace reckon
