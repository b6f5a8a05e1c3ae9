#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace reckon {

inline constexpr double kReferenceTolerance = 1e-9;

/// What a generator in tests/references wrote: `NAME_reference.json`.
inline nlohmann::json read_reference(const std::string& name) {
  std::ifstream file(std::string(RECKON_SOURCE_DIR) + "/tests/references/" + name +
                     "_reference.json");
  return nlohmann::json::parse(file);
}

/// The rule of the generators: sixteenths, exact in binary.
inline torch::Tensor fill(at::IntArrayRef shape, int64_t salt) {
  const auto index = torch::arange(c10::multiply_integers(shape), torch::kLong);
  return (((index * 7 + salt * 5).remainder(17) - 8).to(torch::kDouble) / 16.0).reshape(shape);
}

inline void expect_numbers(const torch::Tensor& got, const nlohmann::json& expected,
                           const std::string& what) {
  const auto values = expected.get<std::vector<double>>();
  const auto flat = got.detach().contiguous().view(-1);
  ASSERT_EQ(flat.numel(), static_cast<int64_t>(values.size())) << what;
  for (int64_t i = 0; i < flat.numel(); ++i)
    EXPECT_NEAR(flat[i].item<double>(), values[i],
                kReferenceTolerance * std::max(1.0, std::abs(values[i])))
        << what << "[" << i << "]";
}

}  // namespace reckon
