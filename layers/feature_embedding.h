#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"
#include "layers/embedding_table.h"
#include "layers/mlp.h"
#include "layers/number_transform.h"

namespace reckon {

/// How the vectors of several features become one.
enum class FeatureFusion { kSum, kConcat };

template <>
struct EnumNames<FeatureFusion> {
  static std::vector<std::pair<std::string, FeatureFusion>> all() {
    return {{"sum", FeatureFusion::kSum}, {"concat", FeatureFusion::kConcat}};
  }
};

/// One vector for what is known of a user or an item: categories, lists of them, numbers.
///
/// Every value of a feature has a vector of width D, and so has not knowing it (kUnknownId), which
/// begins at zero. A feature is the vector of its value; the mean of the vectors in a list; a number
/// as NumberTransform weighs it. sum: the features are added up, as LightFM does (Kula, "Metadata
/// Embeddings for User and Item Cold-start Recommendations", CBRecSys 2015). concat: they stand side
/// by side and go through an MLP and a linear layer to width D (Covington, Adams, Sargin, "Deep Neural
/// Networks for YouTube Recommendations", RecSys 2016).
/// Shapes   codes [n, L] int64, the categorical features side by side, each of its own length, filled
///          up with kPaddingId; numbers [n, M] float64 -> [n, D]
class FeatureEmbeddingImpl : public torch::nn::Module {
 public:
  /// A categorical feature, or a number where `length` is 0. Features stand in the order of the config.
  struct Feature {
    int64_t length = 0;      ///< Codes of one row.
    int64_t num_values = 0;  ///< Codes go from 0 to below this, beside kUnknownId and kPaddingId.
  };
  struct Options {
    FeatureFusion fusion = FeatureFusion::kSum;
    std::vector<int64_t> hidden_units;  ///< Of concat; none: the linear layer alone.
    EmbeddingInit init;
    bool sparse = false;
  };

  /// `numbers` has one transform for each feature of length 0, in their order.
  FeatureEmbeddingImpl(const Options& options, const std::vector<Feature>& features,
                       const std::vector<NumberTransform>& numbers, int64_t width);

  torch::Tensor forward(const torch::Tensor& codes, const torch::Tensor& numbers);

 private:
  /// Rows of the table and their weights; both [n, length of the feature].
  struct Weighted {
    torch::Tensor rows, weights;
  };
  std::vector<Weighted> weighted(const torch::Tensor& codes, const torch::Tensor& numbers) const;

  Options options_;
  std::vector<Feature> features_;
  std::vector<int64_t> first_row_;  // by feature: where not knowing it stands, its values behind
  EmbeddingTable table_{nullptr};
  torch::nn::ModuleList numbers_;
  Mlp hidden_{nullptr};
  torch::nn::Linear output_{nullptr};
};
TORCH_MODULE(FeatureEmbedding);

}  // namespace reckon
