#include "layers/relation_vectors.h"

#include <cmath>

#include "layers/unit_vectors.h"

namespace reckon {

torch::Tensor draw_relation_vectors(int64_t num_relations, int64_t width) {
  const double bound = 6.0 / std::sqrt(static_cast<double>(width));
  return unit_vectors(torch::empty({num_relations, width}).uniform_(-bound, bound));  // [R, D]
}

}  // namespace reckon
