#pragma once

#include <torch/types.h>

#include <cstdint>

#include "layers/embedding_table.h"
#include "models/interaction_matrix.h"

namespace reckon {

// What models share that read a user as a set of items and give it back as probabilities of all items.

/// For each set the cross-entropy of a softmax over all items, added up over the items of the set and
/// over sets, with one softmax for each set:
///
///   -sum_b sum_(i in S_b) log softmax_i( <queries[b], output[i]> + bias[i] )
/// With `trains_output` false no gradient goes to output and bias.
/// Shapes   queries [B, D], ids [B, T] as distinct_items() gives them, output [I, D], bias [I, 1] -> []
torch::Tensor set_cross_entropy(const torch::Tensor& queries, const torch::Tensor& ids,
                                const EmbeddingTable& output, const EmbeddingTable& bias,
                                bool trains_output = true);

/// A standard normal number for each user and dimension, a function of seed, step and user alone:
/// the same however a step is cut into shards.
///
/// Shapes   users [B] int64 -> [B, width]
torch::Tensor normal_noise(const torch::Tensor& users, int64_t width, uint64_t seed,
                           int64_t step_number, const torch::TensorOptions& options);

}  // namespace reckon
