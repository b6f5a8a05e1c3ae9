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

/// Settings of the C library's allocator for programs that train: without them every tensor above
/// 32 MB is mapped and unmapped by the kernel at each step, page by page. Called once by main().
void tune_allocator();

/// Gives what is free of the heap back to the system. Every thread has a heap of its own: when other threads go on
/// with other work, what those before them have freed would stay beside what these take. Costs time in
/// proportion to what is free, and what is taken again is fresh pages.
void give_back_memory();

}  // namespace reckon
