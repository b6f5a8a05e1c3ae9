#pragma once

#include "models/item_weights.h"
#include "models/similarity.h"

namespace reckon {

/// Item-based neighbourhood: what is like what the user chose (Sarwar et al., WWW 2001; Deshpande,
/// Karypis, TOIS 2004).
///
/// score(u, j) = sum over the items i of u of similarity(i, j), where j is one of the `neighbors` most
/// similar items of i, or i one of those of j.
class ItemKnn : public Model, public Fittable {
 public:
  /// Whose neighbours are counted.
  enum class NeighborsOf { kHistory, kCandidate };

  struct Options {
    int64_t neighbors = 200;
    NeighborsOf neighbors_of = NeighborsOf::kHistory;
    SimilarityOptions similarity;
    static void describe(Schema<Options>& schema);
  };

  ItemKnn(const Options& options, const Deps& deps);

  double fit(const Interactions& train, const Context& context) override;

  RequestNeeds request_needs() const override { return weights_->request_needs(); }
  Contract contract() const override { return {.new_user_with_history = true}; }
  int64_t num_items() const override { return weights_->num_items(); }
  State encode(const Batch& request) override { return weights_->encode(request); }
  torch::Tensor score(const State& state, const torch::Tensor& candidates) override;
  bool can_score_all() const override { return true; }
  torch::Tensor score_all(const State& state) override { return weights_->score_all(state); }
  torch::Tensor usable(const Batch& request) override { return weights_->usable(request); }
  void check_buffers() const override { weights_->check_buffers("item_knn"); }
  Fittable* fittable() override { return this; }

 private:
  Options options_;
  ItemWeights weights_;
};

template <>
struct EnumNames<ItemKnn::NeighborsOf> {
  static std::vector<std::pair<std::string, ItemKnn::NeighborsOf>> all() {
    return {{"history", ItemKnn::NeighborsOf::kHistory},
            {"candidate", ItemKnn::NeighborsOf::kCandidate}};
  }
};

}  // namespace reckon
