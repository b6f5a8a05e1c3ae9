#include "layers/distmult_scorer.h"

#include "layers/relation_vectors.h"
#include "layers/unit_vectors.h"

namespace reckon {

void DistmultScorer::Options::describe(Schema<Options>& schema) {
  schema.field("normalize", &Options::normalize)
      .doc("Multiply entities divided by their lengths, so that none wins by growing.");
}

DistmultScorer::DistmultScorer(const Options& options, const Deps& deps)
    : options_(options),
      relations_(
          register_parameter("relations", draw_relation_vectors(deps.num_relations, deps.width))) {}

torch::Tensor DistmultScorer::forward(const torch::Tensor& heads, const torch::Tensor& relations,
                                      const torch::Tensor& tails) {
  const auto h = options_.normalize ? unit_vectors(heads) : heads;    // [n, M, D]
  const auto t = options_.normalize ? unit_vectors(tails) : tails;    // [n, M, D]
  const auto r = relations_.index_select(0, relations).unsqueeze(1);  // [n, 1, D]
  return (h * r * t).sum(-1);                                         // [n, M]
}

}  // namespace reckon
