#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include "layers/embedding_table.h"

namespace reckon {

/// A set of items to a normal distribution, through layers each of which sees all before it (Shenbin,
/// Alekseev, Tutubalina, Malykh, Nikolenko, "RecVAE", WSDM 2020):
///
///   x = mask[i] / sqrt |S| for i in S, else 0
///   h_1 = norm( swish(W_1 x + b_1) ),  h_l = norm( swish(W_l h_(l-1) + b_l + sum_(k < l) h_k) )
///   mean = A h_L + a,  log_variance = C h_L + c
/// with swish(v) = v sigmoid(v) and layer normalisation. W_1 x is a sum of rows of a table: no [B, I]
/// is made.
/// Shapes   ids [B, T] int64, each item of a row once, else kPaddingId -> [B, latent] each
class DenseSetEncoderImpl : public torch::nn::Module {
 public:
  struct Options {
    int64_t num_items = 0;
    int64_t hidden = 600;
    int64_t num_layers = 5;
    int64_t latent = 200;
  };
  struct Output {
    torch::Tensor mean, log_variance;  // [B, latent] each
  };

  explicit DenseSetEncoderImpl(const Options& options);

  /// `dropout` is the probability that an item of the set is left out while training.
  Output forward(const torch::Tensor& ids, double dropout);

 private:
  EmbeddingTable input_{nullptr};  // [I, H]
  torch::Tensor input_bias_;       // [H]
  torch::nn::ModuleList layers_;   // of H to H
  torch::nn::ModuleList norms_;
  torch::nn::Linear mean_{nullptr}, log_variance_{nullptr};
};
TORCH_MODULE(DenseSetEncoder);

}  // namespace reckon
