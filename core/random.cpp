#include "core/random.h"

#include <numeric>

namespace reckon {

std::vector<int64_t> permutation(int64_t n, const RandomKey& key) {
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), 0);
  shuffle(std::span(order), key);
  return order;
}

}  // namespace reckon
