#include "kernels/als.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/random.h"
#include "tests/kernels/every_simd.h"

namespace reckon::als_test {
namespace {

using ::testing::HasSubstr;

// Some rows without entries, one with more entries than the vectors are wide.
AlsSystem random_system(int64_t num_rows, int64_t table_rows, int64_t width) {
  torch::manual_seed(6);
  AlsSystem s;
  s.table = torch::randn({table_rows, width});
  s.gram = s.table.t().matmul(s.table);
  std::vector<int64_t> offsets{0}, columns;
  CounterRng rng(RandomKey(8).child(2));
  for (int64_t row = 0; row < num_rows; ++row) {
    const auto count = row == 1       ? 3 * width
                       : row % 3 == 2 ? 0
                                      : 1 + static_cast<int64_t>(rng.below(6));
    for (int64_t e = 0; e < count; ++e)
      columns.push_back(static_cast<int64_t>(rng.below(static_cast<uint64_t>(table_rows))));
    offsets.push_back(static_cast<int64_t>(columns.size()));
  }
  s.offsets = torch::tensor(offsets, torch::kLong);
  s.columns = torch::tensor(columns, torch::kLong).to(torch::kInt);
  s.squares = torch::rand({s.columns.size(0)}) * 5;
  s.targets = torch::rand({s.columns.size(0)}) * 5 + 1;
  s.added = torch::rand({num_rows}) + 0.5;
  return s;
}

// The system of one row as it is written, in double precision.
std::pair<torch::Tensor, torch::Tensor> system_of(const AlsSystem& s, int64_t row) {
  const auto width = s.table.size(1);
  auto a = s.gram.to(torch::kDouble) +
           torch::eye(width, torch::kDouble) * s.added[row].item<double>();  // [D, D]
  auto b = torch::zeros({width}, torch::kDouble);                            // [D]
  for (auto e = s.offsets[row].item<int64_t>(); e < s.offsets[row + 1].item<int64_t>(); ++e) {
    const auto y = s.table[s.columns[e].item<int64_t>()].to(torch::kDouble);  // [D]
    a += s.squares[e].item<double>() * y.outer(y);
    b += s.targets[e].item<double>() * y;
  }
  return {a, b};
}

torch::Tensor solution(const AlsSystem& s) {
  std::vector<torch::Tensor> rows;
  for (int64_t row = 0; row < s.added.size(0); ++row) {
    const auto [a, b] = system_of(s, row);
    rows.push_back(at::linalg_solve(a, b));
  }
  return torch::stack(rows);  // [R, D]
}

template <class Check>
void for_all_sizes(const Check& check) {
  for (const auto simd : runnable_simd())
    for (const int64_t width : {1, 3, 4, 16, 37, 64})
      for (const int64_t num_rows : {1, 9, 200}) {
        const ForcedSimd forced(simd);
        SCOPED_TRACE(std::string(simd_name(simd)) + " width " + std::to_string(width));
        check(random_system(num_rows, 2 * width + 5, width));
      }
}

TEST(AlsSolve, EqualsTheSolutionOfEachRowsSystem) {
  for_all_sizes([](const AlsSystem& s) {
    const auto rows = torch::full({s.added.size(0), s.table.size(1)}, 7.0F);
    als_solve(s, rows);
    EXPECT_TRUE(torch::allclose(rows.to(torch::kDouble), solution(s), 1e-3, 1e-4));
  });
}

TEST(AlsDescend, ReachesTheSolutionInEnoughSteps) {
  for_all_sizes([](const AlsSystem& s) {
    const auto rows = torch::full({s.added.size(0), s.table.size(1)}, 0.5F);
    for (int restart = 0; restart < 5; ++restart) als_descend(s, s.table.size(1) + 5, rows);
    EXPECT_TRUE(torch::allclose(rows.to(torch::kDouble), solution(s), 1e-2, 1e-3));
  });
}

TEST(AlsDescend, OneStepGoesDownTheGradientToItsLowestPoint) {
  for_all_sizes([](const AlsSystem& s) {
    const auto start = torch::randn({s.added.size(0), s.table.size(1)});
    const auto rows = start.clone();
    als_descend(s, 1, rows);
    for (int64_t row = 0; row < start.size(0); ++row) {
      if (s.offsets[row].item<int64_t>() == s.offsets[row + 1].item<int64_t>()) {
        EXPECT_TRUE(rows[row].eq(0).all().item<bool>());
        continue;
      }
      const auto [a, b] = system_of(s, row);
      const auto x = start[row].to(torch::kDouble);
      const auto residual = b - a.matmul(x);
      const auto step = residual.dot(residual) / residual.dot(a.matmul(residual));
      EXPECT_TRUE(torch::allclose(rows[row].to(torch::kDouble), x + step * residual, 1e-3, 1e-3));
    }
  });
}

TEST(AlsSolve, DoesNotDependOnTheNumberOfThreads) {
  const auto s = random_system(500, 60, 24);
  const int before = at::get_num_threads();
  std::vector<torch::Tensor> solved, descended;
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    solved.push_back(torch::zeros({500, 24}));
    descended.push_back(torch::zeros({500, 24}));
    als_solve(s, solved.back());
    als_descend(s, 3, descended.back());
  }
  at::set_num_threads(before);
  EXPECT_TRUE(torch::equal(solved[0], solved[1]));
  EXPECT_TRUE(torch::equal(descended[0], descended[1]));
}

TEST(AlsSolve, NamesTheFirstRowWithoutASolution) {
  auto s = random_system(200, 40, 8);
  s.gram.zero_();
  s.added.fill_(1.0);
  s.added[130] = s.added[30] = -1e6;  // neither is a row without entries
  const auto rows = torch::zeros({200, 8});
  try {
    als_solve(s, rows);
    FAIL() << "solved";
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr("row 30 is not positive definite"));
  }
}

TEST(AlsSolve, RefusesShapesThatDoNotFit) {
  const auto rows = torch::zeros({9, 4});
  const auto broken = [&](auto change) {
    auto s = random_system(9, 13, 4);
    change(s);
    EXPECT_THROW(als_solve(s, rows), c10::Error);
    EXPECT_THROW(als_descend(s, 1, rows), c10::Error);
  };
  broken([](AlsSystem& s) { s.table = s.table.to(torch::kDouble); });
  broken([](AlsSystem& s) { s.gram = torch::zeros({5, 5}); });
  broken([](AlsSystem& s) { s.offsets = s.offsets.slice(0, 1); });
  broken([](AlsSystem& s) { s.columns = s.columns.to(torch::kLong); });
  broken([](AlsSystem& s) { s.squares = s.squares.slice(0, 1).contiguous(); });
  broken([](AlsSystem& s) { s.targets = s.targets.slice(0, 1).contiguous(); });
  broken([](AlsSystem& s) { s.added = torch::zeros({8}); });
}

}  // namespace
}  // namespace reckon::als_test
