#pragma once

#include <memory>

#include "export/exported_file.h"
#include "models/model.h"

namespace reckon {

/// An exported file behind the interface of a model, so that an evaluator can rank with it as it
/// does with the model that it was made from. It scores and cannot learn.
class ExportedModel : public Model {
 public:
  explicit ExportedModel(std::shared_ptr<const ExportedFile> file) : file_(std::move(file)) {}

  const ExportedFile& file() const { return *file_; }

  RequestNeeds request_needs() const override;
  Contract contract() const override;
  int64_t num_items() const override { return file_->description().num_items; }
  State encode(const Batch& request) override;
  torch::Tensor usable(const Batch& request) override;
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return file_->description().scores_all; }
  torch::Tensor score_all(const State& state) override { return file_->score_all(state.tensors); }
  std::optional<Factors> factors() override;
  torch::Tensor queries(const State& state) override;
  torch::Tensor query_bias(const State& state) override { return file_->query_bias(state.tensors); }
  std::optional<torch::Tensor> item_vectors() override { return file_->item_vectors(); }

 private:
  std::shared_ptr<const ExportedFile> file_;
};

}  // namespace reckon
