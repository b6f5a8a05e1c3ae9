#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>

namespace reckon {

/// A node and one that stood in its window.
struct SkipGramPair {
  int32_t center = 0;
  int32_t context = 0;
};

/// One step of stochastic gradient descent on the loss of skip-gram with negative sampling for each pair,
/// one after the other, in place (Mikolov et al., "Distributed Representations of Words and Phrases and
/// their Compositionality", NIPS 2013): of center v, context c and negatives n,
///
///   loss = -log sigmoid(<vectors[v], contexts[c]>) - sum_n log sigmoid(-<vectors[v], contexts[n]>)
///
/// A negative that is the context itself is left out. Contexts move one after the other, each away from
/// the vector as it was before the pair; the vector moves last, by the sum.
///
/// Several threads may call it on the same tables at once without locks, as bpr_update().
///
/// Shapes   vectors [N, D], contexts [N, D] float32 with contiguous rows; as many negatives for each pair
/// Returns  the sum of the losses, each from before its step
/// Throws   c10::Error on other types or shapes. Ids are the caller's to keep within the tables.
double skip_gram_update(const torch::Tensor& vectors, const torch::Tensor& contexts,
                        std::span<const SkipGramPair> pairs, std::span<const int32_t> negatives,
                        double lr);

}  // namespace reckon
