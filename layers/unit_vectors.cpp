#include "layers/unit_vectors.h"

namespace reckon {

torch::Tensor norms_of(const torch::Tensor& vectors) {
  // Keeps the direction of a zero vector at zero instead of dividing by nothing.
  constexpr double kSmallestNorm = 1e-12;
  const auto norm = at::linalg_vector_norm(vectors, 2, -1, /*keepdim=*/true);  // [..., 1]
  return norm.clamp_min(kSmallestNorm);                                        // [..., 1]
}

torch::Tensor unit_vectors(const torch::Tensor& vectors) {
  return vectors / norms_of(vectors);  // [..., D]
}

}  // namespace reckon
