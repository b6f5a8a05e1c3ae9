#pragma once

namespace reckon {

/// The version of this library, as runs and exported files record it.
inline constexpr const char* kVersion = "0.1.0";

}  // namespace reckon
