#include "models/item_sets.h"

#include <cmath>
#include <numbers>

#include "core/ids.h"
#include "core/random.h"
#include "kernels/softmax_cross_entropy.h"

namespace reckon {

void ItemSetModel::register_output(const EmbeddingTable& output, const EmbeddingTable& bias,
                                   bool draws_noise) {
  output_ = register_module("output", output);
  output_bias_ = register_module("output_bias", bias);
  if (draws_noise)
    noise_seed_ =
        register_buffer("noise_seed", torch::randint(int64_t{1} << 62, {1}, torch::kLong));  // [1]
}

State ItemSetModel::encode(const Batch& request) {
  const auto ids = distinct_items(request.at(batch_key::kHistory));  // [B, T]
  // An empty history has no state; zero leaves the biases, never a NaN.
  const auto any = ids.ne(kPaddingId).any(1).unsqueeze(-1);  // [B, 1]
  return {{state_of(ids) * any}};                            // [B, D]
}

torch::Tensor ItemSetModel::score(const State& state, const torch::Tensor& candidates) {
  const auto vectors = output_->lookup(candidates);                           // [B, C, D]
  const auto products = at::matmul(vectors, state.tensors[0].unsqueeze(-1));  // [B, C, 1]
  return (products + output_bias_->lookup(candidates)).squeeze(-1);           // [B, C]
}

std::optional<Factors> ItemSetModel::factors() {
  return Factors{.items = output_->all(), .item_bias = output_bias_->all().squeeze(1)};
}

torch::Tensor ItemSetModel::queries(const State& state) {
  return state.tensors[0].unsqueeze(1);  // [B, 1, D]
}

Needs ItemSetModel::needs() const {
  Needs needs;
  needs.examples = Needs::Examples::kSets;
  needs.max_length = RequestNeeds::kWholeHistory;
  needs.users = noise_seed_.defined();
  return needs;
}

Learnable::Represented ItemSetModel::represent(const Batch& shard,
                                               const std::vector<torch::Tensor>&) {
  Represented out;
  out.fixed = {distinct_items(shard.at(batch_key::kHistory)), shard.find(batch_key::kUsers)};
  return out;
}

torch::Tensor ItemSetModel::cross_entropy(const torch::Tensor& queries, const torch::Tensor& ids,
                                          bool trains_output) const {
  // One softmax serves all items of a user: it is weighted by their number and told one of them as the
  // target; what the others' scores differ by is added.
  const auto counted = ids.ne(kPaddingId).to(queries.scalar_type());  // [B, T]
  const auto sizes = counted.sum(1);                                  // [B]
  auto differences = counted.clone();                                 // [B, T]
  differences.select(1, -1).sub_(sizes);
  torch::Tensor items, biases, sums, bias_sums;
  {
    const torch::AutoGradMode grad(trains_output && torch::GradMode::is_enabled());
    items = output_->all();                                   // [I, D]
    biases = output_bias_->all().squeeze(1);                  // [I]
    sums = output_->sum_of_rows(ids, differences);            // [B, D]
    bias_sums = output_bias_->sum_of_rows(ids, differences);  // [B, 1]
  }
  return softmax_cross_entropy(queries, items, biases, ids.select(1, -1).contiguous(), sizes) -
         (queries * sums).sum() - bias_sums.sum();  // []
}

torch::Tensor ItemSetModel::drawn(const torch::Tensor& mean, const torch::Tensor& log_variance,
                                  const torch::Tensor& users, int64_t step_number,
                                  double noise_scale) const {
  if (!is_training()) return mean;
  return mean + noise_scale * at::exp(0.5 * log_variance) *
                    normal_noise(users, mean.size(1),
                                 static_cast<uint64_t>(noise_seed_.item<int64_t>()), step_number,
                                 mean.options());  // [B, D]
}

torch::Tensor normal_noise(const torch::Tensor& users, int64_t width, uint64_t seed,
                           int64_t step_number, const torch::TensorOptions& options) {
  auto out = torch::empty({users.size(0), width}, torch::kFloat);  // [B, width]
  const auto ids = users.cpu().contiguous();                       // [B]
  const auto* user = ids.const_data_ptr<int64_t>();
  auto* value = out.data_ptr<float>();
  const RandomKey key(seed, RandomStream::kMask, static_cast<uint64_t>(step_number));
  for (int64_t row = 0; row < ids.numel(); ++row) {
    const auto own = key.child(static_cast<uint64_t>(user[row]));
    // Box and Muller: two independent uniform numbers make two normal ones.
    for (int64_t d = 0; d < width; d += 2) {
      const auto radius =
          std::sqrt(-2.0F * std::log(1.0F - random_uniform_float(own, static_cast<uint64_t>(d))));
      const auto angle = 2.0F * std::numbers::pi_v<float> *
                         random_uniform_float(own, static_cast<uint64_t>(d) + 1);
      value[row * width + d] = radius * std::cos(angle);
      if (d + 1 < width) value[row * width + d + 1] = radius * std::sin(angle);
    }
  }
  return out.to(options);  // [B, width]
}

}  // namespace reckon
