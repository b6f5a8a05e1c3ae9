#include "kernels/row_update.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "kernels/cpu_features.h"
#include "kernels/has_loop.h"
#include "kernels/row_update_loop.h"

namespace reckon {

namespace {

// Rows that one thread takes at a time; fewer are not worth waking another thread for.
constexpr int64_t kGrainRows = 256;

void check(const char* name, const torch::Tensor& weight, const torch::Tensor& rows,
           const torch::Tensor& grads) {
  TORCH_CHECK(weight.dim() == 2 && rows.dim() == 1 && rows.scalar_type() == torch::kLong, name,
              ": expected a weight [R_all, D] and rows [R] int64, got ", weight.sizes(), " and ",
              rows.sizes(), " ", rows.scalar_type());
  TORCH_CHECK(grads.dim() == 2 && grads.size(0) == rows.size(0) && grads.size(1) == weight.size(1),
              name, ": expected gradients [", rows.size(0), ", ", weight.size(1), "], got ",
              grads.sizes());
  TORCH_CHECK(grads.scalar_type() == weight.scalar_type(), name, ": expected gradients of type ",
              weight.scalar_type(), ", got ", grads.scalar_type());
  if (rows.numel() == 0) return;
  const auto [lowest, highest] = at::aminmax(rows);  // [], []
  TORCH_CHECK(lowest.item<int64_t>() >= 0 && highest.item<int64_t>() < weight.size(0), name,
              ": expected rows in [0, ", weight.size(0), "), got rows in [", lowest.item<int64_t>(),
              ", ", highest.item<int64_t>(), "]");
}

bool has_own_loop(const torch::Tensor& weight) {
  return weight.is_contiguous() && has_loop(weight);
}

// Calls body(weight row, gradient row, row index) for every row, each exactly once.
template <class Scalar, class Body>
void for_each_row(const torch::Tensor& weight, const torch::Tensor& rows,
                  const torch::Tensor& grads, const Body& body) {
  const auto row_ids = rows.contiguous();    // [R]
  const auto gradient = grads.contiguous();  // [R, D]
  const int64_t width = weight.size(1);
  auto* w = weight.data_ptr<Scalar>();
  const auto* g = gradient.const_data_ptr<Scalar>();
  const auto* r = row_ids.const_data_ptr<int64_t>();
  at::parallel_for(0, rows.size(0), kGrainRows, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(w + r[i] * width, g + i * width, r[i]);
  });
}

torch::Tensor with_decay(const torch::Tensor& grads, const torch::Tensor& weight_rows,
                         double weight_decay) {
  return weight_decay == 0.0 ? grads : grads + weight_decay * weight_rows;  // [R, D]
}

// Of one loop the one of floats that this machine runs, or else the one of `Scalar`.
template <class Scalar, class OfFloats, class Loop>
auto loop_of_machine([[maybe_unused]] OfFloats* portable, [[maybe_unused]] OfFloats* avx2,
                     [[maybe_unused]] OfFloats* avx512, [[maybe_unused]] Loop* loop) {
  if constexpr (std::is_same_v<Scalar, float>)
    return for_active_simd(portable, avx2, avx512);
  else
    return loop;
}

}  // namespace

