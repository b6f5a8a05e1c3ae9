#include "models/feature_table.h"

#include <torch/utils.h>

#include <algorithm>
#include <map>

#include "core/ids.h"
#include "kernels/tracing.h"

namespace reckon {
namespace {

// Rows whose vectors are made together: what lies between codes and vectors stays small.
constexpr int64_t kBlock = 65536;

std::vector<ColumnContent> contents_of(const FeatureOptions& options,
                                       const FeatureTableImpl::Deps& deps) {
  const auto requests = options.requests(deps.option);
  return deps.columns ? deps.columns(deps.role, requests)
                      : missing_contents(requests, deps.num_rows);
}

}  // namespace

FeatureTableImpl::FeatureTableImpl(const FeatureOptions& options, const Deps& deps)
    : width_(deps.width) {
  const auto contents = contents_of(options, deps);
  encoding_ = FeatureEncoding(options.columns, contents, deps.counted);
  const auto rows = encoding_.encode(contents);
  TORCH_CHECK(rows.codes.size(0) == deps.num_rows, "FeatureTable: expected ", deps.num_rows,
              " rows, got ", rows.codes.size(0));
  known_ =
      register_buffer("known", FeatureEncoding::tells_anything(rows.codes, rows.numbers));  // [R]
  const auto nobody = encoding_.encode(std::vector<std::map<std::string, std::string>>(1));
  codes_ = register_buffer("codes",
                           torch::cat({rows.codes, nobody.codes}).to(torch::kInt));   // [R + 1, L]
  numbers_ = register_buffer("numbers", torch::cat({rows.numbers, nobody.numbers}));  // [R + 1, M]

  std::vector<FeatureEmbeddingImpl::Feature> features;
  std::vector<NumberTransform> transforms;
  for (size_t i = 0; i < options.columns.size(); ++i) {
    const auto& column = encoding_.columns()[i];
    features.push_back({.length = column.length, .num_values = column.vocabulary.size()});
    if (column.length > 0) continue;
    const auto number = rows.numbers.select(1, static_cast<int64_t>(transforms.size()));  // [R]
    transforms.push_back(NumberTransform(options.columns[i].transform_or_default(),
                                         options.columns[i].num_buckets_or_default(),
                                         number.masked_select(deps.counted)));
  }
  embedding_ = register_module(
      "embedding",
      FeatureEmbedding(FeatureEmbeddingImpl::Options{.fusion = options.fusion,
                                                     .hidden_units = options.hidden_units,
                                                     .init = options.init,
                                                     .sparse = options.sparse},
                       features, transforms, deps.width));
}

torch::Tensor FeatureTableImpl::rows(const torch::Tensor& ids) {
  const auto num_rows = codes_.size(0);
  const auto places = ids.masked_fill(ids.eq(kUnknownId), num_rows - 1).clamp_min(0);  // [...]
  const auto is_valid = ids.ne(kPaddingId).unsqueeze(-1);                              // [..., 1]
  // More ids than there are rows: each row once, and then only gathered.
  if (!is_tracing() && ids.numel() > num_rows)
    return at::embedding(block(0, num_rows), places) * is_valid;  // [..., D]
  const auto flat = places.flatten();                             // [n]
  const auto out = embedding_->forward(codes_.index_select(0, flat).to(torch::kLong),
                                       numbers_.index_select(0, flat));  // [n, D]
  auto sizes = std::vector<int64_t>(static_cast<size_t>(ids.dim()), -1);
  sizes.push_back(width_);
  // A view as wide as the result: whatever a trace saw, the sizes are those of `ids`.
  return out.view_as(is_valid.expand(sizes)) * is_valid;  // [..., D]
}

torch::Tensor FeatureTableImpl::all() { return block(0, codes_.size(0) - 1); }  // [R, D]

torch::Tensor FeatureTableImpl::block(int64_t begin, int64_t end) {
  std::vector<torch::Tensor> parts;
  for (; begin < end; begin += kBlock) {
    const auto stop = std::min(begin + kBlock, end);
    parts.push_back(embedding_->forward(codes_.slice(0, begin, stop).to(torch::kLong),
                                        numbers_.slice(0, begin, stop)));  // [b, D]
  }
  return parts.size() == 1 ? parts[0] : torch::cat(parts);  // [end - begin, D]
}

torch::Tensor FeatureTableImpl::vectors(const torch::Tensor& codes, const torch::Tensor& numbers) {
  return embedding_->forward(codes, numbers);  // [n, D]
}

}  // namespace reckon
