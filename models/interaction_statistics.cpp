#include "models/interaction_statistics.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/ids.h"
#include "kernels/row_pairs.h"
#include "models/interaction_matrix.h"

namespace reckon {

namespace {

// The elements of each row.   Shapes   -> [R] float32
torch::Tensor lengths_of(const SparseRows& rows) {
  return (rows.offsets.slice(0, 1) - rows.offsets.slice(0, 0, -1)).to(torch::kFloat);
}

// `users` are users by items, `items` the same by columns.
ItemNeighbours closest_items(const SparseRows& users, const SparseRows& items, int64_t count) {
  const int64_t num_items = items.num_rows();
  const auto* offset = items.offsets.const_data_ptr<int64_t>();
  const auto* user = items.columns.const_data_ptr<int32_t>();
  const auto* of_user = users.offsets.const_data_ptr<int64_t>();
  // The sum of a row of G: each user of an item brings as many items as the user has.
  std::vector<double> sums(num_items);
  for (int64_t i = 0; i < num_items; ++i)
    for (int64_t e = offset[i]; e < offset[i + 1]; ++e)
      sums[i] += static_cast<double>(of_user[user[e] + 1] - of_user[user[e]]);
  const auto closest = most_similar_rows<PairProduct>(
      items, users, count, [&](int64_t i, int64_t j, const PairProduct& common) {
        // Of an item that no user has beside another there is no pair, so this is above zero.
        const double others = sums[i] - static_cast<double>(offset[i + 1] - offset[i]);
        return static_cast<float>(common.product / others * std::sqrt(sums[i] / sums[j]));
      });
  ItemNeighbours out{torch::full({num_items, count}, kPaddingId, torch::kLong),  // [I, K]
                     torch::zeros({num_items, count})};                          // [I, K]
  auto* ids = out.ids.data_ptr<int64_t>();
  auto* weights = out.weights.data_ptr<float>();
  const auto* begin = closest.offsets.const_data_ptr<int64_t>();
  const auto* column = closest.columns.const_data_ptr<int32_t>();
  const auto* value = closest.values.const_data_ptr<float>();
  std::vector<int64_t> order;
  for (int64_t i = 0; i < num_items; ++i) {
    order.clear();
    for (int64_t e = begin[i]; e < begin[i + 1]; ++e) order.push_back(e);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return value[a] > value[b]; });
    for (size_t k = 0; k < order.size(); ++k) {
      ids[i * count + static_cast<int64_t>(k)] = column[order[k]];
      weights[i * count + static_cast<int64_t>(k)] = value[order[k]];
    }
  }
  return out;
}

}  // namespace

InteractionStatistics interaction_statistics(const Interactions& train, int64_t num_neighbours) {
  const auto users = interaction_matrix(train);
  const auto items = transpose(users, train.num_items);
  InteractionStatistics out{lengths_of(users), lengths_of(items), {}};
  if (num_neighbours > 0) out.neighbours = closest_items(users, items, num_neighbours);
  return out;
}

}  // namespace reckon
