#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "training/workers.h"

namespace reckon {

/// The gradient of one parameter: dense, or of some of its rows, or none.
struct Gradient {
  torch::Tensor dense;   // like the parameter
  torch::Tensor rows;    // [R] int64, distinct and ascending
  torch::Tensor values;  // [R, ...]

  bool is_dense() const { return dense.defined(); }
  bool is_sparse() const { return rows.defined(); }
  bool is_defined() const { return is_dense() || is_sparse(); }
};

/// Whether a sum of gradients that all name rows stays one of rows.
enum class RowSums {
  kNever,
  kFew,  ///< While the rows named are few beside those of the parameter.
  kAlways,
};

/// Adds up the gradients of shards, in a fixed order, into memory that is used again at each step.
///
/// Contributions may be dense, sparse (as an embedding makes them) or undefined; they are read when
/// finish() is called. The result is a pure function of the contributions in their order: work is cut
/// into blocks of a fixed size, which any thread may execute.
class GradientSums {
 public:
  /// `by_rows` has an entry for each parameter; every sum that is not one of rows is dense, into which rows are
  /// added.
  GradientSums(std::vector<torch::Tensor> parameters, std::vector<RowSums> by_rows);

  /// The next contribution, one tensor for each parameter.
  void add(const std::vector<torch::Tensor>& gradients);

  /// Adds what came so far into the sums and lets go of it, so that memory stays bounded.
  void fold(WorkerPool& workers);

  /// Everything added since the last finish(), times `scale`. Dense results are buffers that the next
  /// step overwrites. `squared_norm` is the sum of squares of all their elements.
  struct Result {
    std::vector<Gradient> gradients;
    double squared_norm = 0.0;
  };
  Result finish(double scale, WorkerPool& workers);

 private:
  struct Sum {
    RowSums by_rows = RowSums::kNever;
    std::vector<torch::Tensor> dense, indices, values;  // contributions that wait
    torch::Tensor buffer;
    bool has_dense = false;  // the buffer holds a part of this step's sum

    // Of a parameter with `height` rows.
    bool is_dense(int64_t height) const;
  };
  // Rows of a parameter, which may grow; a number alone counts as a row.
  int64_t height_of(size_t i) const;
  double reduce_dense(double scale, WorkerPool& workers);

  std::vector<torch::Tensor> parameters_;
  std::vector<Sum> sums_;
};

/// out = scale * sum_k parts[k], and the sum of squares of it. `out` may be one of the parts.
///
/// One pass over memory for float32 and float64 on the CPU; elsewhere plain ATen.
/// Shapes   all alike and contiguous
double sum_and_scale(const std::vector<torch::Tensor>& parts, double scale,
                     const torch::Tensor& out);

}  // namespace reckon
