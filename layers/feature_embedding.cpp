#include "layers/feature_embedding.h"

#include <torch/utils.h>

#include <limits>

#include "core/ids.h"
#include "layers/initialize.h"

namespace reckon {

FeatureEmbeddingImpl::FeatureEmbeddingImpl(const Options& options,
                                           const std::vector<Feature>& features,
                                           const std::vector<NumberTransform>& numbers,
                                           int64_t width)
    : options_(options), features_(features) {
  TORCH_CHECK(!features.empty(), "FeatureEmbedding: expected at least one feature");
  numbers_ = register_module("numbers", torch::nn::ModuleList());
  int64_t num_rows = 0;
  for (const auto& feature : features) {
    first_row_.push_back(num_rows);
    auto num_values = feature.num_values;
    if (feature.length == 0) {
      TORCH_CHECK(numbers_->size() < numbers.size(), "FeatureEmbedding: got ", numbers.size(),
                  " transforms for more numbers than that");
      const auto& transform = numbers[numbers_->size()];
      num_values = transform->num_rows();
      numbers_->push_back(transform);
    }
    num_rows += 1 + num_values;
  }
  TORCH_CHECK(numbers_->size() == numbers.size(), "FeatureEmbedding: got ", numbers.size(),
              " transforms for ", numbers_->size(), " numbers");
  table_ =
      register_module("table", EmbeddingTable(EmbeddingTableImpl::Options{.num_rows = num_rows,
                                                                          .width = width,
                                                                          .sparse = options.sparse,
                                                                          .init = options.init}));
  // Where training misses no value, not knowing it must say nothing.
  auto unknown =
      torch::full({num_rows, width}, std::numeric_limits<double>::quiet_NaN());  // [R, D]
  for (const auto row : first_row_) unknown.select(0, row).zero_();
  table_->load_rows(unknown);
  if (options.fusion == FeatureFusion::kSum) return;
  auto last = static_cast<int64_t>(features.size()) * width;
  if (!options.hidden_units.empty()) {
    hidden_ = register_module("hidden",
                              Mlp(MlpImpl::Options{.hidden_units = options.hidden_units}, last));
    last = options.hidden_units.back();
  }
  output_ = register_module("output", torch::nn::Linear(last, width));
  xavier_uniform(output_);
}

std::vector<FeatureEmbeddingImpl::Weighted> FeatureEmbeddingImpl::weighted(
    const torch::Tensor& codes, const torch::Tensor& numbers) const {
  std::vector<Weighted> out;
  int64_t begin = 0;
  int64_t number = 0;
  for (size_t f = 0; f < features_.size(); ++f) {
    const auto first_value = first_row_[f] + 1;
    const auto length = features_[f].length;
    if (length == 0) {
      const auto transformed =
          numbers_->ptr<NumberTransformImpl>(number)->forward(numbers.select(1, number));
      ++number;
      out.push_back({(transformed.rows + first_value).unsqueeze(1),
                     transformed.weights.unsqueeze(1)});  // [n, 1]
      continue;
    }
    const auto own = codes.slice(1, begin, begin + length);  // [n, L_f]
    begin += length;
    const auto is_padding = own.eq(kPaddingId);             // [n, L_f]
    const auto is_value = is_padding.logical_not();         // [n, L_f]
    const auto count = is_value.sum(1, true).clamp_min(1);  // [n, 1]
    out.push_back({(own + first_value).masked_fill(is_padding, kPaddingId),
                   is_value.to(torch::kFloat) / count});  // [n, L_f]
  }
  return out;
}

torch::Tensor FeatureEmbeddingImpl::forward(const torch::Tensor& codes,
                                            const torch::Tensor& numbers) {
  const auto features = weighted(codes, numbers);
  if (options_.fusion == FeatureFusion::kSum) {
    std::vector<torch::Tensor> rows, weights;
    for (const auto& feature : features) {
      rows.push_back(feature.rows);
      weights.push_back(feature.weights);
    }
    return table_->sum_of_rows(torch::cat(rows, 1), torch::cat(weights, 1));  // [n, D]
  }
  std::vector<torch::Tensor> vectors;
  for (const auto& feature : features)
    vectors.push_back(table_->sum_of_rows(feature.rows, feature.weights));  // [n, D]
  auto x = torch::cat(vectors, 1);                                          // [n, F * D]
  if (!hidden_.is_empty()) x = hidden_->forward(x);
  return output_->forward(x);  // [n, D]
}

}  // namespace reckon
