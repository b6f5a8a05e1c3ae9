#pragma once

#include <limits>
#include <nlohmann/json.hpp>

namespace reckon {

/// A number of a state or record; JSON has no NaN and holds null in its place.
inline double number_or_nan(const nlohmann::json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

}  // namespace reckon
