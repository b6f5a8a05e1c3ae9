#include "kernels/sparse_rows.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

#include "core/grouping.h"
#include "kernels/kernel_threads.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

// The elements of the rows that are named, one row after the other.
struct NamedElements {
  torch::Tensor owner;    // [E'] int64, which of the B * T names each belongs to
  torch::Tensor request;  // [E'] int64, which of the B
  torch::Tensor columns;  // [E'] int64
  torch::Tensor values;   // [E']
};

// Plain ATen. No size of a tensor becomes a number of C++, so that a trace stays general.
NamedElements named_elements(const SparseRows& matrix, const torch::Tensor& ids) {
  const auto is_item = ids.ge(0);                                      // [B, T]
  const auto rows = ids.clamp_min(0).flatten();                        // [B * T]
  const auto starts = matrix.offsets.index_select(0, rows);            // [B * T]
  const auto ends = matrix.offsets.index_select(0, rows + 1);          // [B * T]
  const auto counts = (ends - starts) * is_item.flatten();             // [B * T]
  const auto owner = at::repeat_interleave(counts);                    // [E'] into B * T
  const auto begins = counts.cumsum(0) - counts;                       // [B * T]
  const auto place = at::ones_like(owner).cumsum(0) - 1;               // [E']
  const auto from = (starts - begins).index_select(0, owner) + place;  // [E'] into E
  const auto requests = (at::ones_like(ids).cumsum(0) - 1).flatten();  // [B * T]
  return {.owner = owner,
          .request = requests.index_select(0, owner),
          .columns = matrix.columns.index_select(0, from).to(torch::kLong),
          .values = matrix.values.index_select(0, from)};
}

// sum_sparse_rows() where it has no loop.
torch::Tensor plain_sum(const SparseRows& matrix, int64_t num_columns, const torch::Tensor& ids,
                        const torch::Tensor& weights) {
  const auto named = named_elements(matrix, ids);
  const auto& owner = named.owner;                              // [E'] into B * T
  const auto to = named.request * num_columns + named.columns;  // [E'] into B * C
  auto values = named.values;                                   // [E']
  if (weights.defined()) values = values * weights.flatten().index_select(0, owner);
  const auto zeros =
      at::zeros_like(ids.slice(1, 0, 1).expand({-1, num_columns}), matrix.values.options(),
                     at::MemoryFormat::Contiguous);                         // [B, C]
  return zeros.flatten().index_add(0, to, values).view({-1, num_columns});  // [B, C]
}

}  // namespace

void check_sparse_rows(const SparseRows& matrix, int64_t num_rows, int64_t num_columns,
                       const std::string& name) {
  const auto& [offsets, columns, values] = matrix;
  const auto fail = [&](const std::string& what) {
    throw std::invalid_argument(name + ": " + what);
  };
  if (offsets.dim() != 1 || offsets.size(0) != num_rows + 1)
    fail(c10::str("expected offsets [", num_rows + 1, "], one more than rows, got ",
                  offsets.sizes()));
  if (columns.dim() != 1 || values.dim() != 1 || columns.size(0) != values.size(0))
    fail(c10::str("expected as many columns as values, got ", columns.sizes(), " and ",
                  values.sizes()));
  const auto host = offsets.cpu().contiguous();  // [R + 1]
  const auto* offset = host.const_data_ptr<int64_t>();
  if (offset[0] != 0 || offset[num_rows] != columns.size(0) ||
      !std::is_sorted(offset, offset + num_rows + 1))
    fail(c10::str("expected offsets that rise from 0 to the number of values, ", columns.size(0)));
  if (columns.numel() == 0) return;
  const auto [lowest, highest] = at::aminmax(columns);  // [], []
  if (lowest.item<int32_t>() < 0 || highest.item<int32_t>() >= num_columns)
    fail(c10::str("expected columns in [0, ", num_columns, "), got some in [",
                  lowest.item<int32_t>(), ", ", highest.item<int32_t>(), "]"));
  if (!values.isfinite().all().item<bool>()) fail("a value is NaN or infinity");
}

void keep_largest(std::vector<SparseElement>& row, int64_t k) {
  if (k > 0 && static_cast<int64_t>(row.size()) > k) {
    std::nth_element(row.begin(), row.begin() + k, row.end(),
                     [](const SparseElement& a, const SparseElement& b) {
                       const float x = std::abs(a.value), y = std::abs(b.value);
                       return x != y ? x > y : a.column < b.column;
                     });
    row.resize(static_cast<size_t>(k));
  }
  std::sort(row.begin(), row.end(),
            [](const SparseElement& a, const SparseElement& b) { return a.column < b.column; });
}

