#include "kernels/inverse.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "kernels/one_thread.h"

namespace reckon {

namespace {

// Blocks of columns that one product takes at a time: a tile of results that fits a core's cache share.
constexpr int64_t kTileBlocks = 2;

// The lower triangle, negated, onto both.
void mirror_negated(torch::Tensor& matrix) {
  constexpr int64_t kTile = 256;
  const int64_t size = matrix.size(0), num_tiles = (size + kTile - 1) / kTile;
  at::parallel_for(0, num_tiles, 1, [&](int64_t first, int64_t last) {
    const torch::NoGradGuard no_grad;
    for (int64_t i = first; i < last; ++i)
      for (int64_t j = 0; j <= i; ++j) {
        const int64_t height = std::min(kTile, size - i * kTile);
        const int64_t width = std::min(kTile, size - j * kTile);
        auto lower =
            matrix.narrow(0, i * kTile, height).narrow(1, j * kTile, width);  // [height, width]
        lower.neg_();
        if (i != j) {
          matrix.narrow(0, j * kTile, width).narrow(1, i * kTile, height).copy_(lower.t());
        } else {
          lower.copy_(lower.tril() + lower.tril(-1).t());
        }
      }
  });
}

}  // namespace

int64_t invert_positive_definite_(torch::Tensor& matrix, double least_pivot, int64_t block) {
  TORCH_CHECK(matrix.dim() == 2 && matrix.size(0) == matrix.size(1) && matrix.is_contiguous() &&
                  matrix.is_floating_point(),
              "invert_positive_definite_: expected a contiguous square matrix, got ",
              matrix.sizes());
  TORCH_CHECK(block >= 1, "invert_positive_definite_: expected a block of 1 or more, got ", block);
  const torch::NoGradGuard no_grad;
  const int64_t size = matrix.size(0);
  const auto original = matrix.diagonal().clone();                               // [I]
  auto panel = torch::empty({size, std::min(block, size)}, matrix.options());    // [I, b]
  auto product = torch::empty({size, std::min(block, size)}, matrix.options());  // [I, b]
  for (int64_t k = 0; k < size; k += block) {
    const int64_t width = std::min(block, size - k), below = k + width;
    auto diagonal = matrix.narrow(0, k, width).narrow(1, k, width);  // [b, b]
    const auto whole = diagonal.tril() + diagonal.tril(-1).t();      // [b, b]
    torch::Tensor inverse;                                           // [b, b]
    {
      const OneThread one;
      const auto [factor, info] = at::linalg_cholesky_ex(whole);  // [b, b], []
      // Where it stops, what stands before is computed; of that the first may be rounding already.
      const int64_t stopped = info.item<int64_t>();
      const int64_t computed = stopped > 0 ? stopped - 1 : width;
      const auto pivots = factor.diagonal().narrow(0, 0, computed).square();  // [computed]
      const auto least = original.narrow(0, k, computed) * least_pivot;       // [computed]
      const auto small = pivots.gt(least).logical_not();                      // NaN too
      if (small.any().item<bool>()) return k + small.nonzero()[0].item<int64_t>();
      if (stopped > 0) return k + computed;
      inverse = at::cholesky_inverse(factor);
    }

    // The block's columns: what lies above it stands transposed in its rows.
    auto columns = panel.narrow(1, 0, width);  // [I, b]
    auto swept = product.narrow(1, 0, width);  // [I, b]
    if (k > 0) columns.narrow(0, 0, k).copy_(matrix.narrow(0, k, width).narrow(1, 0, k).t());
    columns.narrow(0, k, width).zero_();
    if (below < size)
      columns.narrow(0, below, size - below)
          .copy_(matrix.narrow(0, below, size - below).narrow(1, k, width));
    const int64_t tile = kTileBlocks * block, num_tiles = (size + tile - 1) / tile;
    const auto height = [&](int64_t t) { return std::min(tile, size - t * tile); };
    for_each_of_one_thread(num_tiles, [&](int64_t first, int64_t last) {
      const torch::NoGradGuard no_grad_here;
      for (int64_t t = first; t < last; ++t) {
        auto out = swept.narrow(0, t * tile, height(t));  // [tile, b]
        out.copy_(columns.narrow(0, t * tile, height(t)).mm(inverse));
      }
    });
    // Rows of tiles grow; long ones first, so that threads end together.
    std::vector<std::pair<int64_t, int64_t>> tiles;
    for (int64_t i = num_tiles; i-- > 0;)
      for (int64_t j = 0; j <= i; ++j) tiles.emplace_back(i, j);
    for_each_of_one_thread(static_cast<int64_t>(tiles.size()), [&](int64_t first, int64_t last) {
      const torch::NoGradGuard no_grad_here;
      for (int64_t t = first; t < last; ++t) {
        const auto [i, j] = tiles[static_cast<size_t>(t)];
        auto target = matrix.narrow(0, i * tile, height(i)).narrow(1, j * tile, height(j));
        target.addmm_(swept.narrow(0, i * tile, height(i)),
                      columns.narrow(0, j * tile, height(j)).t(), 1, -1);  // [tile, tile]
      }
    });
    if (k > 0) matrix.narrow(0, k, width).narrow(1, 0, k).copy_(swept.narrow(0, 0, k).t());
    diagonal.copy_(inverse.neg());
    if (below < size)
      matrix.narrow(0, below, size - below)
          .narrow(1, k, width)
          .copy_(swept.narrow(0, below, size - below));
  }
  mirror_negated(matrix);
  return -1;
}

}  // namespace reckon
