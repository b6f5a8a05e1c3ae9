#pragma once

#include <cstdint>
#include <optional>

namespace reckon {

/// Bytes that a program may still take without pushing others out, as the system says; empty where it does
/// not say.
///
/// For work whose size is known before it begins: who takes more than there is is killed by the system, without
/// a word.
std::optional<int64_t> available_memory();

}  // namespace reckon
