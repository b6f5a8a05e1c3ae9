#pragma once

#include "layers/embedding_table.h"
#include "layers/scorer.h"

namespace reckon {

/// Inner product of user state and item vector, with biases on request.
///
///   score = <u, i> / temperature + item_bias[i] + user_bias[u] + global_bias
/// With `normalize`, <u, i> is the cosine. Biases start at zero. With `dropout`, elements of u are left
/// out in training, behind the normalisation: another mask at each call.
class DotScorer : public Scorer {
 public:
  struct Options {
    bool item_bias = false;
    bool user_bias = false;
    bool global_bias = false;
    bool normalize = false;
    double temperature = 1.0;
    double dropout = 0.0;
    static void describe(Schema<Options>& schema);
  };

  /// Throws std::invalid_argument when user_bias is asked for and users have no ids.
  DotScorer(const Options& options, const Deps& deps);

  torch::Tensor forward(const ScorerSide& users, const ScorerSide& items) override;
  bool is_inner_product() const override { return true; }
  torch::Tensor query_form(const ScorerSide& users) override;
  InnerProduct item_form(const ScorerSide& items) override;
  torch::Tensor query_parts(const torch::Tensor& parts, const torch::Tensor& whole) override;
  torch::Tensor query_bias(const ScorerSide& users) override;

  /// Whether scores are <u, i>, with item biases at most.
  bool is_plain() const {
    return !options_.user_bias && !options_.global_bias && !options_.normalize &&
           options_.temperature == 1.0 && options_.dropout == 0.0;
  }
  /// A view of the trained biases of items, undefined when there are none.   Shapes  -> [I]
  torch::Tensor item_biases() const;

 private:
  torch::Tensor user_vectors(const torch::Tensor& vectors) const;
  torch::Tensor item_vectors(const torch::Tensor& vectors) const;
  // Item bias and global bias of `ids` [...] -> [...], undefined when the options have neither.
  torch::Tensor bias_of(const torch::Tensor& ids) const;

  Options options_;
  EmbeddingTable item_bias_{nullptr};
  EmbeddingTable user_bias_{nullptr};
  torch::Tensor global_bias_;
};

}  // namespace reckon