std::pair<torch::Tensor, torch::Tensor> sum_rows(const torch::Tensor& ids,
                                                 const torch::Tensor& grads) {
  TORCH_CHECK(ids.dim() == 1 && ids.scalar_type() == torch::kLong && grads.dim() == 2 &&
                  grads.size(0) == ids.size(0),
              "sum_rows: expected ids [E] int64 and gradients [E, D], got ", ids.sizes(), " ",
              ids.scalar_type(), " and ", grads.sizes());
  torch::NoGradGuard no_grad;
  if (!has_own_loop(grads.contiguous())) {
    auto [rows, inverse, counts] = at::_unique2(ids, /*sorted=*/true, /*return_inverse=*/true);
    auto sums = torch::zeros({rows.size(0), grads.size(1)}, grads.options());  // [R, D]
    sums.index_add_(0, inverse, grads);
    return {rows, sums};
  }
  const int64_t num_entries = ids.size(0), width = grads.size(1);
  const auto keys = ids.contiguous();        // [E]
  const auto gradient = grads.contiguous();  // [E, D]
  const auto* id = keys.const_data_ptr<int64_t>();

  std::vector<int64_t> order(num_entries);
  for (int64_t i = 0; i < num_entries; ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [id](int64_t a, int64_t b) { return id[a] != id[b] ? id[a] < id[b] : a < b; });
  std::vector<int64_t> begins;
  for (int64_t i = 0; i < num_entries; ++i)
    if (i == 0 || id[order[i]] != id[order[i - 1]]) begins.push_back(i);
  const auto num_rows = static_cast<int64_t>(begins.size());
  begins.push_back(num_entries);

  auto rows = torch::empty({num_rows}, torch::kLong);            // [R]
  auto sums = torch::empty({num_rows, width}, grads.options());  // [R, D]
  auto* row = rows.data_ptr<int64_t>();
  AT_DISPATCH_FLOATING_TYPES(grads.scalar_type(), "sum_rows", [&] {
    auto* sum = sums.data_ptr<scalar_t>();
    const auto* g = gradient.const_data_ptr<scalar_t>();
    at::parallel_for(0, num_rows, kGrainRows, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        auto* to = sum + r * width;
        row[r] = id[order[begins[r]]];
        std::copy_n(g + order[begins[r]] * width, width, to);
        for (int64_t i = begins[r] + 1; i < begins[r + 1]; ++i) {
          const auto* from = g + order[i] * width;
          for (int64_t d = 0; d < width; ++d) to[d] += from[d];
        }
      }
    });
  });
  return {rows, sums};
}

void subtract_rows(const torch::Tensor& weight, const torch::Tensor& rows,
                   const torch::Tensor& step) {
  check("subtract_rows", weight, rows, step);
  torch::NoGradGuard no_grad;
  if (!has_own_loop(weight)) {
    weight.index_add_(0, rows, step, -1);
    return;
  }
  const int64_t width = weight.size(1);
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "subtract_rows", [&] {
    for_each_row<scalar_t>(weight, rows, step, [width](scalar_t* w, const scalar_t* g, int64_t) {
      for (int64_t d = 0; d < width; ++d) w[d] -= g[d];
    });
  });
}

void row_sgd(const torch::Tensor& weight, const torch::Tensor& rows, const torch::Tensor& grads,
             const RowSgdOptions& options) {
  check("row_sgd", weight, rows, grads);
  torch::NoGradGuard no_grad;
  if (!has_own_loop(weight)) {
    const auto gradient =
        with_decay(grads, weight.index_select(0, rows), options.weight_decay);  // [R, D]
    weight.index_add_(0, rows, gradient, -options.lr);
    return;
  }
  const int64_t width = weight.size(1);
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "row_sgd", [&] {
    const row_detail::Sgd<scalar_t> rule{.lr = static_cast<scalar_t>(options.lr),
                                         .decay = static_cast<scalar_t>(options.weight_decay)};
    const auto descend =
        loop_of_machine<scalar_t>(row_detail::sgd_portable, row_detail::sgd_avx2,
                                  row_detail::sgd_avx512, row_detail::sgd_loop<scalar_t>);
    for_each_row<scalar_t>(weight, rows, grads, [=](scalar_t* w, const scalar_t* g, int64_t) {
      descend(w, g, width, rule);
    });
  });
}

