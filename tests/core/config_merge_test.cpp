#include <gtest/gtest.h>

#include "core/config_node.h"

namespace reckon::config_merge_test {
namespace {

std::string merged(const std::string& base, const std::string& overlay) {
  return emit_flow(merge(parse_yaml(base, "base"), parse_yaml(overlay, "overlay")));
}

TEST(Merge, GoesKeyByKeyAndReplacesScalarsAndLists) {
  EXPECT_EQ(merged("{a: 1, b: {c: 2, d: [1, 2]}}", "{b: {d: [3], e: 4}, f: 5}"),
            "{a: 1, b: {c: 2, d: [3], e: 4}, f: 5}");
}

TEST(Merge, AnotherTypeReplacesTheSlotWhole) {
  EXPECT_EQ(merged("{e: {type: gru, n: 2}}", "{e: {type: lstm}}"), "{e: {type: lstm}}");
  EXPECT_EQ(merged("{family: a, n: 2}", "{family: b}"), "{family: b}");
}

TEST(Merge, TheSameTypeOrNoneKeepsTheRest) {
  EXPECT_EQ(merged("{e: {type: gru, n: 2}}", "{e: {type: gru, m: 1}}"),
            "{e: {type: gru, n: 2, m: 1}}");
  EXPECT_EQ(merged("{e: {type: gru, n: 2}}", "{e: {n: 3}}"), "{e: {type: gru, n: 3}}");
}

TEST(Merge, ABareNameMeansItsType) {
  EXPECT_EQ(merged("{e: {type: gru, n: 2}}", "{e: lstm}"), "{e: {type: lstm}}");
  EXPECT_EQ(merged("{e: {type: gru, n: 2}}", "{e: gru}"), "{e: {type: gru, n: 2}}");
  EXPECT_EQ(merged("{e: gru}", "{e: {n: 3}}"), "{e: {type: gru, n: 3}}");
  EXPECT_EQ(merged("{e: gru}", "{e: {type: lstm}}"), "{e: {type: lstm}}");
}

TEST(Merge, AColumnCalledTypeChoosesNothing) {
  EXPECT_EQ(merged("{f: {types: {type: text, x: number}}}", "{f: {types: {type: integer}}}"),
            "{f: {types: {type: integer, x: number}}}");
  EXPECT_EQ(merged("{f: {weights: {type: 1, buy: 5}}}", "{f: {weights: {type: 2}}}"),
            "{f: {weights: {type: 2, buy: 5}}}");
}

TEST(Merge, NullSwitchesOff) {
  EXPECT_EQ(merged("{a: {b: 1}}", "{a: null}"), "{a: null}");
  EXPECT_EQ(merged("{a: null}", "{a: {b: 1}}"), "{a: {b: 1}}");
}

TEST(Merge, EveryValueKeepsThePlaceItCameFrom) {
  const auto node =
      merge(parse_yaml("a: 1\nb: {c: 2}\n", "base"), parse_yaml("b: {d: 3}\n", "overlay"));
  EXPECT_EQ(node.at_path("a")->location().file, "base");
  EXPECT_EQ(node.at_path("b.c")->location().file, "base");
  EXPECT_EQ(node.at_path("b.d")->location().file, "overlay");
}

std::string overridden(const std::string& text, const std::string& assignment) {
  auto node = parse_yaml(text, "f.yaml");
  apply_override(node, assignment);
  return emit_flow(node);
}

std::string override_error(const std::string& text, const std::string& assignment) {
  try {
    overridden(text, assignment);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ApplyOverride, SetsAndMakesWhatIsMissing) {
  EXPECT_EQ(overridden("{training: {lr: 1}}", "training.lr=3e-4"), "{training: {lr: 3e-4}}");
  EXPECT_EQ(overridden("", "training.optimizer.lr=1"), "{training: {optimizer: {lr: 1}}}");
  EXPECT_EQ(overridden("{a: 1}", "seeds=[1, 2]"), "{a: 1, seeds: [1, 2]}");
  EXPECT_EQ(overridden("{a: {b: 1}}", "a="), "{a: null}");
  EXPECT_EQ(overridden("{s: {t: 1}}", "s.\"a.b=c\"=2"), "{s: {t: 1, a.b=c: 2}}");
  EXPECT_EQ(overridden("{s: 1}", "s=a=b"), "{s: a=b}");
}

TEST(ApplyOverride, ReachesIntoLists) {
  EXPECT_EQ(overridden("{o: [{type: a, w: 1}, {type: b}]}", "o[0].w=2"),
            "{o: [{type: a, w: 2}, {type: b}]}");
  EXPECT_EQ(overridden("{s: [1, 2]}", "s[1]=5"), "{s: [1, 5]}");
}

TEST(ApplyOverride, AnotherTypeReplacesTheSlotWhole) {
  EXPECT_EQ(overridden("{m: {e: {type: gru, n: 2}}}", "m.e.type=lstm"), "{m: {e: {type: lstm}}}");
  EXPECT_EQ(overridden("{m: {e: {type: gru, n: 2}}}", "m.e=lstm"), "{m: {e: {type: lstm}}}");
  EXPECT_EQ(overridden("{m: {e: gru}}", "m.e.n=3"), "{m: {e: {type: gru, n: 3}}}");
  EXPECT_EQ(overridden("{m: {e: {type: gru, n: 2}}}", "m.e={n: 3}"), "{m: {e: {type: gru, n: 3}}}");
}

TEST(ApplyOverride, OfAColumnCalledTypeKeepsTheOtherColumns) {
  const std::string expected = "{f: {types: {type: integer, x: number}}}";
  EXPECT_EQ(overridden("{f: {types: {type: text, x: number}}}", "f.types.type=integer"), expected);
  EXPECT_EQ(overridden("{f: {types: {type: text, x: number}}}", "f.types={type: integer}"),
            expected);
}

TEST(ApplyOverride, MarksTheValueAndLeavesItsNeighbours) {
  auto node = parse_yaml("a: {b: 1, c: 2}\n", "f.yaml");
  apply_override(node, "a.b=5");
  EXPECT_EQ(node.at_path("a.b")->location().file, kCommandLineOrigin);
  EXPECT_EQ(node.at_path("a.c")->location().file, "f.yaml");
  EXPECT_EQ(node.find_entry("a")->key_location.file, "f.yaml");
}

TEST(ApplyOverride, SaysWhatDoesNotFit) {
  EXPECT_EQ(override_error("{a: 1}", "a"),
            "<command line>: error: 'a' is no assignment\n"
            "    hint: write path=value, as in training.optimizer.lr=3e-4");
  EXPECT_NE(override_error("{a: 1}", "a..b=1").find("'a..b' is no path"), std::string::npos);
  EXPECT_NE(override_error("{a: 1}", "=1").find("'' is no path"), std::string::npos);
  EXPECT_NE(override_error("{a: [1]}", "a[1]=1").find("a[1]: the list has 1 entries"),
            std::string::npos);
  EXPECT_NE(override_error("{a: 5}", "a[0]=1").find("a[0]: there is no list here, but '5'"),
            std::string::npos);
  EXPECT_NE(override_error("{a: [{b: 1}]}", "a.b=1").find("name an entry, as in a[0].b"),
            std::string::npos);
  EXPECT_NE(override_error("{a: 1}", "a=[1").find("<command line>: error: a: syntax: a '['"),
            std::string::npos);
}

TEST(PlaceOf, IsTheScalarsOwnElseTheKeysElseThatOfWhatWasWrittenAroundIt) {
  auto node = parse_yaml("a: {b: 1, c: {d: 2}}\nl: [3, {e: 4}]\n", "f.yaml");
  node.find("a")->set("drawn", ConfigNode::plain("5"));
  const auto place = [&](const char* path) { return place_of(node, path).to_string(); };
  EXPECT_EQ(place("a.b"), "f.yaml:1:8");
  EXPECT_EQ(place("a.c"), "f.yaml:1:11");
  EXPECT_EQ(place("l[1].e"), "f.yaml:2:12");
  EXPECT_EQ(place("l[1]"), "f.yaml:2:8");
  EXPECT_EQ(place("a.drawn"), "f.yaml:1:1");
  EXPECT_EQ(place("a.c.nothing[3].here"), "f.yaml:1:11");
  EXPECT_EQ(place("nothing"), place(""));
}

}  // namespace
}  // namespace reckon::config_merge_test
