#pragma once

#include <torch/types.h>

#include <cstdint>

namespace reckon {

/// Facts (head, relation, tail) about entities, the first of which are the items: entity i is item i for
/// i below the number of items.
///
/// Shapes   F facts, each once, ordered by relation, then head, then tail.
struct Triples {
  int64_t num_entities = 0;
  int64_t num_relations = 0;
  torch::Tensor heads;      // [F] int64
  torch::Tensor relations;  // [F] int64
  torch::Tensor tails;      // [F] int64

  int64_t size() const { return heads.defined() ? heads.size(0) : 0; }
};

}  // namespace reckon
