#pragma once

#include <torch/nn/modules/linear.h>

namespace reckon {

/// Draws a linear layer's weight by Xavier's uniform rule (Glorot, Bengio, AISTATS 2010) and sets its
/// bias to zero. A weight of `parts` matrices stacked by output is drawn as that many layers.
void xavier_uniform(const torch::nn::Linear& linear, int64_t parts = 1);

/// A linear layer that is drawn so.
torch::nn::Linear xavier_linear(int64_t from, int64_t to, bool has_bias = true);

/// A table by the same rule; `parts` matrices side by side are drawn as that many.
/// Shapes   -> [rows, columns]
torch::Tensor xavier_table(int64_t rows, int64_t columns, int64_t parts = 1);

}  // namespace reckon
