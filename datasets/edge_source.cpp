#include "datasets/edge_source.h"

#include <set>

namespace reckon {
namespace {

template <class Options>
void describe_self_loops(Schema<Options>& s) {
  s.field("self_loops", &Options::self_loops).doc("Edges from a node to itself.");
}

template <class Options>
void describe_repeated(Schema<Options>& s) {
  s.field("repeated", &Options::repeated)
      .doc("Rows that stood before: they are one edge, and counted, or an error.");
}

template <class Options>
void describe_reverse(Schema<Options>& s) {
  s.field("reverse", &Options::reverse)
      .doc("Make a relation for the other direction too; it is called rev_ and the name of this.");
}

}  // namespace

void InteractionEdges::Options::describe(Schema<Options>& s) {
  s.field("weights", &Options::weights)
      .doc(
          "What an edge weighs: none, all the same; count, how often the pair stands in training; "
          "rating, the last rating of the pair; weight, the sum of its weights.");
}

void TripleEdges::Options::describe(Schema<Options>& s) {
  s.field("relations", &Options::relations)
      .doc("The relations that are known; empty: all that the files have.");
  s.field("entities", &Options::entities)
      .doc("The entities that are known: any, or the items alone.");
  s.field("min_count", &Options::min_count)
      .positive()
      .doc("A relation of fewer different triples is left out, and counted.");
  s.field("unknown", &Options::unknown)
      .doc("Triples of a relation or an entity that is not known.");
  describe_self_loops(s);
  describe_repeated(s);
  describe_reverse(s);
  s.field("shuffle", &Options::shuffle)
      .at_least(0)
      .doc(
          "A seed by which the tails of each relation change places among its triples: as many "
          "edges at "
          "every node, and nothing left of what they said. For a control beside an experiment.");
}

void AttributeEdges::Options::describe(Schema<Options>& s) {
  s.field("of", &Options::of).doc("Whose attribute it is.");
  s.field("column", &Options::column)
      .required()
      .non_empty()
      .doc("Column of the table; each different value is a node.");
  s.field("separator", &Options::separator)
      .doc("What stands between several values in one cell; empty: a cell is one value.");
  s.field("min_count", &Options::min_count)
      .positive()
      .doc("A value that fewer have is left out, and counted.");
  describe_reverse(s);
}

void FriendEdges::Options::describe(Schema<Options>& s) {
  s.field("directed", &Options::directed)
      .doc("Whether a row is one direction alone; else who is a friend has a friend.");
  s.field("unknown", &Options::unknown).doc("Rows with a user who has no interactions.");
  describe_self_loops(s);
  describe_repeated(s);
  s.field("reverse", &Options::reverse)
      .doc(
          "Of directed friends: make a relation for the other direction too; it is called "
          "rev_friends.");
}

void GraphOptions::describe(Schema<GraphOptions>& s) {
  s.field("edges", &GraphOptions::edges)
      .required()
      .non_empty()
      .doc("What becomes edges, the first of them `{type: interactions}`.");
  s.invariant("edges", "must begin with {type: interactions}", [](const GraphOptions& o) {
    return o.edges.empty() || !o.edges.front() || o.edges.front().type() == "interactions";
  });
  s.invariant("edges", "must not name the same edges twice", [](const GraphOptions& o) {
    std::set<std::string> seen;
    for (const auto& edges : o.edges) {
      if (!edges) continue;
      auto name = edges.type();
      if (const auto* attribute = edges.options_as<AttributeEdges::Options>())
        name += std::to_string(static_cast<int>(attribute->of)) + attribute->column;
      if (!seen.insert(name).second) return false;
    }
    return true;
  });
}

}  // namespace reckon