void RowBlock::add(const std::vector<SparseElement>& row) {
  counts.push_back(static_cast<int64_t>(row.size()));
  if (columns.empty()) {  // a block of one long row takes no more than it needs
    columns.reserve(row.size());
    values.reserve(row.size());
  }
  for (const auto& element : row) {
    columns.push_back(element.column);
    values.push_back(element.value);
  }
}

SparseRows join_blocks(std::vector<RowBlock>& blocks) {
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
    block = RowBlock{};
  }
  return out;
}

SparseRows transpose(const SparseRows& matrix, int64_t num_columns) {
  const int64_t size = matrix.columns.size(0);
  SparseRows out{torch::empty({num_columns + 1}, torch::kLong),  // [C + 1]
                 torch::empty({size}, torch::kInt),              // [E]
                 torch::empty({size})};                          // [E]
  const auto* value = matrix.values.const_data_ptr<float>();
  auto* to_row = out.columns.data_ptr<int32_t>();
  auto* to_value = out.values.data_ptr<float>();
  turn_lists(matrix.num_rows(), matrix.offsets.const_data_ptr<int64_t>(),
             matrix.columns.const_data_ptr<int32_t>(), num_columns, out.offsets.data_ptr<int64_t>(),
             KernelThreads::current(), [&](int64_t place, int32_t row, int64_t e) {
               to_row[place] = row;
               to_value[place] = value[e];
             });
  return out;
}

torch::Tensor sum_sparse_rows(const SparseRows& matrix, int64_t num_columns,
                              const torch::Tensor& ids, const torch::Tensor& weights) {
  TORCH_CHECK(ids.dim() == 2 && ids.scalar_type() == torch::kLong,
              "sum_sparse_rows: expected ids [B, T] int64, got ", ids.sizes(), " ",
              ids.scalar_type());
  if (is_tracing() || !ids.is_cpu()) return plain_sum(matrix, num_columns, ids, weights);
  TORCH_CHECK(ids.size(1) > 0, "sum_sparse_rows: expected ids [B, T] with T > 0, got ",
              ids.sizes());
  TORCH_CHECK(!weights.defined() ||
                  (weights.sizes() == ids.sizes() && weights.scalar_type() == torch::kFloat),
              "sum_sparse_rows: expected weights ", ids.sizes(), " float32, got ", weights.sizes());
  const auto named = ids.contiguous();  // [B, T]
  const auto scale = weights.defined() ? weights.contiguous() : weights;
  const int64_t num_rows = matrix.num_rows(), width = ids.size(1);
  if (ids.numel() > 0) {
    const int64_t highest = named.max().item<int64_t>();
    TORCH_CHECK(highest < num_rows, "sum_sparse_rows: expected ids below ", num_rows, ", got ",
                highest);
  }
  auto out = torch::empty({ids.size(0), num_columns});  // [B, C]
  const auto* id = named.const_data_ptr<int64_t>();
  const auto* weight = weights.defined() ? scale.const_data_ptr<float>() : nullptr;
  const auto* offset = matrix.offsets.const_data_ptr<int64_t>();
  const auto* column = matrix.columns.const_data_ptr<int32_t>();
  const auto* value = matrix.values.const_data_ptr<float>();
  auto* sums = out.data_ptr<float>();
  at::parallel_for(0, ids.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      auto* sum = sums + b * num_columns;
      std::fill_n(sum, num_columns, 0.0f);
      for (int64_t t = b * width; t < (b + 1) * width; ++t) {
        const int64_t row = id[t];
        if (row < 0) continue;
        const int64_t stop = offset[row + 1];
        if (weight == nullptr) {
          for (int64_t e = offset[row]; e < stop; ++e) sum[column[e]] += value[e];
        } else {
          const float w = weight[t];
          for (int64_t e = offset[row]; e < stop; ++e) sum[column[e]] += w * value[e];
        }
      }
    }
  });
  return out;
}

torch::Tensor sparse_elements(const SparseRows& matrix, const torch::Tensor& ids,
                              const torch::Tensor& columns) {
  TORCH_CHECK(ids.dim() == 2 && columns.dim() == 1, "sparse_elements: expected ids [B, T] and ",
              "columns [B], got ", ids.sizes(), " and ", columns.sizes());
  const auto named = named_elements(matrix, ids);
  const auto is_asked = named.columns.eq(columns.index_select(0, named.request));  // [E']
  const auto zeros =
      at::zeros_like(ids, matrix.values.options(), at::MemoryFormat::Contiguous);          // [B, T]
  return zeros.flatten().index_add(0, named.owner, named.values * is_asked).view_as(ids);  // [B, T]
}

}  // namespace reckon
