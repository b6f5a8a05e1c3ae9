#include "models/mhcn_propagation.h"

#include <cmath>

#include "layers/initialize.h"

namespace reckon {

void MhcnPropagation::Options::describe(Schema<Options>& schema) {
  schema.field("layers", &Options::layers).must_be_in(1, 16).doc("Steps along every channel.");
  schema.field("common_items", &Options::common_items)
      .must_be_in(1, 1'000'000)
      .doc("Items that two users who do not know each other need in common to hear each other.");
  schema.field("max_strangers", &Options::max_strangers)
      .must_be_in(0, 1'000'000)
      .doc("The most of such users that one hears, those with the most in common; 0: all.");
}

MhcnPropagation::MhcnPropagation(const Options& options, const Deps& deps)
    : SocialPropagation(deps), options_(options) {
  const auto graph = social_graph(deps);
  const auto motifs = motif_channels(graph.friends, graph.interactions, num_items(),
                                     {.common_items = options.common_items,
                                      .max_strangers = options.max_strangers});
  channels_ = {NeighbourMeans(motifs.social, num_users()),
               NeighbourMeans(motifs.joint, num_users()),
               NeighbourMeans(motifs.purchase, num_users())};
  history_ = NeighbourMeans(graph.interactions, num_items());
  audience_ = NeighbourMeans(transpose(graph.interactions, num_items()), num_users());
  gates_ = register_module("gates", torch::nn::ModuleList());
  for (size_t gate = 0; gate <= kChannels; ++gate) {
    torch::nn::Linear linear(width(), width());
    xavier_uniform(linear);
    gates_->push_back(linear);
  }
  attention_map_ =
      register_module("attention_map",
                      torch::nn::Linear(torch::nn::LinearOptions(width(), width()).bias(false)));
  xavier_uniform(attention_map_);
  const double bound = std::sqrt(6.0 / static_cast<double>(width() + 1));
  attention_ =
      register_parameter("attention", torch::empty({width()}).uniform_(-bound, bound));  // [D]
}

void MhcnPropagation::move_graph(const torch::Device& device) {
  for (auto& channel : channels_) channel = channel.to(device);
  history_ = history_.to(device);
  audience_ = audience_.to(device);
}

std::vector<UserChannel> MhcnPropagation::channels() const {
  std::vector<UserChannel> channels;
  for (const auto& channel : channels_)
    channels.emplace_back([&channel](const torch::Tensor& x) { return channel.of(x); });
  return channels;
}

torch::Tensor MhcnPropagation::gated(size_t gate, const torch::Tensor& users) {
  return users * at::sigmoid(gates_[gate]->as<torch::nn::Linear>()->forward(users));  // [U, D]
}

torch::Tensor MhcnPropagation::attended(const OfChannels& vectors) {
  // <a, W x> = <W^T a, x>: a product of vectors for each user in place of one with the matrix.
  const auto asked = attention_.matmul(attention_map_->weight);  // [D]
  std::vector<torch::Tensor> scores;
  for (const auto& x : vectors) scores.push_back(x.matmul(asked));  // [U]
  const auto shares = at::softmax(at::stack(scores, 1), 1);         // [U, 3]
  auto sum = vectors[0] * shares.select(1, 0).unsqueeze(1);         // [U, D]
  for (size_t c = 1; c < kChannels; ++c)
    sum = sum + vectors[c] * shares.select(1, static_cast<int64_t>(c)).unsqueeze(1);  // [U, D]
  return sum;
}

std::pair<torch::Tensor, torch::Tensor> MhcnPropagation::mixed(const torch::Tensor& users,
                                                               const torch::Tensor& items) {
  OfChannels layer, sums;
  for (size_t c = 0; c < kChannels; ++c) layer[c] = sums[c] = gated(c, users);  // [U, D]
  auto plain = gated(kChannels, users), sum_of_plain = plain;                   // [U, D]
  auto heard = items, sum_of_items = items;                                     // [I, D]
  for (int64_t l = 0; l < options_.layers; ++l) {
    const auto told = attended(layer) + 0.5 * plain;  // [U, D]
    for (size_t c = 0; c < kChannels; ++c) {
      layer[c] = channels_[c].of(layer[c]);  // [U, D]
      sums[c] = sums[c] + layer[c];          // [U, D]
    }
    plain = history_.of(heard);           // [U, D]
    heard = audience_.of(told);           // [I, D]
    sum_of_plain = sum_of_plain + plain;  // [U, D]
    sum_of_items = sum_of_items + heard;  // [I, D]
  }
  const double share = 1.0 / static_cast<double>(options_.layers + 1);
  for (auto& sum : sums) sum = sum * share;                                    // [U, D]
  return {attended(sums) + 0.5 * share * sum_of_plain, share * sum_of_items};  // [U, D], [I, D]
}

}  // namespace reckon
