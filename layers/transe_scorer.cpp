#include "layers/transe_scorer.h"

#include "layers/relation_vectors.h"
#include "layers/unit_vectors.h"

namespace reckon {

void TranseScorer::Options::describe(Schema<Options>& schema) {
  schema.field("norm", &Options::norm).one_of({1, 2}).doc("Of the distance: 1 or 2.");
  schema.field("normalize", &Options::normalize)
      .doc("Compare entities divided by their lengths, so that none can escape by growing.");
}

TranseScorer::TranseScorer(const Options& options, const Deps& deps)
    : options_(options),
      relations_(
          register_parameter("relations", draw_relation_vectors(deps.num_relations, deps.width))) {}

torch::Tensor TranseScorer::forward(const torch::Tensor& heads, const torch::Tensor& relations,
                                    const torch::Tensor& tails) {
  const auto h = options_.normalize ? unit_vectors(heads) : heads;    // [n, M, D]
  const auto t = options_.normalize ? unit_vectors(tails) : tails;    // [n, M, D]
  const auto r = relations_.index_select(0, relations).unsqueeze(1);  // [n, 1, D]
  return -at::linalg_vector_norm(h + r - t, options_.norm, -1);       // [n, M]
}

}  // namespace reckon
