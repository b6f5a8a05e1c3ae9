#pragma once

#include <memory>

#include "datasets/graph.h"
#include "layers/triples.h"

namespace reckon {

/// What the relations of a graph say of items, as triples: those of knowledge graphs and of attributes of
/// items, without those that are others the other way round. Entity e is node U + e of the graph.
/// Null when `graph` is null or has no such relation.
std::shared_ptr<const Triples> triples_of(const Graph* graph);

}  // namespace reckon
