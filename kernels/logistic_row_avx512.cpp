#include "kernels/logistic_row.h"

namespace reckon::logistic_detail {

RowLoss logistic_row_avx512(float* row, const float* bias, float chosen, int64_t count) {
  return logistic_row_loop<16>(row, bias, chosen, count);
}

WeightedRowLoss weighted_logistic_row_avx512(float* row, const float* bias, float chosen,
                                             const RowWeights& weights, int64_t count) {
  return weighted_logistic_row_loop<16>(row, bias, chosen, weights, count);
}

}  // namespace reckon::logistic_detail
