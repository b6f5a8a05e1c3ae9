#include "kernels/bpr_update.h"

#include "kernels/bpr_update_loop.h"
#include "kernels/cpu_features.h"

namespace reckon {

namespace {

void check_table(const char* name, const torch::Tensor& table) {
  TORCH_CHECK(table.dim() == 2 && table.is_contiguous() && table.is_cpu() &&
                  table.scalar_type() == torch::kFloat,
              "bpr_update: expected ", name, " [rows, D] float32, contiguous on the CPU, got ",
              table.sizes(), " ", table.scalar_type());
}

}  // namespace

double bpr_update(const torch::Tensor& users, const torch::Tensor& items,
                  const torch::Tensor& item_bias, std::span<const BprSample> samples, double lr,
                  double l2) {
  check_table("users", users);
  check_table("items", items);
  TORCH_CHECK(users.size(1) == items.size(1), "bpr_update: users are ", users.size(1),
              " wide, items ", items.size(1));
  TORCH_CHECK(!item_bias.defined() ||
                  (item_bias.numel() == items.size(0) && item_bias.is_contiguous() &&
                   item_bias.scalar_type() == torch::kFloat),
              "bpr_update: expected a float32 bias for each of ", items.size(0), " items");
  static_assert(sizeof(BprSample) == 3 * sizeof(int32_t), "the loops read them as triples");
  const bpr_detail::Tables tables{users.data_ptr<float>(), items.data_ptr<float>(),
                                  item_bias.defined() ? item_bias.data_ptr<float>() : nullptr,
                                  users.size(1)};
  const auto* triples = reinterpret_cast<const int32_t*>(samples.data());
  const auto count = static_cast<int64_t>(samples.size());
  const auto rate = static_cast<float>(lr), decay = static_cast<float>(l2);
  return for_active_simd(bpr_detail::update_portable, bpr_detail::update_avx2,
                         bpr_detail::update_avx512)(tables, triples, count, rate, decay);
}

}  // namespace reckon
