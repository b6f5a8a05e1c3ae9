#include "training/gradient.h"

#include <ATen/Dispatch.h>

#include <algorithm>
#include <array>
#include <optional>

#include "core/grouping.h"
#include "kernels/has_loop.h"
#include "kernels/row_update.h"

namespace reckon {

namespace {

// What one task works on: large enough to be worth a task, small enough to spread.
constexpr int64_t kTaskSize = 128 * 1024;
// What stays in the first-level cache between the passes over it.
constexpr int64_t kBlockSize = 2048;
// Independent partial sums, so that no order forbids vectors.
constexpr int64_t kLanes = 16;
// Rows of values lie in the order in which they were made, not in that of what they add to: so many of them
// are asked for before they are needed.
constexpr size_t kAhead = 8;
// Rows are few while a parameter has this many times more: one thread puts them in order, all share a dense sum.
constexpr int64_t kFewBeside = 4;

template <class Scalar>
void prefetch_row(const Scalar* row, int64_t width) {
  constexpr int64_t kLine = 64 / sizeof(Scalar), kMostLines = 8;
  for (int64_t i = 0; i < std::min(width, kMostLines * kLine); i += kLine)
    __builtin_prefetch(row + i);
}

template <class Scalar>
double sum_and_scale_range(std::span<const Scalar* const> parts, Scalar scale, Scalar* out,
                           int64_t count) {
  std::array<double, kLanes> lanes{};
  std::array<Scalar, kBlockSize> block;
  for (int64_t begin = 0; begin < count; begin += kBlockSize) {
    const int64_t size = std::min(kBlockSize, count - begin);
    const Scalar* first = parts[0] + begin;
    for (int64_t i = 0; i < size; ++i) block[i] = first[i];
    for (size_t k = 1; k < parts.size(); ++k) {
      const Scalar* part = parts[k] + begin;
      for (int64_t i = 0; i < size; ++i) block[i] += part[i];
    }
    Scalar* to = out + begin;
    for (int64_t i = 0; i < size; ++i) to[i] = block[i] * scale;
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes)
      for (int64_t l = 0; l < kLanes; ++l)
        lanes[l] += static_cast<double>(to[i + l]) * static_cast<double>(to[i + l]);
    for (; i < size; ++i) lanes[0] += static_cast<double>(to[i]) * static_cast<double>(to[i]);
  }
  double total = 0.0;
  for (const double lane : lanes) total += lane;
  return total;
}

template <class Scalar>
double sum_and_scale_cpu(const std::vector<torch::Tensor>& parts, double scale,
                         const torch::Tensor& out) {
  std::vector<const Scalar*> pointers;
  for (const auto& part : parts) pointers.push_back(part.const_data_ptr<Scalar>());
  return sum_and_scale_range<Scalar>(pointers, static_cast<Scalar>(scale),
                                     out.mutable_data_ptr<Scalar>(), out.numel());
}

// The entries of a contribution that add to each piece of `size` rows, in their order. Of one that names row `first`, the
// next and so on, nothing else is there.
struct EntriesOfPieces {
  std::optional<int64_t> first;
  std::vector<int64_t> offsets;  // [pieces + 1]
  std::vector<int64_t> entries;

