#include "layers/number_transform.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "core/ids.h"

namespace reckon::number_transform_test {
namespace {

using Kind = NumberTransformImpl::Kind;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

torch::Tensor numbers(const std::vector<double>& values) {
  return torch::tensor(values, torch::kDouble);
}

std::vector<double> drawn(int64_t count) {
  std::mt19937_64 random(7);
  std::vector<double> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<double>(random() % 50) * 0.25);
  return out;
}

TEST(NumberTransform, StandardizesByMeanAndPopulationDeviationOfTheNumbersItWasFittedTo) {
  for (const int64_t count : {2, 3, 40}) {
    const auto values = drawn(count);
    for (const bool of_log : {false, true}) {
      const auto f = [&](double x) { return of_log ? std::log(1.0 + x) : x; };
      double mean = 0.0, square = 0.0;
      for (const auto x : values) mean += f(x) / static_cast<double>(count);
      for (const auto x : values)
        square += (f(x) - mean) * (f(x) - mean) / static_cast<double>(count);
      auto fitted = values;
      fitted.push_back(kNaN);  // what is missing counts for nothing
      NumberTransform transform(of_log ? Kind::kLog : Kind::kStandardize, 10, numbers(fitted));
      EXPECT_EQ(transform->num_rows(), 1);
      const auto out = transform->forward(numbers({values[0], 100.0, kNaN, 0.0}));
      EXPECT_TRUE(out.rows.equal(torch::tensor({int64_t{0}, int64_t{0}, kUnknownId, int64_t{0}})));
      EXPECT_NEAR(out.weights[0].item<double>(), (f(values[0]) - mean) / std::sqrt(square), 1e-5);
      EXPECT_NEAR(out.weights[1].item<double>(), (f(100.0) - mean) / std::sqrt(square), 1e-4);
      EXPECT_EQ(out.weights[2].item<double>(), 1.0) << "the vector of not knowing it, whole";
      EXPECT_NEAR(out.weights[3].item<double>(), (f(0.0) - mean) / std::sqrt(square), 1e-5);
    }
  }
}

TEST(NumberTransform, PutsANumberIntoTheBucketOfTheQuantileThatItIsIn) {
  for (const int64_t count : {1, 2, 7, 100})
    for (const int64_t num_buckets : {2, 4, 10}) {
      auto values = drawn(count);
      NumberTransform transform(Kind::kBuckets, num_buckets, numbers(values));
      std::sort(values.begin(), values.end());
      // The slow formula: the boundaries one by one, those without anything above left out.
      std::vector<double> boundaries;
      for (int64_t j = 1; j < num_buckets; ++j) {
        double boundary = values.back();
        for (const auto x : values) {
          int64_t at_or_below = 0;
          for (const auto y : values) at_or_below += y <= x ? 1 : 0;
          if (at_or_below * num_buckets >= j * count) {
            boundary = x;
            break;
          }
        }
        const bool is_new =
            std::find(boundaries.begin(), boundaries.end(), boundary) == boundaries.end();
        if (boundary < values.back() && is_new) boundaries.push_back(boundary);
      }
      ASSERT_EQ(transform->num_rows(), static_cast<int64_t>(boundaries.size()) + 1);
      auto asked = values;
      asked.insert(asked.end(), {-1.0, 0.1, 3.3, 1000.0});
      const auto out = transform->forward(numbers(asked));
      EXPECT_TRUE(out.weights.eq(1.0).all().item<bool>());
      for (size_t i = 0; i < asked.size(); ++i) {
        int64_t bucket = 0;
        for (const auto boundary : boundaries) bucket += asked[i] > boundary ? 1 : 0;
        EXPECT_EQ(out.rows[static_cast<int64_t>(i)].item<int64_t>(), bucket)
            << asked[i] << " of " << count << " in " << num_buckets;
      }
    }
}

TEST(NumberTransform, ANumberThatNeverDiffersSaysNothing) {
  for (const auto kind : {Kind::kStandardize, Kind::kLog}) {
    NumberTransform transform(kind, 10, numbers({0.1, 0.1, 0.1}));
    const auto out = transform->forward(numbers({0.1, kNaN}));
    EXPECT_EQ(out.weights[0].item<float>(), 0.0f);
    EXPECT_EQ(out.rows[1].item<int64_t>(), kUnknownId);
  }
  NumberTransform buckets(Kind::kBuckets, 10, numbers({0.1, 0.1, 0.1}));
  EXPECT_EQ(buckets->num_rows(), 1);
}

TEST(NumberTransform, OfNothingItIsStillFinite) {
  for (const auto kind : {Kind::kStandardize, Kind::kLog, Kind::kBuckets}) {
    NumberTransform transform(kind, 4, numbers({kNaN}));
    EXPECT_EQ(transform->num_rows(), 1);
    const auto out = transform->forward(numbers({3.0, kNaN}));
    EXPECT_TRUE(out.weights.isfinite().all().item<bool>());
    EXPECT_TRUE(out.rows.equal(torch::tensor({int64_t{0}, kUnknownId})));
  }
}

TEST(NumberTransform, LogRefusesNegativeNumbers) {
  EXPECT_THROW(NumberTransform(Kind::kLog, 10, numbers({1.0, -0.5})), c10::Error);
}

}  // namespace
}  // namespace reckon::number_transform_test
