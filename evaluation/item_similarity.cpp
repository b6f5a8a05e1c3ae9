#include "evaluation/item_similarity.h"

#include <array>
#include <cmath>

namespace reckon {

namespace {

// Eight sums side by side: one sum alone would have to be added up in order, one number at a time.
double dot(const float* a, const float* b, int64_t width) {
  constexpr int64_t kLanes = 8;
  std::array<double, kLanes> sums{};
  int64_t d = 0;
  for (; d + kLanes <= width; d += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane)
      sums[lane] += static_cast<double>(a[d + lane]) * static_cast<double>(b[d + lane]);
  double sum =
      ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  for (; d < width; ++d) sum += static_cast<double>(a[d]) * static_cast<double>(b[d]);
  return sum;
}

// Of two ascending lists.
int64_t num_common(std::span<const int32_t> a, std::span<const int32_t> b) {
  int64_t count = 0;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i] == b[j]) ++count;
    const bool advances_a = a[i] <= b[j];
    if (a[i] >= b[j]) ++j;
    if (advances_a) ++i;
  }
  return count;
}

}  // namespace

ItemSimilarity::ItemSimilarity(Kind kind, const Reranker::Deps& deps) {
  if (kind == Kind::kCategories)
    categories_ = require_categories(deps);
  else
    vectors_ = require_unit_vectors(deps);  // [I, D]
}

void ItemSimilarity::cosines(int64_t item, std::span<const int64_t> others,
                             std::span<double> out) const {
  if (categories_ != nullptr) {
    const auto own = categories_->of(item);
    for (size_t i = 0; i < others.size(); ++i) {
      const auto other = categories_->of(others[i]);
      const auto sizes = static_cast<double>(own.size()) * static_cast<double>(other.size());
      out[i] = sizes == 0.0 ? 0.0 : static_cast<double>(num_common(own, other)) / std::sqrt(sizes);
    }
    return;
  }
  const auto width = vectors_.size(1);
  const float* vectors = vectors_.const_data_ptr<float>();
  for (size_t i = 0; i < others.size(); ++i)
    out[i] = dot(vectors + item * width, vectors + others[i] * width, width);
}

}  // namespace reckon
