#include "layers/direct_au_objective.h"

#include <algorithm>

#include "layers/objective_terms.h"
#include "layers/sum_in_chunks.h"
#include "layers/unit_vectors.h"

namespace reckon {

namespace {

// Pairs whose distances are held at once.
constexpr int64_t kPairsAtOnce = int64_t{1} << 20;

// log mean_(p < q) exp(-2 |x_p - x_q|^2).   Shapes   x [P, D], P > 1 -> []
torch::Tensor spread(const torch::Tensor& x) {
  const auto num_rows = x.size(0);
  ChunkedSum sum;
  sum.rows = {x};
  sum.whole = {x};
  sum.part = [](const std::vector<torch::Tensor>& rows, const std::vector<torch::Tensor>& whole,
                int64_t begin) {
    const auto& a = rows[0];
    const auto& b = whole[0];
    const auto distances = squared_norm(a).unsqueeze(1) + squared_norm(b) -
                           2.0 * at::matmul(a, b.transpose(0, 1));  // [p, P]
    const auto own = at::arange(begin, begin + a.size(0), torch::kLong)
                         .unsqueeze(1)
                         .eq(at::arange(b.size(0), torch::kLong))
                         .to(a.device());                          // [p, P]
    return at::exp(-2.0 * distances).masked_fill(own, 0.0).sum();  // []
  };
  // Each pair is met twice.
  const auto pairs = static_cast<double>(num_rows) * static_cast<double>(num_rows - 1);
  return at::log(sum_in_chunks(sum, std::max<int64_t>(1, kPairsAtOnce / num_rows)) / pairs);
}

}  // namespace

void DirectAuObjective::Options::describe(Schema<Options>& schema) {
  schema.field("gamma", &Options::gamma)
      .at_least(0.0)
      .doc("Weight of the uniformity of users and items beside their alignment.");
}

LossParts DirectAuObjective::forward(const ObjectiveInput& input) {
  const auto users = unit_vectors(input.users.vectors);      // [P, D]
  const auto targets = unit_vectors(input.targets.vectors);  // [P, D]
  auto parts = weighted_sum(squared_norm(users - targets), input.weights);
  if (users.size(0) > 1)
    parts.sum = parts.sum +
                (0.5 * options_.gamma * parts.weight) * (spread(users) + spread(targets));  // []
  return parts;
}

}  // namespace reckon
