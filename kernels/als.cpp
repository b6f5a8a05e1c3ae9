#include "kernels/als.h"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/als_loop.h"
#include "kernels/cpu_features.h"
#include "kernels/shared_parts.h"

namespace reckon {

namespace {

// Rows that a thread takes at once: some have thousands of entries, so that larger parts would leave
// threads waiting for one.
constexpr int64_t kRowsAtOnce = 64;

als_detail::Side checked(const AlsSystem& s, const torch::Tensor& rows) {
  const auto of = [](const char* name, const torch::Tensor& t, torch::ScalarType type,
                     int64_t dim) {
    TORCH_CHECK(t.scalar_type() == type && t.dim() == dim && t.is_contiguous() && t.is_cpu(),
                "als: expected ", name, " of ", dim, " dimensions and type ", type,
                ", contiguous on the CPU, got ", t.sizes(), " ", t.scalar_type());
  };
  of("table", s.table, torch::kFloat, 2);
  of("gram", s.gram, torch::kFloat, 2);
  of("offsets", s.offsets, torch::kLong, 1);
  of("columns", s.columns, torch::kInt, 1);
  of("squares", s.squares, torch::kFloat, 1);
  of("targets", s.targets, torch::kFloat, 1);
  of("added", s.added, torch::kFloat, 1);
  of("rows", rows, torch::kFloat, 2);
  const auto width = s.table.size(1), entries = s.columns.size(0), height = rows.size(0);
  TORCH_CHECK(rows.size(1) == width && s.gram.size(0) == width && s.gram.size(1) == width,
              "als: vectors are ", width, " wide, rows ", rows.size(1), ", gram ", s.gram.sizes());
  TORCH_CHECK(s.squares.size(0) == entries && s.targets.size(0) == entries, "als: ", entries,
              " entries, ", s.squares.size(0), " squares, ", s.targets.size(0), " targets");
  TORCH_CHECK(s.offsets.size(0) == height + 1 && s.added.size(0) == height, "als: ", height,
              " rows, ", s.offsets.size(0), " offsets, ", s.added.size(0), " added");
  return {s.table.const_data_ptr<float>(),
          s.gram.const_data_ptr<float>(),
          s.offsets.const_data_ptr<int64_t>(),
          s.columns.const_data_ptr<int32_t>(),
          s.squares.const_data_ptr<float>(),
          s.targets.const_data_ptr<float>(),
          rows.data_ptr<float>(),
          width};
}

}  // namespace

void als_solve(const AlsSystem& system, const torch::Tensor& rows) {
  const auto side = checked(system, rows);
  const auto* added = system.added.const_data_ptr<float>();
  const auto loop = for_active_simd(als_detail::cholesky_portable, als_detail::cholesky_avx2,
                                    als_detail::cholesky_avx512);
  std::atomic<int64_t> first_failed{rows.size(0)};
  share_parts(rows.size(0), kRowsAtOnce, [&](SharedParts& parts) {
    std::vector<float> scratch(static_cast<size_t>(side.width * (side.width + 1)));
    for (int64_t begin, end, failed; parts.take(begin, end);) {
      if (loop(side, begin, end, added, scratch.data(), failed)) continue;
      auto first = first_failed.load();
      while (failed < first && !first_failed.compare_exchange_weak(first, failed)) {
      }
    }
  });
  if (first_failed < rows.size(0))
    throw std::invalid_argument("the system of row " + std::to_string(first_failed.load()) +
                                " is not positive definite");
}

void als_descend(const AlsSystem& system, int64_t steps, const torch::Tensor& rows) {
  const auto side = checked(system, rows);
  const auto* added = system.added.const_data_ptr<float>();
  const auto loop =
      for_active_simd(als_detail::cg_portable, als_detail::cg_avx2, als_detail::cg_avx512);
  share_parts(rows.size(0), kRowsAtOnce, [&](SharedParts& parts) {
    std::vector<float> scratch(static_cast<size_t>(3 * side.width));
    for (int64_t begin, end; parts.take(begin, end);)
      loop(side, begin, end, steps, added, scratch.data());
  });
}

}  // namespace reckon