void row_adagrad(const torch::Tensor& weight, const torch::Tensor& state, const torch::Tensor& rows,
                 const torch::Tensor& grads, const RowAdagradOptions& options) {
  check("row_adagrad", weight, rows, grads);
  TORCH_CHECK(state.dim() == 1 && state.size(0) == weight.size(0) &&
                  state.scalar_type() == weight.scalar_type(),
              "row_adagrad: expected state [", weight.size(0), "], got ", state.sizes());
  torch::NoGradGuard no_grad;
  if (!has_own_loop(weight) || !state.is_contiguous()) {
    const auto gradient =
        with_decay(grads, weight.index_select(0, rows), options.weight_decay);  // [R, D]
    state.index_add_(0, rows, gradient.square().mean(1));
    const auto scale = state.index_select(0, rows).sqrt().add(options.eps);  // [R]
    weight.index_add_(0, rows, gradient / scale.unsqueeze(1), -options.lr);
    return;
  }
  const int64_t width = weight.size(1);
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "row_adagrad", [&] {
    auto* accumulated = state.data_ptr<scalar_t>();
    const row_detail::Adagrad<scalar_t> rule{.lr = static_cast<scalar_t>(options.lr),
                                             .eps = static_cast<scalar_t>(options.eps),
                                             .decay = static_cast<scalar_t>(options.weight_decay)};
    const auto descend =
        loop_of_machine<scalar_t>(row_detail::adagrad_portable, row_detail::adagrad_avx2,
                                  row_detail::adagrad_avx512, row_detail::adagrad_loop<scalar_t>);
    for_each_row<scalar_t>(weight, rows, grads, [=](scalar_t* w, const scalar_t* g, int64_t row) {
      descend(w, accumulated + row, g, width, rule);
    });
  });
}

void row_lazy_adam(const torch::Tensor& weight, const torch::Tensor& moment1,
                   const torch::Tensor& moment2, const torch::Tensor& rows,
                   const torch::Tensor& grads, int64_t step, const LazyAdamOptions& options) {
  check("row_lazy_adam", weight, rows, grads);
  for (const auto* moment : {&moment1, &moment2})
    TORCH_CHECK(moment->sizes() == weight.sizes() && moment->scalar_type() == weight.scalar_type(),
                "row_lazy_adam: expected moments ", weight.sizes(), ", got ", moment->sizes());
  TORCH_CHECK(step >= 1, "row_lazy_adam: expected a step of 1 or more, got ", step);
  torch::NoGradGuard no_grad;
  const double correction1 = 1.0 - std::pow(options.beta1, static_cast<double>(step));
  const double correction2 = 1.0 - std::pow(options.beta2, static_cast<double>(step));
  const double rate = options.lr / correction1;
  const double unbias = 1.0 / std::sqrt(correction2);
  if (!has_own_loop(weight) || !moment1.is_contiguous() || !moment2.is_contiguous()) {
    const auto gradient =
        with_decay(grads, weight.index_select(0, rows), options.weight_decay);         // [R, D]
    const auto m = moment1.index_select(0, rows).lerp(gradient, 1.0 - options.beta1);  // [R, D]
    const auto v =
        moment2.index_select(0, rows).lerp(gradient.square(), 1.0 - options.beta2);  // [R, D]
    moment1.index_copy_(0, rows, m);
    moment2.index_copy_(0, rows, v);
    weight.index_add_(0, rows, m / (v.sqrt() * unbias + options.eps), -rate);
    return;
  }
  const int64_t width = weight.size(1);
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "row_lazy_adam", [&] {
    auto* first = moment1.data_ptr<scalar_t>();
    auto* second = moment2.data_ptr<scalar_t>();
    const row_detail::LazyAdam<scalar_t> rule{.lr = static_cast<scalar_t>(rate),
                                              .beta1 = static_cast<scalar_t>(options.beta1),
                                              .rest1 = static_cast<scalar_t>(1.0 - options.beta1),
                                              .beta2 = static_cast<scalar_t>(options.beta2),
                                              .rest2 = static_cast<scalar_t>(1.0 - options.beta2),
                                              .eps = static_cast<scalar_t>(options.eps),
                                              .decay = static_cast<scalar_t>(options.weight_decay),
                                              .root_scale = static_cast<scalar_t>(unbias)};
    const auto descend =
        loop_of_machine<scalar_t>(row_detail::lazy_adam_portable, row_detail::lazy_adam_avx2,
                                  row_detail::lazy_adam_avx512,
                                  row_detail::lazy_adam_loop<scalar_t>);
    for_each_row<scalar_t>(weight, rows, grads, [=](scalar_t* w, const scalar_t* g, int64_t row) {
      descend(w, first + row * width, second + row * width, g, width, rule);
    });
  });
}

}  // namespace reckon
