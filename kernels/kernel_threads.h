#pragma once

#include <ATen/Parallel.h>

#include <algorithm>

namespace reckon {

/// Threads for kernels whose results do not depend on their number, where everything else has one: a
/// step of learning computes alike on any machine, and still uses all of it for what is large.
///
/// Holds on the thread that makes it, while it lives.
class KernelThreads {
 public:
  explicit KernelThreads(int count) : before_(count_) { count_ = count; }
  ~KernelThreads() { count_ = before_; }
  KernelThreads(const KernelThreads&) = delete;
  KernelThreads& operator=(const KernelThreads&) = delete;

  static int current() { return std::max(count_, at::get_num_threads()); }

 private:
  inline static thread_local int count_ = 1;
  int before_;
};

/// at::parallel_for() with KernelThreads::current() threads.
template <class Body>
void kernel_parallel_for(int64_t count, int64_t grain, const Body& body) {
  const int before = at::get_num_threads();
  const int threads = KernelThreads::current();
  if (threads == before) return at::parallel_for(0, count, grain, body);
  at::set_num_threads(threads);
  try {
    at::parallel_for(0, count, grain, body);
  } catch (...) {
    at::set_num_threads(before);
    throw;
  }
  at::set_num_threads(before);
}

}  // namespace reckon
