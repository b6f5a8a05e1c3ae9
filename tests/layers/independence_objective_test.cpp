#include "layers/independence_objective.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/gradients.h"

namespace reckon::independence_objective_test {
namespace {

using Options = IndependenceObjective::Options;
using Measure = Options::Measure;

// By the definition of 2007: distances of all pairs of samples, centred by rows and columns.
double distance_covariance(const std::vector<double>& x, const std::vector<double>& y) {
  const size_t n = x.size();
  const auto centred = [n](const std::vector<double>& v) {
    std::vector<std::vector<double>> a(n, std::vector<double>(n));
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j) a[i][j] = std::abs(v[i] - v[j]);
    std::vector<double> means(n, 0.0);
    double mean = 0.0;
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j) {
        means[i] += a[i][j] / static_cast<double>(n);
        mean += a[i][j] / static_cast<double>(n * n);
      }
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j) a[i][j] += mean - means[i] - means[j];
    return a;
  };
  const auto a = centred(x), b = centred(y);
  double sum = 0.0;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) sum += a[i][j] * b[i][j];
  return std::sqrt(std::max(0.0, sum / static_cast<double>(n * n)));
}

std::vector<double> values(const torch::Tensor& row) {
  const auto flat = row.contiguous();  // [D]
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

double by_definition(const Options& options, const torch::Tensor& intents) {
  const auto count = intents.size(0);
  const auto cosine = [&](int64_t p, int64_t q) {
    return (intents[p].dot(intents[q]) / (intents[p].norm() * intents[q].norm())).item<double>();
  };
  double sum = 0.0;
  for (int64_t p = 0; p < count; ++p) {
    if (options.measure == Measure::kInformation) {
      double total = 0.0;
      for (int64_t q = 0; q < count; ++q) total += std::exp(cosine(p, q) / options.temperature);
      sum -= std::log(std::exp(1.0 / options.temperature) / total);
      continue;
    }
    for (int64_t q = p + 1; q < count; ++q) {
      if (options.measure == Measure::kCosine) {
        sum += cosine(p, q) * cosine(p, q);
        continue;
      }
      const auto x = values(intents[p]), y = values(intents[q]);
      sum += distance_covariance(x, y) /
             std::sqrt(distance_covariance(x, x) * distance_covariance(y, y));
    }
  }
  return sum;
}

const std::vector<Measure> kMeasures{Measure::kDistance, Measure::kCosine, Measure::kInformation};

TEST(IndependenceObjective, EqualsTheDefinitionsPairByPair) {
  torch::manual_seed(1);
  for (const auto measure : kMeasures)
    for (const auto& [count, width] : {std::pair{1, 3}, {2, 5}, {4, 16}}) {
      const Options options{.measure = measure, .temperature = 0.5};
      const IndependenceObjective objective(options, {});
      const auto intents = torch::randn({count, width}, torch::kDouble);  // [K, D]
      EXPECT_NEAR(objective.dependence(intents).item<double>(), by_definition(options, intents),
                  1e-5)
          << static_cast<int>(measure) << " of " << count;
    }
}

TEST(IndependenceObjective, HasTheGradientsOfCentralDifferences) {
  torch::manual_seed(2);
  for (const auto measure : kMeasures) {
    const IndependenceObjective objective({.measure = measure}, {});
    expect_gradients([&](const auto& x) { return objective.dependence(x[0]); },
                     {torch::randn({3, 6}, torch::kDouble)});
  }
}

TEST(IndependenceObjective, IsGreatestOfIntentsThatAreAlikeAndHasNoNanThere) {
  torch::manual_seed(3);
  const auto one = torch::randn({1, 8}, torch::kDouble);        // [1, D]
  const auto alike = one.expand({3, 8}).clone();                // [K, D]
  const auto different = torch::randn({3, 8}, torch::kDouble);  // [K, D]
  for (const auto measure : kMeasures) {
    const IndependenceObjective objective({.measure = measure}, {});
    EXPECT_GT(objective.dependence(alike).item<double>(),
              objective.dependence(different).item<double>());
    for (const auto& intents : {alike, torch::zeros_like(alike)}) {
      const auto leaf = intents.clone().requires_grad_();  // [K, D]
      const auto gradient = torch::autograd::grad({objective.dependence(leaf)}, {leaf})[0];
      EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << static_cast<int>(measure);
    }
  }
}

TEST(IndependenceObjective, StandsOnceInTheMeanOverTargets) {
  torch::manual_seed(4);
  IndependenceObjective objective({}, {});
  ObjectiveInput input;
  input.users = {torch::zeros({3, 2}, torch::kDouble), {}};
  input.weights = torch::tensor({1.0, 0.5, 2.0}, torch::kDouble);  // [P]
  EXPECT_THROW(objective.forward(input), c10::Error);
  input.intents = torch::randn({4, 6}, torch::kDouble);  // [K, D]
  const auto parts = objective.forward(input);
  EXPECT_NEAR(parts.weight, 3.5, 1e-12);
  EXPECT_NEAR(parts.sum.item<double>() / parts.weight,
              objective.dependence(input.intents).item<double>(), 1e-12);
}

}  // namespace
}  // namespace reckon::independence_objective_test
