#include "models/gf_cf.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "kernels/randomized_svd.h"
#include "kernels/row_pairs.h"
#include "models/interaction_matrix.h"

namespace reckon {

void GfCf::Options::describe(Schema<Options>& schema) {
  schema.field("alpha", &Options::alpha)
      .at_least(0.0)
      .doc("Weight of the ideal low-pass filter beside the linear one.");
  schema.field("factors", &Options::factors)
      .must_be_in(1, 65536)
      .doc("Singular vectors of the ideal filter; no more than there are users or items.");
  schema.field("iterations", &Options::iterations)
      .at_least(0)
      .doc("Passes of the randomized decomposition; more come closer to the exact one.");
  schema.field("neighbors", &Options::neighbors)
      .at_least(0)
      .doc("Elements of the linear filter that are kept of each item; 0: all.");
}

namespace {
int64_t rank_of(const GfCf::Options& options, const Model::Deps& deps) {
  return std::min({options.factors, deps.num_items, deps.num_users});
}
}  // namespace

GfCf::GfCf(const Options& options, const Deps& deps)
    : ItemWeightsModel(deps),
      options_(options),
      inputs_(register_buffer("inputs", torch::zeros({deps.num_items, rank_of(options, deps)}))),
      outputs_(register_buffer("outputs", torch::zeros({deps.num_items, rank_of(options, deps)}))) {
}

double GfCf::fit(const Interactions& train, const Context& context) {
  TORCH_CHECK(train.num_items == num_items(), "gf_cf: made for ", num_items(),
              " items, got data of ", train.num_items);
  auto users = interaction_matrix(train);
  const auto of_users = users.offsets.diff();                                      // [U]
  const auto columns = users.columns.to(torch::kLong);                             // [E]
  const auto of_items = at::bincount(columns, {}, num_items()).to(torch::kFloat);  // [I]
  const auto user_scale = of_users.to(torch::kFloat).clamp_min(1).rsqrt();         // [U]
  const auto item_scale = of_items.clamp_min(1).rsqrt();                           // [I]
  users.values = user_scale.repeat_interleave(of_users) * item_scale.index_select(0, columns);
  const auto items = transpose(users, num_items());
  weights_->fill(most_similar_rows<PairProduct>(items, users, options_.neighbors,
                                                [](int64_t, int64_t, const PairProduct& sums) {
                                                  return sums.product;
                                                }));
  const auto found =
      randomized_svd(users, num_items(),
                     {.rank = inputs_.size(1), .iterations = options_.iterations}, context.seed);
  inputs_.copy_(found.vectors * item_scale.unsqueeze(1));                         // [I, D]
  outputs_.copy_(found.vectors * of_items.sqrt().unsqueeze(1) * options_.alpha);  // [I, D]
  return std::numeric_limits<double>::quiet_NaN();
}

State GfCf::encode(const Batch& request) {
  const auto items = distinct_items(request.at(batch_key::kHistory));  // [B, T]
  return {{items, sum_of_vectors(inputs_, items)}};                    // [B, T], [B, D]
}

torch::Tensor GfCf::score_all(const State& state) {
  const auto linear = weights_->score_all({{state.tensors[0]}});  // [B, I]
  return linear + state.tensors[1].matmul(outputs_.t());          // [B, I]
}

torch::Tensor GfCf::summands(const State& state, const torch::Tensor& items) const {
  const auto& history = state.tensors[0];                                // [B, T]
  const auto inputs = at::embedding(inputs_, history.clamp_min(0));      // [B, T, D]
  const auto outputs = outputs_.index_select(0, items).unsqueeze(2);     // [B, D, 1]
  const auto ideal = inputs.matmul(outputs).squeeze(2) * history.ge(0);  // [B, T]
  return weights_->summands({{history}}, items) + ideal;                 // [B, T]
}

void GfCf::check_buffers() const {
  weights_->check_buffers();
  if (!inputs_.isfinite().all().item<bool>() || !outputs_.isfinite().all().item<bool>())
    throw std::invalid_argument("gf_cf: a vector holds NaN or infinity");
}

}  // namespace reckon
