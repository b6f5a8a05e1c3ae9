#include "kernels/row_sums.h"

#include <ATen/Dispatch.h>
#include <torch/autograd.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "core/grouping.h"
#include "kernels/has_loop.h"
#include "kernels/kernel_threads.h"
#include "kernels/spmm.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

// A table is looked through for the rows that are named while it has at most so many times more of them.
constexpr int64_t kFewBeside = 16;

// By bag what is added up: bag b has entries offsets[b] to offsets[b + 1].
struct Bags {
  torch::Tensor offsets;  // [B + 1] int64
  torch::Tensor rows;     // [E] int32
  torch::Tensor weights;  // [E] of the table's type
};

template <class Scalar>
Bags bags_of(const torch::Tensor& rows, const torch::Tensor& weights, int64_t height) {
  const int64_t num_bags = rows.size(0), width = rows.size(1);
  const auto* row = rows.const_data_ptr<int64_t>();
  const auto* weight = weights.const_data_ptr<Scalar>();
  Bags bags;
  bags.offsets = torch::empty({num_bags + 1}, torch::kLong);
  auto* offset = bags.offsets.mutable_data_ptr<int64_t>();
  offset[0] = 0;
  for (int64_t b = 0; b < num_bags; ++b)
    offset[b + 1] = offset[b] + width - std::count(weight + b * width, weight + (b + 1) * width, 0);
  bags.rows = torch::empty({offset[num_bags]}, torch::kInt);
  bags.weights = torch::empty({offset[num_bags]}, weights.options());
  auto* to_row = bags.rows.mutable_data_ptr<int32_t>();
  auto* to_weight = bags.weights.mutable_data_ptr<Scalar>();
  for (int64_t i = 0; i < num_bags * width; ++i) {
    if (weight[i] == 0) continue;
    TORCH_CHECK(row[i] >= 0 && row[i] < height, "weighted_row_sums: expected rows in [0, ", height,
                "), got ", row[i]);
    *to_row++ = static_cast<int32_t>(row[i]);
    *to_weight++ = weight[i];
  }
  return bags;
}

// The rows that are named, ascending, and which of them each entry names.
struct Numbered {
  torch::Tensor rows;             // [N] int64, distinct
  std::vector<int32_t> place_of;  // [E]
};

Numbered numbered(const torch::Tensor& named, int64_t height) {
  const int64_t count = named.numel();
  const auto* row = named.const_data_ptr<int32_t>();
  std::vector<int64_t> distinct;
  Numbered out;
  out.place_of.resize(count);
  if (height > count * kFewBeside) {
    distinct.assign(row, row + count);
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    for (int64_t e = 0; e < count; ++e)
      out.place_of[e] = static_cast<int32_t>(
          std::lower_bound(distinct.begin(), distinct.end(), row[e]) - distinct.begin());
  } else {
    std::vector<int32_t> place(height, -1);
    for (int64_t e = 0; e < count; ++e) place[row[e]] = 0;
    for (int64_t r = 0; r < height; ++r) {
      if (place[r] < 0) continue;
      place[r] = static_cast<int32_t>(distinct.size());
      distinct.push_back(r);
    }
    for (int64_t e = 0; e < count; ++e) out.place_of[e] = place[row[e]];
  }
  out.rows = torch::tensor(distinct, torch::kLong);
  return out;
}

class WeightedRowSums : public torch::autograd::Function<WeightedRowSums> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& table, const torch::Tensor& rows,
                               const torch::Tensor& weights) {
    Bags bags;
    AT_DISPATCH_FLOATING_TYPES(table.scalar_type(), "weighted_row_sums", [&] {
      bags = bags_of<scalar_t>(rows.contiguous(), weights.to(table.scalar_type()).contiguous(),
                               table.size(0));
    });
    context->save_for_backward({bags.offsets, bags.rows, bags.weights});
    context->saved_data["height"] = table.size(0);
    return sums_of_lists(bags.offsets, bags.rows, bags.weights, table);  // [B, D]
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const auto& offsets = saved[0];
    const auto& weights = saved[2];
    const auto height = context->saved_data["height"].toInt();
    const auto& gradient = grads[0];  // [B, D]
    const auto [rows, place_of] = numbered(saved[1], height);
    const int64_t num_rows = rows.numel();
    // Turned round: by row, the bags that have it.
    const auto row_offsets = torch::empty({num_rows + 1}, torch::kLong);       // [N + 1]
    const auto bags = torch::empty({saved[1].numel()}, torch::kInt);           // [E]
    const auto factors = torch::empty({saved[1].numel()}, weights.options());  // [E]
    auto* to_bag = bags.mutable_data_ptr<int32_t>();
    AT_DISPATCH_FLOATING_TYPES(weights.scalar_type(), "weighted_row_sums", [&] {
      const auto* weight = weights.const_data_ptr<scalar_t>();
      auto* to_factor = factors.mutable_data_ptr<scalar_t>();
      turn_lists(offsets.size(0) - 1, offsets.const_data_ptr<int64_t>(), place_of.data(), num_rows,
                 row_offsets.mutable_data_ptr<int64_t>(), KernelThreads::current(),
                 [&](int64_t place, int32_t bag, int64_t e) {
                   to_bag[place] = bag;
                   to_factor[place] = weight[e];
                 });
    });
    const auto values = sums_of_lists(row_offsets, bags, factors, gradient);  // [N, D]
    auto out = at::_sparse_coo_tensor_unsafe(rows.unsqueeze(0), values, {height, values.size(1)},
                                             values.options().layout(torch::kSparse));
    out._coalesced_(true);
    return {out, torch::Tensor(), torch::Tensor()};
  }
};

}  // namespace

torch::Tensor weighted_row_sums(const torch::Tensor& table, const torch::Tensor& rows,
                                const torch::Tensor& weights) {
  TORCH_CHECK(table.dim() == 2 && rows.dim() == 2 && weights.sizes() == rows.sizes() &&
                  rows.scalar_type() == torch::kLong &&
                  table.size(0) <= std::numeric_limits<int32_t>::max(),
              "weighted_row_sums: expected a table [R, D] and rows [B, T] int64 with a weight for "
              "each, got ",
              table.sizes(), ", ", rows.sizes(), " ", rows.scalar_type(), " and ", weights.sizes());
  const auto factors = weights.detach();  // [B, T]
  if (has_loop(table) && !is_tracing()) return WeightedRowSums::apply(table, rows, factors);
  const auto length = at::ones_like(rows).sum(1);  // [B]
  const auto offsets = length.cumsum(0) - length;  // [B]
  return std::get<0>(at::embedding_bag(table, rows.flatten(), offsets, /*scale_grad_by_freq=*/false,
                                       /*mode: sum*/ 0, /*sparse=*/true,
                                       factors.to(table.scalar_type()).flatten(),
                                       /*include_last_offset=*/false));  // [B, D]
}

}  // namespace reckon
