#include "training/gradient.h"

#include <array>

#include "kernels/row_update.h"

namespace reckon {

namespace {

// What one task works on: large enough to be worth a task, small enough to spread.
constexpr int64_t kTaskSize = 128 * 1024;
// What stays in the first-level cache between the passes over it.
constexpr int64_t kBlockSize = 2048;
// Independent partial sums, so that no order forbids vectors.
constexpr int64_t kLanes = 16;

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

torch::Tensor piece(const torch::Tensor& tensor, int64_t begin, int64_t size) {
  return tensor.view(-1).narrow(0, begin, size);  // [size]
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
  if (out.is_cpu() && out.scalar_type() == torch::kFloat)
    return sum_and_scale_cpu<float>(parts, scale, out);
  if (out.is_cpu() && out.scalar_type() == torch::kDouble)
    return sum_and_scale_cpu<double>(parts, scale, out);
  auto total = parts[0];
  for (size_t k = 1; k < parts.size(); ++k) total = total + parts[k];
  out.copy_(total * scale);
  return out.to(torch::kDouble).square().sum().item<double>();
}

GradientSums::GradientSums(std::vector<torch::Tensor> parameters)
    : parameters_(std::move(parameters)), sums_(parameters_.size()) {}

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
    sums_[i].indices.push_back(indices);
    sums_[i].values.push_back(values);
  }
}

double GradientSums::reduce_dense(double scale, WorkerPool& workers) {
  struct Task {
    size_t sum;
    int64_t begin, size;
  };
  std::vector<Task> tasks;
  for (size_t i = 0; i < sums_.size(); ++i) {
    auto& sum = sums_[i];
    if (sum.has_dense) sum.dense.insert(sum.dense.begin(), sum.buffer);
    if (sum.dense.empty()) continue;
    const auto& parameter = parameters_[i];
    // A table may have grown since the last step.
    if (!sum.buffer.defined() || sum.buffer.sizes() != parameter.sizes())
      sum.buffer = torch::empty(parameter.sizes(), parameter.options().requires_grad(false));
    const int64_t size = parameter.is_cpu() ? kTaskSize : std::max<int64_t>(1, parameter.numel());
    for (int64_t begin = 0; begin < parameter.numel(); begin += size)
      tasks.push_back({i, begin, std::min(size, parameter.numel() - begin)});
  }
  std::vector<double> squares(tasks.size());
  workers.run(static_cast<int64_t>(tasks.size()), [&](int64_t t) {
    const torch::NoGradGuard no_grad;
    const auto& task = tasks[t];
    auto& sum = sums_[task.sum];
    std::vector<torch::Tensor> parts;
    for (const auto& part : sum.dense) parts.push_back(piece(part, task.begin, task.size));
    squares[t] = sum_and_scale(parts, scale, piece(sum.buffer, task.begin, task.size));
  });
  for (auto& sum : sums_) {
    sum.has_dense = !sum.dense.empty();
    sum.dense.clear();
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
    if (!sum.has_dense) {
      squares[i] = values.to(torch::kDouble).square().sum().item<double>();
      gradient.rows = rows;
      gradient.values = values;
      return;
    }
    // The norm of the whole is not that of its parts.
    const double before = gradient.dense.to(torch::kDouble).square().sum().item<double>();
    gradient.dense.index_add_(0, rows, values);
    squares[i] = gradient.dense.to(torch::kDouble).square().sum().item<double>() - before;
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
