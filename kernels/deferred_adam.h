#pragma once

#include <torch/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/deferred_adam_loop.h"

namespace reckon {

/// Adam (Kingma, Ba, ICLR 2015) over a table of which a step reads and moves few rows.
///
/// Adam moves every row in every step, by what it remembers of it. Here a row makes the steps that had no
/// gradient for it when it is next read, all of them while it lies in the first-level cache; the numbers are those
/// of steps made at once, bit by bit, however they are put off. That saves the memory traffic of the table
/// in each step, which costs many times the arithmetic.
///
///   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  with g + l2 w in place of g
///   w = (1 - lr decay) w - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)
///
/// Used as: begin_step(), step_rows() of the rows with a gradient, then settle() in front of every read.
class DeferredAdam {
 public:
  struct Options {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double eps = 1e-8;
    double l2 = 0.0;     ///< Added to the gradient of every row.
    double decay = 0.0;  ///< Times the rate: what each step takes from every weight (AdamW).
  };

  explicit DeferredAdam(const Options& options);

  /// Whether tables like this one are moved by it: float32 on the CPU, contiguous.
  static bool can_move(const torch::Tensor& weight);

  /// Begins step number `number`, counted from 1, with the rate `lr`: the newest of the steps that rows have to
  /// make. A table that is higher than before has its new rows at its end; every step was made before it grew.
  ///
  /// Shapes   weight, moment1 and moment2 [R, D]
  void begin_step(const torch::Tensor& weight, const torch::Tensor& moment1,
                  const torch::Tensor& moment2, int64_t number, double lr);

  /// The rows named make all steps, the newest of them with their gradient. Threads may take different rows.
  ///
  /// Shapes   rows [N] int64, distinct, in [0, R), gradients [N, D]
  void step_rows(const torch::Tensor& rows, const torch::Tensor& gradients);

  /// The rows named make all steps, without a gradient; those of other threads are waited for. Rows by which the
  /// table has grown since the newest step have none to make.
  ///
  /// Shapes   rows [...] int64, in any order and more than once
  void settle(const torch::Tensor& rows);
  /// The same of rows [begin, end).
  void settle(int64_t begin, int64_t end);

  /// Steps that some row may still have to make.
  int64_t num_open() const { return static_cast<int64_t>(steps_.size()); }
  int64_t num_rows() const { return height_; }
  /// After every row has made every step, or where none shall.
  void clear();

 private:
  // Makes a row's steps unless another thread is at it; says whether they are made.
  bool try_settle(int64_t row);
  adam_detail::Row at(int64_t row) const;

  Options options_;
  adam_detail::Rule rule_;
  torch::Tensor weight_, moment1_, moment2_;  // [R, D]
  int64_t height_ = 0;
  std::vector<adam_detail::Step> steps_;
  std::unique_ptr<std::atomic<int32_t>[]> made_;  // [R] of steps_, or kBusy
};

}  // namespace reckon
