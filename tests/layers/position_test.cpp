#include "layers/position.h"

#include <gtest/gtest.h>
#include <torch/autograd.h>

#include <cmath>

#include "layers/learned_position.h"
#include "layers/no_position.h"
#include "layers/sinusoidal_position.h"

namespace reckon::position_test {
namespace {

TEST(LearnedPosition, AddsRowPToTheItemThatIsPStepsOlder) {
  LearnedPosition position({}, {.width = 4, .max_length = 6});
  const auto weight = position.parameters()[0];
  for (const int64_t length : {1, 3, 6}) {
    const auto x = torch::randn({2, length, 4});
    const auto got = position.forward(x) - x;
    for (int64_t t = 0; t < length; ++t)
      EXPECT_TRUE(
          torch::allclose(got.select(1, t), weight[length - 1 - t].expand({2, 4}), 1e-5, 1e-6));
  }
}

TEST(LearnedPosition, GradientOfEachDistanceIsTheSumOverTheBatch) {
  LearnedPosition position({}, {.width = 2, .max_length = 4});
  const auto gradient = torch::autograd::grad({position.forward(torch::zeros({3, 2, 2})).sum()},
                                              position.parameters())[0];
  EXPECT_TRUE(gradient.equal(torch::tensor({3.0f, 3.0f, 0.0f, 0.0f}).unsqueeze(1).expand({4, 2})));
}

TEST(LearnedPosition, RefusesAHistoryLongerThanItsTable) {
  LearnedPosition position({}, {.width = 2, .max_length = 4});
  EXPECT_THROW(position.forward(torch::zeros({1, 5, 2})), c10::Error);
  EXPECT_EQ(position.forward(torch::zeros({0, 3, 2})).numel(), 0);
}

TEST(SinusoidalPosition, EqualsTheFormulaForEvenAndOddWidths) {
  for (const int64_t width : {1, 4, 7}) {
    SinusoidalPosition position({.scale = 0.5}, {.width = width, .max_length = 9});
    const auto got = position.forward(torch::zeros({1, 9, width}))[0];
    for (int64_t t = 0; t < 9; ++t)
      for (int64_t d = 0; d < width; ++d) {
        const double angle =
            static_cast<double>(8 - t) /
            std::pow(10000.0, 2.0 * static_cast<double>(d / 2) / static_cast<double>(width));
        EXPECT_NEAR(got[t][d].item<double>(),
                    0.5 * (d % 2 == 0 ? std::sin(angle) : std::cos(angle)), 1e-6);
      }
    EXPECT_TRUE(position.parameters().empty());
  }
}

TEST(Position, PaddingInFrontMovesNothing) {
  torch::manual_seed(1);
  const Position::Deps deps{.width = 4, .max_length = 10};
  const std::vector<std::shared_ptr<Position>> positions = {
      std::make_shared<LearnedPosition>(LearnedPosition::Options{}, deps),
      std::make_shared<SinusoidalPosition>(SinusoidalPosition::Options{}, deps),
      std::make_shared<NoPosition>(NoPosition::Options{}, deps)};
  const auto x = torch::randn({2, 5, 4});
  const auto padded = torch::cat({torch::zeros({2, 3, 4}), x}, 1);
  for (const auto& position : positions)
    EXPECT_TRUE(position->forward(padded).slice(1, 3).equal(position->forward(x)));
}

}  // namespace
}  // namespace reckon::position_test
