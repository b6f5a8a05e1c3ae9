#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>

#include "layers/sequence_encoder.h"

namespace reckon {

struct RecurrentOptions {
  int64_t num_layers = 1;
  int64_t hidden = 0;
  double dropout = 0.0;
  static void describe(Schema<RecurrentOptions>& schema);
};

/// Layers of a recurrent network over the history; a linear map leads back to the model's width where
/// the state has another. Dropout is put between layers and behind the last.
///
/// Padded steps do not touch the state: valid steps are moved together before the network runs and
/// back to their places after it.
class RecurrentEncoder : public SequenceEncoder {
 public:
  enum class Cell { kGru, kLstm };

  RecurrentEncoder(Cell cell, const RecurrentOptions& options, const Deps& deps);

  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid) override;
  OutputSpec output_spec() const override { return {.width = width_}; }

 private:
  Cell cell_;
  double dropout_;
  int64_t width_;
  int64_t hidden_;
  torch::nn::ModuleList layers_;
  torch::nn::Linear output_{nullptr};  // only when hidden is not the width
};

/// Gated recurrent units (Cho et al., EMNLP 2014), as GRU4Rec uses them (Hidasi et al., ICLR 2016).
class GruEncoder : public RecurrentEncoder {
 public:
  using Options = RecurrentOptions;
  GruEncoder(const Options& options, const Deps& deps)
      : RecurrentEncoder(Cell::kGru, options, deps) {}
};

/// Long short-term memory (Hochreiter, Schmidhuber, Neural Computation 1997).
class LstmEncoder : public RecurrentEncoder {
 public:
  using Options = RecurrentOptions;
  LstmEncoder(const Options& options, const Deps& deps)
      : RecurrentEncoder(Cell::kLstm, options, deps) {}
};

}  // namespace reckon
