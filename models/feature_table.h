#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <string>

#include "datasets/column_source.h"
#include "models/feature_encoding.h"

namespace reckon {

/// The features of all items, or of all users, and the vectors that are made of them.
///
/// What the table of the data says is held as buffers, row = dense id: batches carry ids alone, and an
/// exported file needs no second one.
/// Shapes   D = width
class FeatureTableImpl : public torch::nn::Module {
 public:
  /// What only the running program knows. Without `columns`, nothing is known of anybody.
  struct Deps {
    TableRole role = TableRole::kItems;
    int64_t num_rows = 0;
    int64_t width = 0;
    std::string option;  ///< Where the options stand: `model.item.features`.
    ColumnSource columns = nullptr;
    torch::Tensor counted;  // [num_rows] bool: the rows that values are learnt from
  };

  /// Throws   what Deps::columns throws.
  FeatureTableImpl(const FeatureOptions& options, const Deps& deps);

  /// Zero for padding; of an unknown id every feature is unknown.
  /// Shapes   ids [...] int64 -> [..., D]
  torch::Tensor rows(const torch::Tensor& ids);

  /// Shapes   -> [num_rows, D]
  torch::Tensor all();

  /// Of somebody who is in no table.
  /// Shapes   as FeatureEncoding::Rows -> [n, D]
  torch::Tensor vectors(const torch::Tensor& codes, const torch::Tensor& numbers);

  /// Of whom the table tells anything.   Shapes  -> [num_rows] bool
  const torch::Tensor& known() const { return known_; }

  const FeatureEncoding& encoding() const { return encoding_; }

 private:
  // Rows [begin, end) of the buffers.
  torch::Tensor block(int64_t begin, int64_t end);

  FeatureEncoding encoding_;
  FeatureEmbedding embedding_{nullptr};
  int64_t width_;
  torch::Tensor codes_;    // [R + 1, L] int32, the last row of whom nothing is known
  torch::Tensor numbers_;  // [R + 1, M] float64
  torch::Tensor known_;    // [R] bool
};
TORCH_MODULE(FeatureTable);

}  // namespace reckon
