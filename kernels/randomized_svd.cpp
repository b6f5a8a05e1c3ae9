#include "kernels/randomized_svd.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <tuple>

#include "kernels/one_thread.h"

namespace reckon {

namespace {

torch::Tensor orthonormal(const torch::Tensor& columns) {
  const OneThread one;
  return std::get<0>(at::linalg_qr(columns));  // [R, D]
}

}  // namespace

torch::Tensor multiply(const SparseRows& matrix, const torch::Tensor& dense) {
  TORCH_CHECK(dense.dim() == 2 && dense.scalar_type() == torch::kFloat,
              "multiply: expected a dense matrix [C, D] float32, got ", dense.sizes(), " ",
              dense.scalar_type());
  const int64_t num_rows = matrix.num_rows(), width = dense.size(1);
  const auto from = dense.contiguous();        // [C, D]
  auto out = torch::zeros({num_rows, width});  // [R, D]
  const auto* offset = matrix.offsets.const_data_ptr<int64_t>();
  const auto* column = matrix.columns.const_data_ptr<int32_t>();
  const auto* value = matrix.values.const_data_ptr<float>();
  const auto* rows = from.const_data_ptr<float>();
  auto* sums = out.data_ptr<float>();
  at::parallel_for(0, num_rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* __restrict sum = sums + r * width;
      for (int64_t e = offset[r]; e < offset[r + 1]; ++e) {
        const float v = value[e];
        const float* __restrict row = rows + column[e] * width;
        for (int64_t d = 0; d < width; ++d) sum[d] += v * row[d];
      }
    }
  });
  return out;
}

RightSingular randomized_svd(const SparseRows& matrix, int64_t num_columns,
                             const RandomizedSvdOptions& options, uint64_t seed) {
  TORCH_CHECK(options.rank >= 1 && options.oversampling >= 0 && options.iterations >= 0,
              "randomized_svd: expected a rank of 1 or more, got ", options.rank);
  const torch::NoGradGuard no_grad;
  const int64_t most = std::min(matrix.num_rows(), num_columns);
  const int64_t rank = std::min(options.rank, most);
  const int64_t width = std::min(rank + options.oversampling, most);
  const auto turned = transpose(matrix, num_columns);
  const auto generator = at::detail::createCPUGenerator(seed);
  // A basis of what the matrix makes of random vectors, turned towards the largest by each iteration.
  auto basis = orthonormal(multiply(matrix, at::randn({num_columns, width}, generator)));  // [R, D]
  for (int64_t i = 0; i < options.iterations; ++i)
    basis = orthonormal(multiply(matrix, orthonormal(multiply(turned, basis))));  // [R, D]
  const auto image = multiply(turned, basis);  // [C, D], the transpose of basis^T matrix
  const OneThread one;
  const auto [left, values, right] = at::linalg_svd(image, /*full_matrices=*/false);
  return {values.slice(0, 0, rank).contiguous(), left.slice(1, 0, rank).contiguous()};
}

}  // namespace reckon
