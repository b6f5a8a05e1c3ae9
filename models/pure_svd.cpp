#include "models/pure_svd.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "kernels/randomized_svd.h"
#include "models/interaction_matrix.h"

namespace reckon {

void PureSvd::Options::describe(Schema<Options>& schema) {
  schema.field("factors", &Options::factors)
      .must_be_in(1, 65536)
      .doc("Singular vectors that are kept; no more than there are users or items.");
  schema.field("iterations", &Options::iterations)
      .at_least(0)
      .doc("Passes of the randomized decomposition; more come closer to the exact one.");
}

PureSvd::PureSvd(const Options& options, const Deps& deps)
    : options_(options),
      num_items_(deps.num_items),
      vectors_(register_buffer(
          "vectors", torch::zeros({deps.num_items,
                                   std::min({options.factors, deps.num_items, deps.num_users})}))) {
}

double PureSvd::fit(const Interactions& train, const Context& context) {
  TORCH_CHECK(train.num_items == num_items_, "pure_svd: made for ", num_items_,
              " items, got data of ", train.num_items);
  const auto found =
      randomized_svd(interaction_matrix(train), num_items_,
                     {.rank = vectors_.size(1), .iterations = options_.iterations}, context.seed);
  vectors_.copy_(found.vectors);
  return std::numeric_limits<double>::quiet_NaN();
}

State PureSvd::encode(const Batch& request) {
  return {{sum_of_vectors(vectors_, distinct_items(request.at(batch_key::kHistory)))}};  // [B, D]
}

torch::Tensor PureSvd::score(const State& state, const torch::Tensor& candidates) {
  const auto items = vectors_.index({candidates});                // [B, C, D]
  return items.matmul(state.tensors[0].unsqueeze(2)).squeeze(2);  // [B, C]
}

torch::Tensor PureSvd::queries(const State& state) { return state.tensors[0].unsqueeze(1); }

Explanation PureSvd::contributions(const Batch& request, const torch::Tensor& items) {
  const auto history = distinct_items(request.at(batch_key::kHistory));  // [B, T]
  const auto rows = at::embedding(vectors_, history.clamp_min(0));       // [B, T, D]
  const auto candidates = vectors_.index_select(0, items).unsqueeze(2);  // [B, D, 1]
  return {.sources = history,
          .contributions = rows.matmul(candidates).squeeze(2) * history.ge(0),
          .rest = at::zeros_like(items, torch::kFloat)};
}

void PureSvd::check_buffers() const {
  if (!vectors_.isfinite().all().item<bool>())
    throw std::invalid_argument("pure_svd: a vector holds NaN or infinity");
}

}  // namespace reckon
