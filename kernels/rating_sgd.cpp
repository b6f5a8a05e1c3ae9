#include "kernels/rating_sgd.h"

#include <vector>

#include "kernels/cpu_features.h"

namespace reckon {
namespace {

double mean_of(double sum, const RatingRows& ratings) {
  return sum / static_cast<double>(ratings.user_offsets[ratings.num_users]);
}

}  // namespace

double factor_sgd_epoch(const RatingRows& ratings, const FactorTables& tables,
                        const FactorRates& rates) {
  using namespace rating_detail;
  const auto loop = for_active_simd(factor_sgd_portable, factor_sgd_avx2, factor_sgd_avx512);
  return mean_of(loop(ratings, tables, rates), ratings);
}

double factor_pp_sgd_epoch(const RatingRows& ratings, const FactorTables& tables, float* implicit,
                           const FactorRates& rates) {
  using namespace rating_detail;
  std::vector<float> scratch(static_cast<size_t>(2 * tables.width));
  const auto loop =
      for_active_simd(factor_pp_sgd_portable, factor_pp_sgd_avx2, factor_pp_sgd_avx512);
  return mean_of(loop(ratings, tables, implicit, rates, scratch.data()), ratings);
}

}  // namespace reckon
