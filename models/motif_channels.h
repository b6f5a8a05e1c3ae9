#pragma once

#include <cstdint>

#include "kernels/sparse_rows.h"

namespace reckon {

struct MotifOptions {
  int64_t common_items = 2;     ///< That two strangers need to be a pair.
  int64_t max_strangers = 256;  ///< Of each user, those with the most in common; 0: all.
};

/// Who hears whom in triangles of users and items, each [U, U], counting triangles.
struct MotifChannels {
  SparseRows social;    ///< Three users who know each other.
  SparseRows joint;     ///< Two users who know each other and an item of both.
  SparseRows purchase;  ///< Two users who do not, and an item of both.
};

/// The adjacency that motifs induce (Yu et al., "Self-Supervised Multi-Channel Hypergraph Convolutional
/// Network for Social Recommendation", WWW 2021, table 1): with R users by items, S users by whom they
/// name, B = S * S^T (both ways), V = S - B (one way), * by element,
///
///   M1 = (V V) * V^T                                       + transposed
///   M2 = (B V) * V^T + (V B) * V^T + (V V) * B             + transposed
///   M3 = (B B) * V + (B V) * B + (V B) * B                 + transposed
///   M4 = (B B) * B
///   M5 = (V V) * V + (V V^T) * V + (V^T V) * V             + transposed
///   M6 = (V B) * V + (B V^T) * V^T + (V^T V) * B
///   M7 = (V^T B) * V^T + (B V) * V + (V V^T) * B
///   M8 = (R R^T) * B,   M9 = (R R^T) * V + transposed,   M10 = R R^T - M8 - M9
///
/// social = M1 + .. + M7, joint = M8 + M9, purchase = M10 without the pair of a user with itself. Of M10
/// pairs with fewer than `common_items` are left out, as in the authors' program with 2, and all but the
/// `max_strangers` largest of a row: it alone could come to U^2 elements. Others have no more than S + S^T.
/// Work is that of friends of friends, and of pairs of users for each item.
MotifChannels motif_channels(const SparseRows& friends, const SparseRows& interactions,
                             int64_t num_items, const MotifOptions& options);

}  // namespace reckon
