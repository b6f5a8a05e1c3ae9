#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <string>
#include <utility>
#include <vector>

#include "layers/feed_forward.h"
#include "layers/norm.h"
#include "layers/self_attention.h"
#include "layers/sequence_encoder.h"

namespace reckon {

/// How a block joins a branch f (attention or feed-forward) to what flows past it.
enum class ResidualKind { kPlain, kGated, kSasrec };

template <>
struct EnumNames<ResidualKind> {
  static std::vector<std::pair<std::string, ResidualKind>> all() {
    return {{"plain", ResidualKind::kPlain},
            {"gated", ResidualKind::kGated},
            {"sasrec", ResidualKind::kSasrec}};
  }
};

enum class NormPlace { kPre, kPost };

template <>
struct EnumNames<NormPlace> {
  static std::vector<std::pair<std::string, NormPlace>> all() {
    return {{"pre", NormPlace::kPre}, {"post", NormPlace::kPost}};
  }
};

/// A left-to-right transformer over the history.
///
/// Each block runs two branches f, self-attention and a feed-forward network:
///   plain, norm pre    x + drop(f(norm(x)))
///   plain, norm post   norm(x + drop(f(x)))        (Vaswani et al., NeurIPS 2017)
///   gated              the same with sigmoid(W x) * drop(f(.)) in place of drop(f(.))
///                      (LiGR; Borisyuk et al., "From Features to Transformers", 2025)
///   sasrec             q = norm(x), x' = q + attention(q, x, x); y = norm(x'),
///                      y + drop(feed_forward(y))   (Kang, McAuley, ICDM 2018)
class TransformerEncoder : public SequenceEncoder {
 public:
  struct Options {
    int64_t num_blocks = 2;
    int64_t num_heads = 1;
    int64_t hidden = 0;
    double dropout = 0.2;
    double attention_dropout = 0.0;
    FeedForwardKind activation = FeedForwardKind::kGelu;
    ResidualKind residual = ResidualKind::kPlain;
    NormPlace norm = NormPlace::kPre;
    NormKind norm_type = NormKind::kLayer;
    double norm_eps = 1e-8;
    bool final_norm = true;
    bool attend_padding = false;
    static void describe(Schema<Options>& schema);
  };

  /// Throws std::invalid_argument when num_heads does not divide the width.
  TransformerEncoder(const Options& options, const Deps& deps);

  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid) override;
  OutputSpec output_spec() const override { return {.width = width_}; }

 private:
  int64_t width_;
  int64_t num_places_;  // 0 when empty places are not attended
  torch::nn::ModuleList blocks_;
  Norm final_norm_{nullptr};
};

/// One block of a TransformerEncoder.
///
/// Shapes   x [B, T, D] -> [B, T, D]
class TransformerBlockImpl : public torch::nn::Module {
 public:
  TransformerBlockImpl(const TransformerEncoder::Options& options, int64_t width);
  torch::Tensor forward(const torch::Tensor& x, const AttentionMask& mask);

 private:
  torch::Tensor join(const torch::Tensor& x, const torch::Tensor& branch,
                     torch::nn::Linear& gate) const;

  TransformerEncoder::Options options_;
  Norm attention_norm_{nullptr};
  Norm feed_forward_norm_{nullptr};
  SelfAttention attention_{nullptr};
  FeedForward feed_forward_{nullptr};
  torch::nn::Linear attention_gate_{nullptr};     // only for kGated
  torch::nn::Linear feed_forward_gate_{nullptr};  // only for kGated
};
TORCH_MODULE(TransformerBlock);

}  // namespace reckon
