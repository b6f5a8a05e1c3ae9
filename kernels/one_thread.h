#pragma once

#include <ATen/Parallel.h>

namespace reckon {

/// One intra-op thread while it lives, for what libraries would round otherwise with more of them. Not
/// inside at::parallel_for, where they have one anyway.
class OneThread {
 public:
  OneThread() : before_(at::get_num_threads()) { at::set_num_threads(1); }
  ~OneThread() { at::set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// body(begin, end) over [0, count) by all threads, where products inside have one thread each: also
/// where there is a single one.
template <class Body>
void for_each_of_one_thread(int64_t count, const Body& body) {
  if (count > 1) return at::parallel_for(0, count, 1, body);
  const OneThread one;
  body(0, count);
}

}  // namespace reckon
