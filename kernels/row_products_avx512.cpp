#include "kernels/row_products.h"

namespace reckon::row_detail {

void dot_rows_avx512(const float* query, const float* table, const int64_t* ids, int64_t count,
                     int64_t width, float* out) {
  dot_rows_loop(query, table, ids, count, width, out);
}

void add_rows_avx512(const float* query, const float* table, const int64_t* ids,
                     const float* values, int64_t count, int64_t width, float* sum,
                     float* gradient) {
  add_rows_loop(query, table, ids, values, count, width, sum, gradient);
}

}  // namespace reckon::row_detail
