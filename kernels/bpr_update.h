#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>

namespace reckon {

/// A user, an item that the user chose, and one that the user did not.
struct BprSample {
  int32_t user = 0;
  int32_t positive = 0;
  int32_t negative = 0;
};

/// One step of stochastic gradient descent on the BPR loss for each sample, one after the other, in
/// place (Rendle et al., UAI 2009):
///
///   x = <u, i - j> + b_i - b_j,  loss = -log sigmoid(x) + l2 / 2 * (|u|^2 + |i|^2 + |j|^2)
///
/// Several threads may call it on the same tables at once without locks (Niu et al., "Hogwild!",
/// NIPS 2011): updates of one row then may get lost, and results depend on timing. From one thread
/// they do not.
///
/// Shapes   users [U, D], items [I, D] float32 with contiguous rows, item_bias [I] or undefined
/// Returns  the sum of -log sigmoid(x), each from before its step
/// Throws   c10::Error on other types or shapes. Ids are the caller's to keep within the tables.
double bpr_update(const torch::Tensor& users, const torch::Tensor& items,
                  const torch::Tensor& item_bias, std::span<const BprSample> samples, double lr,
                  double l2);

}  // namespace reckon
