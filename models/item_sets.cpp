#include "models/item_sets.h"

#include <cmath>
#include <numbers>

#include "core/ids.h"
#include "core/random.h"
#include "kernels/softmax_cross_entropy.h"

namespace reckon {

torch::Tensor set_cross_entropy(const torch::Tensor& queries, const torch::Tensor& ids,
                                const EmbeddingTable& output, const EmbeddingTable& bias,
                                bool trains_output) {
  // One softmax serves all items of a user: it is weighted by their number and told one of them as the
  // target; what the others' scores differ by is added.
  const auto counted = ids.ne(kPaddingId).to(queries.scalar_type());  // [B, T]
  const auto sizes = counted.sum(1);                                  // [B]
  auto differences = counted.clone();                                 // [B, T]
  differences.select(1, -1).sub_(sizes);
  torch::Tensor items, biases, sums, bias_sums;
  {
    const torch::AutoGradMode grad(trains_output && torch::GradMode::is_enabled());
    items = output->all();                            // [I, D]
    biases = bias->all().squeeze(1);                  // [I]
    sums = output->sum_of_rows(ids, differences);     // [B, D]
    bias_sums = bias->sum_of_rows(ids, differences);  // [B, 1]
  }
  return softmax_cross_entropy(queries, items, biases, ids.select(1, -1).contiguous(), sizes) -
         (queries * sums).sum() - bias_sums.sum();  // []
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
