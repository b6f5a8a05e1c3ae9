#pragma once

#include <memory>

#include "datasets/graph.h"
#include "layers/triples.h"
#include "models/typed_edges.h"

namespace reckon {

/// Whether a relation says something of items, whose nodes are `items`: a fact of a knowledge graph or an
/// attribute, and not one of them the other way round.
bool is_of_items(const Relation& relation, NodeRange items);

/// What the relations of a graph say of items, as triples: those of knowledge graphs and of attributes of
/// items, without those that are others the other way round. Entity e is node U + e of the graph.
/// Null when `graph` is null or has no such relation.
std::shared_ptr<const Triples> triples_of(const Graph* graph);

/// Every edge as a fact about nodes, entity n being node n: who hears is the head.
std::shared_ptr<const Triples> triples_of(const TypedEdges& edges);

}  // namespace reckon
