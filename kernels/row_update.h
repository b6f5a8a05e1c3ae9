#pragma once

#include <torch/types.h>

#include <cstdint>
#include <utility>

namespace reckon {

/// Optimiser steps on single rows of a table, in place and outside of autograd: work and memory
/// traffic grow with the rows that a step touched, never with the height of the table.
///
/// All of them take
/// Shapes   weight [R_all, D], rows [R] int64, distinct, in [0, R_all), grads [R, D]
/// Throws   c10::Error on shapes or types that do not fit, or rows out of range. That rows are
///          distinct is the caller's word: sum_rows() makes it so.
/// CPU tensors of float32 and float64 take a loop over rows that threads share; others plain ATen.

/// One row for each distinct id, in ascending order, with the sum of its gradients. Sums are made in
/// the order of the entries, so that the result does not depend on threads.
///
/// Shapes   ids [E] int64, grads [E, D] -> rows [R], sums [R, D]
std::pair<torch::Tensor, torch::Tensor> sum_rows(const torch::Tensor& ids,
                                                 const torch::Tensor& grads);

/// weight[row] -= step
void subtract_rows(const torch::Tensor& weight, const torch::Tensor& rows,
                   const torch::Tensor& step);

struct RowSgdOptions {
  double lr = 1e-2;
  double weight_decay = 0.0;  ///< L2, added to the gradient of touched rows only.
};

/// weight[row] -= lr * (grad + weight_decay * weight[row])
void row_sgd(const torch::Tensor& weight, const torch::Tensor& rows, const torch::Tensor& grads,
             const RowSgdOptions& options);

struct RowAdagradOptions {
  double lr = 1e-2;
  double eps = 1e-10;
  double weight_decay = 0.0;  ///< L2, added to the gradient of touched rows only.
};

/// Adagrad (Duchi et al., JMLR 2011) with one accumulator for each row: the mean of its squared
/// gradient.
///
///   state[row] += mean_d grad_d^2;  weight[row] -= lr * grad / (sqrt(state[row]) + eps)
/// Shapes   state [R_all]
void row_adagrad(const torch::Tensor& weight, const torch::Tensor& state, const torch::Tensor& rows,
                 const torch::Tensor& grads, const RowAdagradOptions& options);

struct LazyAdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.0;  ///< L2, added to the gradient of touched rows only.
};

/// Adam (Kingma, Ba, ICLR 2015) whose moments move only for rows that were touched.
///
/// `step` counts optimiser steps from 1 and is the same for every row, as in torch's SparseAdam.
/// Shapes   moment1 [R_all, D], moment2 [R_all, D]
void row_lazy_adam(const torch::Tensor& weight, const torch::Tensor& moment1,
                   const torch::Tensor& moment2, const torch::Tensor& rows,
                   const torch::Tensor& grads, int64_t step, const LazyAdamOptions& options);

}  // namespace reckon
