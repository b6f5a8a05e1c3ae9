#include "kernels/rating_sgd_loops.h"

namespace reckon::rating_detail {

double factor_sgd_avx2(const RatingRows& ratings, const FactorTables& tables,
                       const FactorRates& rates) {
  return factor_sgd_loop(ratings, tables, rates);
}

double factor_pp_sgd_avx2(const RatingRows& ratings, const FactorTables& tables, float* implicit,
                          const FactorRates& rates, float* scratch) {
  return factor_pp_sgd_loop(ratings, tables, implicit, rates, scratch);
}

}  // namespace reckon::rating_detail
