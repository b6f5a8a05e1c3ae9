#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/random.h"
#include "core/schema.h"
#include "layers/objective_terms.h"
#include "layers/triple_scorer.h"
#include "layers/triples.h"

namespace reckon {

/// Draws facts that hold and makes others of them, which do not: the head or the tail is another entity.
/// A corrupted fact that holds is drawn again, up to 16 times: there may be no other.
class FactSampler {
 public:
  /// Which end is replaced: either with even chances, always the tail, or more often the one of which a
  /// relation has fewer for each of the others.
  enum class Corrupt { kHeadOrTail, kTail, kBernoulli };

  /// Facts and what was made of them.
  struct Drawn {
    torch::Tensor facts;  // [n] int64, places in the triples
    torch::Tensor heads;  // [n, N] int64 entities of the corrupted facts
    torch::Tensor tails;  // [n, N] int64
  };

  /// Facts by their entities, each with those behind it that were made of it.
  struct Facts {
    torch::Tensor heads;      // [n, 1 + N] int64
    torch::Tensor relations;  // [n] int64
    torch::Tensor tails;      // [n, 1 + N] int64
  };

  FactSampler() = default;
  FactSampler(std::shared_ptr<const Triples> triples, Corrupt corrupt, int64_t negatives);

  /// Draws `count` facts and corrupts each: a function of the key.
  /// Throws   c10::Error when there are no triples.
  Drawn draw(int64_t count, const RandomKey& key) const;

  /// The same, by entities and where the loss is computed.
  Facts facts(int64_t count, const RandomKey& key, const torch::Device& device) const;

 private:
  bool holds(int64_t head, int64_t relation, int64_t tail) const;

  std::shared_ptr<const Triples> triples_;
  int64_t negatives_ = 1;
  std::vector<double> head_share_;  // by relation: how often the head is the one to be replaced
};

/// |h|^2 + |t|^2 + mean_n |e_n|^2 of each fact, e_n being the entity that is new in a corrupted one.
/// Shapes   head_rows, tail_rows [n, 1 + N, D] -> [n]
torch::Tensor squared_lengths(const FactSampler::Facts& facts, const torch::Tensor& head_rows,
                              const torch::Tensor& tail_rows);

/// What facts are worth to an objective, of which `per_target` are drawn for each target:
///
///   sum_p w_p mean_t( losses + l2 / 2 squared_lengths )
///
/// Shapes   rows_of [...] int64 -> [..., D]; losses of scores [n] that hold and [n, N] corrupted -> [n]
LossParts loss_of_facts(const ObjectiveInput& input, const FactSampler& sampler, int64_t per_target,
                        double l2, TripleScorer& scorer,
                        const std::function<torch::Tensor(const torch::Tensor&)>& rows_of,
                        const std::function<torch::Tensor(const torch::Tensor& holds,
                                                          const torch::Tensor& corrupted)>& losses);

/// Declares the keys of an objective that draws facts: its Options have members of these names.
template <class Options>
void describe_facts(Schema<Options>& schema) {
  schema.field("triples", &Options::triples)
      .must_be_in(1, 1000)
      .doc("Facts drawn for each target of the step.");
  schema.field("negatives", &Options::negatives)
      .must_be_in(1, kMaxNegatives)
      .doc("Corrupted facts drawn for each fact.");
  schema.field("corrupt", &Options::corrupt)
      .doc(
          "What is replaced: head or tail with even chances, always the tail, or (bernoulli) more "
          "often the one of which a relation has fewer for each of the others.");
  schema.field("l2", &Options::l2)
      .at_least(0.0)
      .doc(
          "Half of this times the squared length of the entities' vectors is added for each fact.");
}

template <>
struct EnumNames<FactSampler::Corrupt> {
  using Corrupt = FactSampler::Corrupt;
  static std::vector<std::pair<std::string, Corrupt>> all() {
    return {{"head_or_tail", Corrupt::kHeadOrTail},
            {"tail", Corrupt::kTail},
            {"bernoulli", Corrupt::kBernoulli}};
  }
};

}  // namespace reckon
