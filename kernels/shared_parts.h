#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "kernels/kernel_threads.h"

namespace reckon {

/// Parts of [0, count) that threads take one after another, for work of which some parts take much
/// longer than others: at::parallel_for() gives each thread one stretch in advance.
class SharedParts {
 public:
  SharedParts(int64_t count, int64_t part_size) : count_(count), part_size_(part_size) {}

  /// The next part that nobody has; false when there is none.
  bool take(int64_t& begin, int64_t& end) {
    begin = next_.fetch_add(part_size_);
    end = std::min(begin + part_size_, count_);
    return begin < count_;
  }

 private:
  int64_t count_, part_size_;
  std::atomic<int64_t> next_{0};
};

/// Calls work(parts) once on each of KernelThreads::current() threads; each call makes what it needs for
/// itself and takes parts until there are none. Who takes which must not show in the result.
template <class Work>
void share_parts(int64_t count, int64_t part_size, const Work& work) {
  SharedParts parts(count, part_size);
  kernel_parallel_for(KernelThreads::current(), 1, [&](int64_t, int64_t) { work(parts); });
}

}  // namespace reckon
