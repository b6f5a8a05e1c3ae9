#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/catalog.h"
#include "datasets/graph.h"

namespace reckon {

class EdgeMaker;

/// What is done with an edge, or a row, that cannot simply be taken.
enum class Unknown { kRefuse, kSkip };
enum class SelfLoops { kRefuse, kDrop, kKeep };
enum class Repeated { kMerge, kRefuse };

/// One kind of things that become edges of a graph.
class EdgeSource {
 public:
  using Kind = EdgeSource;
  static constexpr const char* kKind = "edges";
  struct Deps {};

  virtual ~EdgeSource() = default;
  virtual EdgeKind kind() const = 0;

  /// Reads what the edges are made of and puts them into a graph.
  /// Throws   DataError when the files hold what the options do not forgive.
  virtual void make(EdgeMaker& maker) const = 0;
};

/// Users and the items they interacted with in the training part, and in no other.
class InteractionEdges : public EdgeSource {
 public:
  struct Options {
    enum class Weights { kNone, kCount, kRating, kWeight };
    Weights weights = Weights::kNone;
    static void describe(Schema<Options>& schema);
  };

  InteractionEdges(const Options& options, const Deps&) : options_(options) {}
  EdgeKind kind() const override { return EdgeKind::kInteractions; }
  void make(EdgeMaker& maker) const override;

 private:
  Options options_;
};

/// Facts (head, relation, tail). An entity that is an item is the node of that item; all others are
/// nodes of the type `entity`.
class TripleEdges : public EdgeSource {
 public:
  struct Options {
    enum class Entities { kAny, kItems };
    std::vector<std::string> relations;
    Entities entities = Entities::kAny;
    int64_t min_count = 1;
    Unknown unknown = Unknown::kRefuse;
    SelfLoops self_loops = SelfLoops::kRefuse;
    Repeated repeated = Repeated::kMerge;
    bool reverse = true;
    std::optional<int64_t> shuffle;
    static void describe(Schema<Options>& schema);
  };

  TripleEdges(const Options& options, const Deps&) : options_(options) {}
  EdgeKind kind() const override { return EdgeKind::kTriples; }
  void make(EdgeMaker& maker) const override;

 private:
  Options options_;
};

/// Items (or users) and the values that one column of their table gives them: each value is a node.
class AttributeEdges : public EdgeSource {
 public:
  struct Options {
    enum class Of { kItem, kUser };
    Of of = Of::kItem;
    std::string column;
    std::string separator;
    int64_t min_count = 1;
    bool reverse = true;
    static void describe(Schema<Options>& schema);
  };

  AttributeEdges(const Options& options, const Deps&) : options_(options) {}
  EdgeKind kind() const override { return EdgeKind::kAttribute; }
  void make(EdgeMaker& maker) const override;

 private:
  Options options_;
};

/// Users and the users they know: in both directions, or as the file says.
class FriendEdges : public EdgeSource {
 public:
  struct Options {
    bool directed = false;
    Unknown unknown = Unknown::kRefuse;
    SelfLoops self_loops = SelfLoops::kRefuse;
    Repeated repeated = Repeated::kMerge;
    bool reverse = true;
    static void describe(Schema<Options>& schema);
  };

  FriendEdges(const Options& options, const Deps&) : options_(options) {}
  EdgeKind kind() const override { return EdgeKind::kFriends; }
  void make(EdgeMaker& maker) const override;

 private:
  Options options_;
};

/// What becomes edges: the section `data.graph`.
struct GraphOptions {
  std::vector<Component<EdgeSource>> edges;
  static void describe(Schema<GraphOptions>& schema);
};

template <>
struct EnumNames<Unknown> {
  static std::vector<std::pair<std::string, Unknown>> all() {
    return {{"refuse", Unknown::kRefuse}, {"skip", Unknown::kSkip}};
  }
};

template <>
struct EnumNames<SelfLoops> {
  static std::vector<std::pair<std::string, SelfLoops>> all() {
    return {{"refuse", SelfLoops::kRefuse}, {"drop", SelfLoops::kDrop}, {"keep", SelfLoops::kKeep}};
  }
};

template <>
struct EnumNames<Repeated> {
  static std::vector<std::pair<std::string, Repeated>> all() {
    return {{"merge", Repeated::kMerge}, {"refuse", Repeated::kRefuse}};
  }
};

template <>
struct EnumNames<InteractionEdges::Options::Weights> {
  using Weights = InteractionEdges::Options::Weights;
  static std::vector<std::pair<std::string, Weights>> all() {
    return {{"none", Weights::kNone},
            {"count", Weights::kCount},
            {"rating", Weights::kRating},
            {"weight", Weights::kWeight}};
  }
};

template <>
struct EnumNames<TripleEdges::Options::Entities> {
  using Entities = TripleEdges::Options::Entities;
  static std::vector<std::pair<std::string, Entities>> all() {
    return {{"any", Entities::kAny}, {"items", Entities::kItems}};
  }
};

template <>
struct EnumNames<AttributeEdges::Options::Of> {
  using Of = AttributeEdges::Options::Of;
  static std::vector<std::pair<std::string, Of>> all() {
    return {{"item", Of::kItem}, {"user", Of::kUser}};
  }
};

}  // namespace reckon
