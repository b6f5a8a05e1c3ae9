#pragma once

#include <torch/nn/modules/linear.h>

#include "layers/embedding_table.h"
#include "layers/mlp.h"
#include "models/item_sets.h"

namespace reckon {

/// A user's set of items squeezed through a network that gives it back as probabilities of all items
/// (Liang, Krishnan, Hoffman, Jebara, "Variational Autoencoders for Collaborative Filtering", WWW
/// 2018): denoising, or with `variational` a variational autoencoder.
///
///   h = act(b + sum_(i in S) mask[i] row[i] / sqrt |S|), further layers
///   z ~ N(mean(h), noise_scale^2 var(h))
///   log p(i) = log_softmax_i( <decode(z), out[i]> + bias[i] )
///   loss(S) = -sum_(i in S) log p(i) + beta(step) KL( N(mean, var) || N(0, 1) )
///   beta(step) = kl_weight * min(1, step / anneal_steps)
/// The denoising kind has z = act(mean(h)) and no KL. Nobody is stored: whoever has a history is
/// folded in, z then being the mean. An item that a history repeats counts once. The input is a sum of
/// rows and the output a fused softmax, so that no [B, I] is ever made.
/// Shapes   I items, H first hidden width: two tables [I, H]
class Autoencoder : public ItemSetModel {
 public:
  struct Options {
    std::vector<int64_t> hidden_units = {600};
    int64_t latent = 200;
    Activation activation = Activation::kTanh;
    double dropout = 0.5;
    bool variational = true;
    double kl_weight = 0.2;
    int64_t anneal_steps = 10000;
    double noise_scale = 1.0;
    static void describe(Schema<Options>& schema);
  };

  Autoencoder(const Options& options, const Deps& deps);

  LossParts loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                 int64_t step_number) override;

 private:
  struct Latent {
    torch::Tensor mean;          // [B, latent]
    torch::Tensor log_variance;  // [B, latent], undefined without `variational`
  };
  // `ids` name each item once, else kPaddingId.   Shapes   ids [B, T]
  Latent to_latent(const torch::Tensor& ids);
  // Shapes   z [B, latent] -> [B, H]
  torch::Tensor decode(const torch::Tensor& z);
  torch::Tensor state_of(const torch::Tensor& ids) override { return decode(to_latent(ids).mean); }

  Options options_;
  EmbeddingTable input_{nullptr};  // [I, H]
  torch::Tensor input_bias_;       // [H]
  Mlp encoder_{nullptr};           // layers behind the first, if there are any
  torch::nn::Linear mean_{nullptr};
  torch::nn::Linear log_variance_{nullptr};
  Mlp decoder_{nullptr};
};

}  // namespace reckon
