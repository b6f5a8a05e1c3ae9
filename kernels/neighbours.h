#pragma once

#include <torch/types.h>

#include <cstdint>

#include "kernels/spmm.h"

namespace reckon {

/// Whom each of R receivers hears: receiver r hears senders[e] for offsets[r] <= e < offsets[r + 1].
/// Wherever there is a value for each edge, edges stand in this order.
///
/// The same edges by sender come along, for ways back: sender s is heard by back_receivers[b], along edge
/// back_edges[b], for back_offsets[s] <= b < back_offsets[s + 1]. 16 bytes for an edge in all.
struct NeighbourLists {
  torch::Tensor offsets;         // [R + 1] int64
  torch::Tensor senders;         // [E] int32, rows of what is heard, in [0, S)
  torch::Tensor back_offsets;    // [S + 1] int64
  torch::Tensor back_receivers;  // [E] int32, ascending for each sender
  torch::Tensor back_edges;      // [E] int64

  int64_t num_receivers() const { return offsets.size(0) - 1; }
  int64_t num_senders() const { return back_offsets.size(0) - 1; }
  int64_t num_edges() const { return senders.size(0); }
  NeighbourLists to(const torch::Device& device) const;
};

/// Shapes   offsets [R + 1] int64, senders [E] int32, on the CPU
/// Throws   c10::Error when offsets do not ascend from 0 to E, or a sender is not in [0, num_senders).
NeighbourLists neighbour_lists(const torch::Tensor& offsets, const torch::Tensor& senders,
                               int64_t num_senders);

/// Every node of a graph hears its neighbours, and with `self_loops` itself, each once. Weights of edges
/// are left out.
NeighbourLists neighbour_lists(const UndirectedGraph& graph, bool self_loops);

/// The lists with each receiver r hearing sender r too, once: behind the others. For lists of nodes that
/// have the same number on both sides.
/// Throws   c10::Error when there are fewer senders than receivers.
NeighbourLists with_self_loops(const NeighbourLists& lists);

/// The lists of some receivers, who are rows 0, 1, ... of the result in the order given, and which edges
/// those are.
struct SomeLists {
  NeighbourLists lists;
  torch::Tensor edges;  // [E'] int64, places in the whole
};

/// Shapes   rows [R'] int64
/// Throws   c10::Error when a row is none of the receivers.
SomeLists lists_of_rows(const NeighbourLists& lists, const torch::Tensor& rows);

// Of what follows each has its gradient, memory that grows with E * H and never with E * F, and the same
// numbers on any number of threads: loops over CSR on CPU tensors of float32 and float64, rows shared by
// KernelThreads. While a trace is recorded, on other devices and types plain ATen does it, where memory
// grows with E * H * F. All throw c10::Error on shapes that do not fit.

/// A number for each edge and head, of its two ends: out[e, h] = receivers[r, h] + senders[s, h].
/// Shapes   receivers [R, H], senders [S, H] -> [E, H]
torch::Tensor edge_sums(const NeighbourLists& lists, const torch::Tensor& receivers,
                        const torch::Tensor& senders);

/// Inner products along edges: out[e, h] = <receivers[r, h], senders[s, h]>.
/// Shapes   receivers [R, H, F], senders [S, H, F] -> [E, H]
torch::Tensor edge_products(const NeighbourLists& lists, const torch::Tensor& receivers,
                            const torch::Tensor& senders);

/// Shares of a receiver's edges, exp(score - max) / sum, head by head. Who hears nobody has none.
/// Shapes   scores [E, H] -> [E, H]
torch::Tensor edge_softmax(const NeighbourLists& lists, const torch::Tensor& scores);

/// Weighted sums of what is heard, out[r, h] = sum over edges of weights[e, h] * x[s, h]; zero for who
/// hears nobody. With x [S, F] all heads read the same.
/// Shapes   weights [E, H], x [S, H, F] or [S, F] -> [R, H, F]
torch::Tensor weighted_neighbours(const NeighbourLists& lists, const torch::Tensor& weights,
                                  const torch::Tensor& x);

/// Plain sums of what is heard. Lists of one sender each make it a selection of rows, whose gradient is
/// summed in order.   Shapes   x [S, F] -> [R, F]
torch::Tensor sums_of_neighbours(const NeighbourLists& lists, const torch::Tensor& x);

/// What the functions above do where they have no loops, and while a trace is recorded. Undefined weights
/// are 1.   Shapes   as above
torch::Tensor edge_sums_by_aten(const NeighbourLists& lists, const torch::Tensor& receivers,
                                const torch::Tensor& senders);
torch::Tensor edge_products_by_aten(const NeighbourLists& lists, const torch::Tensor& receivers,
                                    const torch::Tensor& senders);
torch::Tensor edge_softmax_by_aten(const NeighbourLists& lists, const torch::Tensor& scores);
torch::Tensor weighted_neighbours_by_aten(const NeighbourLists& lists, const torch::Tensor& weights,
                                          const torch::Tensor& x);

/// The row of a table that each edge's type names, with the gradient.
/// Shapes   table [T, H], types [E] int32 in [0, T) -> [E, H]
torch::Tensor rows_of_types(const torch::Tensor& table, const torch::Tensor& types);

}  // namespace reckon
