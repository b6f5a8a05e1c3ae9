#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/spmm.h"

namespace reckon {

/// Random shifts of every layer (Yu, Yin, Xia, Chen, Cui, Nguyen, "Are Graph Augmentations Necessary?
/// Simple Graph Contrastive Learning for Recommendation", SIGIR 2022): a layer's vector e becomes
/// e + sign(e) * scale * v with v uniform in the positive orthant and of length 1. A function of `key`,
/// layer, node and column alone; without a gradient of its own.
struct LayerNoise {
  double scale = 0.1;
  uint64_t key = 0;
};

/// Linear propagation over a graph (He, Deng, Wang, Li, Zhang, Wang, "LightGCN: Simplifying and Powering
/// Graph Convolution Network for Recommendation", SIGIR 2020):
///
///   E_k = D^(-1/2) A D^(-1/2) E_(k-1),   out = sum_k layer_weights[k] * E_k,   k = 0 .. L
///
/// Only the `rows` of the result are made: the last layer costs what their edges cost, and so does the
/// first product on the way back. Normalisation is folded into what is done once for each row, so that
/// an edge costs one addition of vectors. Gradients equal those of the full propagation. The degrees
/// are scaled once; nothing of the size of a layer is kept for the way back.
///
/// `tables` hold the vectors E_0 of consecutive nodes. Second result: the rows of E_0 themselves.
/// Shapes   tables [N_t, D] with the sum of N_t = N, rows [R] int64, distinct -> [R, D], [R, D]
/// Throws   c10::Error on shapes that do not fit.
struct LightPropagation {
  torch::Tensor vectors;  // [R, D]
  torch::Tensor origin;   // [R, D]
};
LightPropagation light_propagation(const UndirectedGraph& graph,
                                   const std::vector<torch::Tensor>& tables,
                                   const torch::Tensor& rows,
                                   const std::vector<double>& layer_weights,
                                   const std::optional<LayerNoise>& noise = std::nullopt);

}  // namespace reckon
