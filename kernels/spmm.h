#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace reckon {

/// A graph of N nodes whose edges go both ways: the ends of node n, ascending, are
/// ends[offsets[n] .. offsets[n + 1]), and whoever is an end of n has n as one.
///
/// Aggregation over it is its own transpose, which is what makes gradients as cheap as values.
struct UndirectedGraph {
  torch::Tensor offsets;  // [N + 1] int64
  torch::Tensor ends;     // [E] int32, each edge twice, a loop once
  torch::Tensor weights;  // [E] float32, the same both ways; undefined: all 1
  /// Of d[n], the sum of the weights at n: 1 / d and d^(-1/2), zero for a node without edges.
  torch::Tensor inverse_degree;       // [N] float32
  torch::Tensor inverse_root_degree;  // [N] float32

  int64_t num_nodes() const { return offsets.size(0) - 1; }
  UndirectedGraph to(const torch::Device& device) const;
};

/// A graph of edges given one by one, in any order and direction. An edge that is given more than once is
/// one; its weights add up.
///
/// Shapes   first [E] int64, second [E] int64, weights [E] float32 or undefined
/// Throws   std::invalid_argument with a sentence on ends outside of [0, num_nodes), weights that are
///          negative or not finite, or more nodes than an int32 can count.
UndirectedGraph undirected_graph(int64_t num_nodes, const torch::Tensor& first,
                                 const torch::Tensor& second, const torch::Tensor& weights = {});

/// The graph without some of its edges, each left out both ways with probability `rate`; degrees are
/// those of what is left. The choice is a function of `key` and the edge alone.
///
/// Throws   c10::Error when rate is not in [0, 1), or the graph is not on the CPU.
UndirectedGraph drop_edges(const UndirectedGraph& graph, double rate, uint64_t key);

/// Where each node stands in `rows`, -1 for those that do not.
/// Shapes   rows [R] int64, distinct -> [N] int32
torch::Tensor row_index(const torch::Tensor& rows, int64_t num_nodes);

/// What spmm() may do on its way; undefined tensors do nothing.
struct SpmmOptions {
  torch::Tensor rows;       // [R] int64: only these rows of the result
  torch::Tensor x_index;    // [N] int32: the row of x that stands for a node; negative: zero
  torch::Tensor row_scale;  // [N]: times the sum of a row
  torch::Tensor add;  // [., D]: added afterwards, add_factor * add_scale[n] * add[add_index[n]]
  torch::Tensor add_scale;  // [N]
  torch::Tensor add_index;  // [N] int32: the row of `add` for a node; negative: none
  double add_factor = 1.0;
};

/// Sums over neighbours, out[n] = sum over edges of weight * x[end]: adjacency times dense.
///
/// A loop over CSR for CPU tensors of float32 and float64, rows shared by KernelThreads; elsewhere
/// ATen's sparse product. Without a gradient; the same on any number of threads.
/// Shapes   x [N, D] (or as x_index says) -> [N, D], or [R, D] with `rows`
/// Throws   c10::Error on shapes or types that do not fit.
torch::Tensor spmm(const UndirectedGraph& graph, const torch::Tensor& x,
                   const SpmmOptions& options = {});

/// Weighted sums over lists of any matrix, out[l] = sum_e weights[e] * x[columns[e]] for offsets[l] <= e <
/// offsets[l + 1]: the loop of spmm() where rows and columns are not nodes of one graph. Without a
/// gradient; the same on any number of threads.
/// Shapes   offsets [L + 1] int64, columns [E] int32 (not checked), weights [E], x [N, D] float32 or
///          float64 on the CPU -> [L, D]
torch::Tensor sums_of_lists(const torch::Tensor& offsets, const torch::Tensor& columns,
                            const torch::Tensor& weights, const torch::Tensor& x);

/// What spmm() does where it has no loop: other devices and types.   Shapes   as spmm()
torch::Tensor spmm_by_aten(const UndirectedGraph& graph, const torch::Tensor& x,
                           const SpmmOptions& options = {});

/// Symmetrically normalised sums, D^(-1/2) A D^(-1/2) x, with the gradient. Only `rows` of the result are
/// made when that is defined: the product then costs what their edges cost, and the way back scans the
/// edges for those of `rows`.
///
/// Shapes   x [N, D] -> [N, D], or [R, D] with rows [R] int64, distinct
torch::Tensor normalized_spmm(const UndirectedGraph& graph, const torch::Tensor& x,
                              const torch::Tensor& rows = {});

/// Means over neighbours by the weights of edges, D^(-1) A x, with the gradient; zero where there are
/// none.   Shapes   as normalized_spmm()
torch::Tensor mean_of_neighbours(const UndirectedGraph& graph, const torch::Tensor& x,
                                 const torch::Tensor& rows = {});

}  // namespace reckon
