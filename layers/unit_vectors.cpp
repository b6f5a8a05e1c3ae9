#include "layers/unit_vectors.h"

namespace reckon {

torch::Tensor unit_vectors(const torch::Tensor& vectors) {
  // Keeps the direction of a zero vector at zero instead of dividing by nothing.
  constexpr double kSmallestNorm = 1e-12;
  const auto norm = at::linalg_vector_norm(vectors, 2, -1, /*keepdim=*/true);  // [..., 1]
  return vectors / norm.clamp_min(kSmallestNorm);                              // [..., D]
}

}  // namespace reckon
