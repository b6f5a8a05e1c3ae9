#include "kernels/deferred_adam.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include "kernels/cpu_features.h"

namespace reckon {

namespace {

// Of a row whose steps a thread is making.
constexpr int32_t kBusy = -1;

void advance(const adam_detail::Row& row, const adam_detail::Rule& rule,
             const adam_detail::Step* steps, int64_t count) {
  return for_active_simd(adam_detail::advance_portable, adam_detail::advance_avx2,
                         adam_detail::advance_avx512)(row, rule, steps, count);
}

void step(const adam_detail::Row& row, const adam_detail::Rule& rule, const adam_detail::Step& step,
          const float* gradient) {
  return for_active_simd(adam_detail::step_portable, adam_detail::step_avx2,
                         adam_detail::step_avx512)(row, rule, step, gradient);
}

}  // namespace

DeferredAdam::DeferredAdam(const Options& options)
    : options_(options),
      rule_{.beta1 = static_cast<float>(options.beta1),
            .beta2 = static_cast<float>(options.beta2),
            .eps = static_cast<float>(options.eps),
            .l2 = static_cast<float>(options.l2)} {}

bool DeferredAdam::can_move(const torch::Tensor& weight) {
  return weight.dim() == 2 && weight.is_cpu() && weight.scalar_type() == torch::kFloat &&
         weight.is_contiguous();
}

void DeferredAdam::begin_step(const torch::Tensor& weight, const torch::Tensor& moment1,
                              const torch::Tensor& moment2, int64_t number, double lr) {
  TORCH_CHECK(can_move(weight) && can_move(moment1) && can_move(moment2) &&
                  moment1.sizes() == weight.sizes() && moment2.sizes() == weight.sizes(),
              "DeferredAdam: expected a weight and two moments [R, D], contiguous float32 on the "
              "CPU, got ",
              weight.sizes(), ", ", moment1.sizes(), " and ", moment2.sizes());
  weight_ = weight;
  moment1_ = moment1;
  moment2_ = moment2;
  if (weight.size(0) != height_ || made_ == nullptr) {
    height_ = weight.size(0);
    made_ = std::make_unique<std::atomic<int32_t>[]>(static_cast<size_t>(height_));
    clear();
  }
  const double count = static_cast<double>(number);
  steps_.push_back(
      {.size = static_cast<float>(lr / (1.0 - std::pow(options_.beta1, count))),
       .root_scale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options_.beta2, count))),
       .kept = static_cast<float>(1.0 - lr * options_.decay)});
}

adam_detail::Row DeferredAdam::at(int64_t row) const {
  const int64_t width = weight_.size(1);
  return {.weight = weight_.mutable_data_ptr<float>() + row * width,
          .moment1 = moment1_.mutable_data_ptr<float>() + row * width,
          .moment2 = moment2_.mutable_data_ptr<float>() + row * width,
          .width = width};
}

void DeferredAdam::step_rows(const torch::Tensor& rows, const torch::Tensor& gradients) {
  const int64_t width = weight_.size(1);
  TORCH_CHECK(rows.dim() == 1 && rows.scalar_type() == torch::kLong && gradients.dim() == 2 &&
                  gradients.size(0) == rows.size(0) && gradients.size(1) == width &&
                  gradients.scalar_type() == torch::kFloat,
              "DeferredAdam: expected rows [N] int64 and gradients [N, ", width, "] float32, got ",
              rows.sizes(), " ", rows.scalar_type(), " and ", gradients.sizes(), " ",
              gradients.scalar_type());
  const auto ids = rows.contiguous();          // [N]
  const auto values = gradients.contiguous();  // [N, D]
  const auto* id = ids.const_data_ptr<int64_t>();
  const auto* value = values.const_data_ptr<float>();
  const auto newest = static_cast<int32_t>(steps_.size()) - 1;
  for (int64_t n = 0; n < ids.size(0); ++n) {
    TORCH_CHECK(0 <= id[n] && id[n] < height_, "DeferredAdam: expected rows in [0, ", height_,
                "), got ", id[n]);
    auto& made = made_[static_cast<size_t>(id[n])];
    const int32_t before = made.load(std::memory_order_relaxed);
    TORCH_CHECK(0 <= before && before <= newest, "DeferredAdam: row ", id[n],
                " has made the newest step before its gradient came");
    const auto row = at(id[n]);
    if (before < newest) advance(row, rule_, steps_.data() + before, newest - before);
    step(row, rule_, steps_[static_cast<size_t>(newest)], value + n * width);
    made.store(newest + 1, std::memory_order_release);
  }
}

bool DeferredAdam::try_settle(int64_t row) {
  const auto all = static_cast<int32_t>(steps_.size());
  auto& made = made_[static_cast<size_t>(row)];
  int32_t before = made.load(std::memory_order_acquire);
  if (before == all) return true;
  if (before == kBusy || !made.compare_exchange_strong(before, kBusy, std::memory_order_acquire))
    return false;
  advance(at(row), rule_, steps_.data() + before, all - before);
  made.store(all, std::memory_order_release);
  return true;
}

void DeferredAdam::settle(const torch::Tensor& rows) {
  if (steps_.empty()) return;
  const auto ids = rows.contiguous();
  const auto* id = ids.const_data_ptr<int64_t>();
  std::vector<int64_t> others;  // that another thread is at
  for (int64_t n = 0; n < ids.numel(); ++n) {
    TORCH_CHECK(id[n] >= 0, "DeferredAdam: expected rows from 0, got ", id[n]);
    if (id[n] < height_ && !try_settle(id[n])) others.push_back(id[n]);
  }
  for (const auto row : others)
    while (!try_settle(row)) std::this_thread::yield();
}

void DeferredAdam::settle(int64_t begin, int64_t end) {
  if (steps_.empty()) return;
  for (int64_t row = begin; row < std::min(end, height_); ++row)
    while (!try_settle(row)) std::this_thread::yield();
}

void DeferredAdam::clear() {
  steps_.clear();
  for (int64_t row = 0; row < height_; ++row)
    made_[static_cast<size_t>(row)].store(0, std::memory_order_relaxed);
}

}  // namespace reckon
