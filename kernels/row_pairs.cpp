#include "kernels/row_pairs.h"

namespace reckon::row_pairs_detail {

SparseRows join(std::vector<Found>& blocks) {
  int64_t num_rows = 0, size = 0;
  for (const auto& block : blocks) {
    num_rows += static_cast<int64_t>(block.counts.size());
    size += static_cast<int64_t>(block.columns.size());
  }
  SparseRows out{torch::zeros({num_rows + 1}, torch::kLong),  // [R + 1]
                 torch::empty({size}, torch::kInt),           // [E]
                 torch::empty({size})};                       // [E]
  auto* offset = out.offsets.data_ptr<int64_t>();
  auto* column = out.columns.data_ptr<int32_t>();
  auto* value = out.values.data_ptr<float>();
  for (auto& block : blocks) {
    for (const int64_t count : block.counts) {
      offset[1] = offset[0] + count;
      ++offset;
    }
    column = std::copy(block.columns.begin(), block.columns.end(), column);
    value = std::copy(block.values.begin(), block.values.end(), value);
    block = Found{};  // so that no more than the result and one block are held twice
  }
  return out;
}

}  // namespace reckon::row_pairs_detail