  std::span<const int64_t> of(int64_t piece) const {
    return std::span(entries).subspan(offsets[piece], offsets[piece + 1] - offsets[piece]);
  }
};

EntriesOfPieces entries_of_pieces(const torch::Tensor& rows, int64_t size, int64_t num_pieces) {
  struct Entry {
    int64_t key, e;
  };
  EntriesOfPieces out;
  const auto* row = rows.const_data_ptr<int64_t>();
  int64_t length = 1;  // of the run that the rows begin with
  while (length < rows.numel() && row[length] == row[0] + length) ++length;
  if (length == rows.numel()) {
    out.first = row[0];
    return out;
  }
  out.offsets.resize(num_pieces + 1);
  out.entries.resize(rows.numel());
  group_by_key<Entry>(
      rows.numel(), num_pieces, out.offsets.data(), /*num_threads=*/1,
      [&](int64_t begin, int64_t end, const auto& emit) {
        for (auto e = begin; e < end; ++e) emit(Entry{row[e] / size, e});
      },
      [&](int64_t place, const Entry& entry) { out.entries[place] = entry.e; });
  return out;
}

// Adds row values[e] to row rows[e] - first of `out` for the entries that are named, in their order.
template <class Scalar>
void add_rows_cpu(const torch::Tensor& rows, const torch::Tensor& values,
                  std::span<const int64_t> entries, int64_t first, const torch::Tensor& out) {
  const auto width = out.numel() / out.size(0);
  const auto* row = rows.const_data_ptr<int64_t>();
  const auto* value = values.const_data_ptr<Scalar>();
  auto* to = out.mutable_data_ptr<Scalar>();
  for (size_t i = 0; i < entries.size(); ++i) {
    if (i + kAhead < entries.size()) prefetch_row(value + entries[i + kAhead] * width, width);
    const auto* from = value + entries[i] * width;
    auto* sum = to + (row[entries[i]] - first) * width;
    for (int64_t d = 0; d < width; ++d) sum[d] += from[d];
  }
}

// Adds those of values [R, ...] for rows `run`, run + 1, .. that fall on the rows of `out`, which begin with `first`.
void add_run(const torch::Tensor& values, int64_t run, int64_t first, const torch::Tensor& out) {
  const auto begin = std::max(run, first);
  const auto end = std::min(run + values.size(0), first + out.size(0));
  if (begin >= end) return;
  const auto to = out.narrow(0, begin - first, end - begin);
  sum_and_scale({to, values.narrow(0, begin - run, end - begin)}, 1.0, to);
}

// [nnz] and [nnz, ...] of a sparse gradient of rows; entries may name a row twice.
std::pair<torch::Tensor, torch::Tensor> entries_of(const torch::Tensor& gradient) {
  TORCH_CHECK(gradient.sparse_dim() == 1,
              "training: expected a sparse gradient of rows, got one of ", gradient.sparse_dim(),
              " sparse dimensions");
  return {gradient._indices().select(0, 0), gradient._values()};
}

}  // namespace

double sum_and_scale(const std::vector<torch::Tensor>& parts, double scale,
                     const torch::Tensor& out) {
  TORCH_CHECK(!parts.empty(), "sum_and_scale: expected at least one part");
  for (const auto& part : parts)
    TORCH_CHECK(part.sizes() == out.sizes() && part.is_contiguous() &&
                    part.scalar_type() == out.scalar_type(),
                "sum_and_scale: expected contiguous parts of shape ", out.sizes(), ", got ",
                part.sizes());
  if (has_loop(out))
    return out.scalar_type() == torch::kFloat ? sum_and_scale_cpu<float>(parts, scale, out)
                                              : sum_and_scale_cpu<double>(parts, scale, out);
  auto total = parts[0];
  for (size_t k = 1; k < parts.size(); ++k) total = total + parts[k];
  out.copy_(total * scale);
  return out.to(torch::kDouble).square().sum().item<double>();
}

bool GradientSums::Sum::is_dense(int64_t height) const {
  if (has_dense || !dense.empty()) return true;
  if (indices.empty() || by_rows == RowSums::kAlways) return false;
  if (by_rows == RowSums::kNever) return true;
  int64_t count = 0;
  for (const auto& named : indices) count += named.size(0);
  return count * kFewBeside > height;
}

GradientSums::GradientSums(std::vector<torch::Tensor> parameters, std::vector<RowSums> by_rows)
    : parameters_(std::move(parameters)), sums_(parameters_.size()) {
  TORCH_CHECK(by_rows.size() == sums_.size(), "GradientSums: expected ", sums_.size(),
              " answers, got ", by_rows.size());
  for (size_t i = 0; i < sums_.size(); ++i) sums_[i].by_rows = by_rows[i];
}

int64_t GradientSums::height_of(size_t i) const {
  return parameters_[i].dim() == 0 ? 1 : parameters_[i].size(0);
}

void GradientSums::add(const std::vector<torch::Tensor>& gradients) {
  TORCH_CHECK(gradients.size() == sums_.size(), "GradientSums: expected ", sums_.size(),
              " gradients, got ", gradients.size());
  for (size_t i = 0; i < sums_.size(); ++i) {
    const auto& gradient = gradients[i];
    if (!gradient.defined()) continue;
    if (!gradient.is_sparse()) {
      sums_[i].dense.push_back(gradient.contiguous());
      continue;
    }
    auto [indices, values] = entries_of(gradient);
    if (indices.size(0) == 0) continue;
    sums_[i].indices.push_back(indices.contiguous());
    sums_[i].values.push_back(values.contiguous());
  }
}

