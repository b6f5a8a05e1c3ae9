#pragma once

#include <torch/nn/modules/linear.h>

namespace reckon {

/// Draws a linear layer's weight by Xavier's uniform rule (Glorot, Bengio, AISTATS 2010) and sets its
/// bias to zero. A weight of `parts` matrices stacked by output is drawn as that many layers.
void xavier_uniform(const torch::nn::Linear& linear, int64_t parts = 1);

}  // namespace reckon
