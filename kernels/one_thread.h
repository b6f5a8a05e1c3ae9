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

}  // namespace reckon