double GradientSums::reduce_dense(double scale, WorkerPool& workers) {
  // Rows [begin, begin + size) of a parameter; a number alone counts as a row.
  struct Task {
    size_t sum;
    int64_t piece, begin, size;
  };
  const auto by_row = [](const torch::Tensor& tensor) {
    return tensor.dim() == 0 ? tensor.view(1) : tensor;
  };
  std::vector<Task> tasks;
  // Contributions of rows, and how many rows a task of theirs has.
  struct Contribution {
    size_t sum, k;
    int64_t size;
  };
  std::vector<Contribution> contributions;
  std::vector<std::vector<EntriesOfPieces>> entries(sums_.size());
  for (size_t i = 0; i < sums_.size(); ++i) {
    auto& sum = sums_[i];
    if (!sum.is_dense(height_of(i))) continue;
    if (sum.has_dense) sum.dense.insert(sum.dense.begin(), sum.buffer);
    const auto& parameter = parameters_[i];
    // A table may have grown since the last step.
    if (!sum.buffer.defined() || sum.buffer.sizes() != parameter.sizes())
      sum.buffer = torch::empty(parameter.sizes(), parameter.options().requires_grad(false));
    const auto height = height_of(i);
    const auto width = std::max<int64_t>(1, parameter.numel() / std::max<int64_t>(1, height));
    const auto size = has_loop(parameter) ? std::max<int64_t>(1, kTaskSize / width)
                                          : std::max<int64_t>(1, height);
    for (int64_t begin = 0; begin < height; begin += size)
      tasks.push_back({i, begin / size, begin, std::min(size, height - begin)});
    if (!has_loop(parameter)) continue;
    entries[i].resize(sum.indices.size());
    for (size_t k = 0; k < sum.indices.size(); ++k) contributions.push_back({i, k, size});
  }
  workers.run(static_cast<int64_t>(contributions.size()), [&](int64_t c) {
    const auto& [i, k, size] = contributions[c];
    entries[i][k] = entries_of_pieces(sums_[i].indices[k], size, (height_of(i) + size - 1) / size);
  });
  std::vector<double> squares(tasks.size());
  workers.run(static_cast<int64_t>(tasks.size()), [&](int64_t t) {
    const torch::NoGradGuard no_grad;
    const auto& task = tasks[t];
    auto& sum = sums_[task.sum];
    const auto piece = [&](const torch::Tensor& tensor) {
      return by_row(tensor).narrow(0, task.begin, task.size);
    };
    std::vector<torch::Tensor> parts;
    for (const auto& part : sum.dense) parts.push_back(piece(part));
    const auto out = piece(sum.buffer);
    if (!sum.indices.empty()) {
      if (parts.empty())
        out.zero_();
      else
        sum_and_scale(parts, 1.0, out);
      for (size_t k = 0; k < sum.indices.size(); ++k) {
        const auto& rows = sum.indices[k];
        const auto& values = sum.values[k];
        if (!has_loop(out)) {
          out.index_add_(0, rows, values);  // the one task has all rows
          continue;
        }
        if (const auto run = entries[task.sum][k].first) {
          add_run(values, *run, task.begin, out);
          continue;
        }
        const auto named = entries[task.sum][k].of(task.piece);
        AT_DISPATCH_FLOATING_TYPES(out.scalar_type(), "GradientSums", [&] {
          add_rows_cpu<scalar_t>(rows, values, named, task.begin, out);
        });
      }
      parts = {out};
    }
    squares[t] = sum_and_scale(parts, scale, out);
  });
  for (size_t i = 0; i < sums_.size(); ++i) {
    auto& sum = sums_[i];
    if (!sum.is_dense(height_of(i))) continue;
    sum.has_dense = true;
    sum.dense.clear();
    sum.indices.clear();
    sum.values.clear();
  }
  double total = 0.0;
  for (const double square : squares) total += square;
  return total;
}

void GradientSums::fold(WorkerPool& workers) { reduce_dense(1.0, workers); }

GradientSums::Result GradientSums::finish(double scale, WorkerPool& workers) {
  const torch::NoGradGuard no_grad;
  Result result;
  result.squared_norm = reduce_dense(scale, workers);
  result.gradients.resize(sums_.size());
  std::vector<double> squares(sums_.size(), 0.0);
  workers.run(static_cast<int64_t>(sums_.size()), [&](int64_t i) {
    const torch::NoGradGuard no_grad_here;
    auto& sum = sums_[i];
    auto& gradient = result.gradients[i];
    if (sum.has_dense) gradient.dense = sum.buffer;
    if (sum.indices.empty()) return;
    auto [rows, values] = sum_rows(torch::cat(sum.indices), torch::cat(sum.values));
    values.mul_(scale);
    squares[i] = values.to(torch::kDouble).square().sum().item<double>();
    gradient.rows = rows;
    gradient.values = values;
  });
  for (const double square : squares) result.squared_norm += square;
  for (auto& sum : sums_) {
    sum.indices.clear();
    sum.values.clear();
    sum.has_dense = false;
  }
  return result;
}

}  // namespace reckon
