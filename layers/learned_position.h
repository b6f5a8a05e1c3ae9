#pragma once

#include "layers/embedding_table.h"
#include "layers/position.h"

namespace reckon {

/// A trained vector for each distance from the newest item.
///
/// Shapes   weight [max_length, D]; row 0 belongs to the newest item
class LearnedPosition : public Position {
 public:
  struct Options {
    EmbeddingInit init;
    static void describe(Schema<Options>& schema);
  };

  LearnedPosition(const Options& options, const Deps& deps);
  torch::Tensor forward(const torch::Tensor& x) override;

 private:
  torch::Tensor weight_;
};

}  // namespace reckon
