#pragma once

#include <cstdint>

namespace reckon {

/// Dense ids of users and items begin at 0 and are append-only. Two values below stand for no id of
/// the data: a step of a batch where nothing is, and a raw id that training has never seen.
inline constexpr int64_t kPaddingId = -2;
inline constexpr int64_t kUnknownId = -1;

}  // namespace reckon
