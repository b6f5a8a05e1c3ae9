#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// One half of a sweep of alternating least squares: the rows of one side, the other held fixed.
///
/// Row r solves (G + added[r] I + sum_e squares[e] y_e y_e^T) x = sum_e targets[e] y_e over its entries
/// e, y_e = table[columns[e]]. A row without entries becomes zero.
struct AlsSystem {
  torch::Tensor table;    ///< [J, D] float32
  torch::Tensor gram;     ///< [D, D] float32, symmetric and positive semidefinite: G
  torch::Tensor offsets;  ///< [R + 1] int64
  torch::Tensor columns;  ///< [E] int32
  torch::Tensor squares;  ///< [E] float32
  torch::Tensor targets;  ///< [E] float32
  torch::Tensor added;    ///< [R] float32
};

/// Solves every row exactly, by Cholesky's factorisation, on at::get_num_threads() threads.
///
/// Shapes   rows [R, D] float32, written
/// Throws   std::invalid_argument that names the first row whose system is not positive definite,
///          c10::Error on other types or shapes.
void als_solve(const AlsSystem& system, const torch::Tensor& rows);

/// Takes each row `steps` steps of conjugate gradients nearer to its solution, from where it is
/// (Takacs, Pilaszy, Tikk, "Applications of the conjugate gradient method for implicit feedback
/// collaborative filtering", RecSys 2011): entries cost D each, not D^2.
///
/// Shapes, Throws as als_solve(); a system that is not positive definite ends a row's steps.
void als_descend(const AlsSystem& system, int64_t steps, const torch::Tensor& rows);

}  // namespace reckon
