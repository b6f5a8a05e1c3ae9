#include "kernels/vector_math.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>
#include <torch/types.h>

#include <atomic>
#include <thread>
#include <vector>

namespace reckon::vector_math_test {
namespace {

// A process has one first call alone: this says something of it when the test is the first of its process, as
// under ctest.
TEST(VectorMath, ThreadsThatComeFirstGetWhatThoseGetThatComeLater) {
  prepare_vector_math();
  const auto x = torch::linspace(-3.0, 3.0, 200);
  constexpr size_t kThreads = 8;
  std::vector<torch::Tensor> found(kThreads);
  std::vector<std::thread> threads;
  std::atomic<size_t> ready{0};
  for (size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      at::set_num_threads(1);
      for (++ready; ready < kThreads;) std::this_thread::yield();
      found[t] = x.tanh();
    });
  for (auto& thread : threads) thread.join();
  const auto expected = x.tanh();
  for (const auto& values : found) EXPECT_TRUE(torch::equal(values, expected));
  EXPECT_LT((expected - x.to(torch::kDouble).tanh()).abs().max().item<double>(), 1e-6);
  prepare_vector_math();  // again is nothing
}

}  // namespace
}  // namespace reckon::vector_math_test
