#include "core/config_node.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/random.h"

namespace reckon::config_node_test {
namespace {

std::string error_of(std::string_view text) {
  try {
    parse_yaml(text, "f.yaml");
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "";
}

TEST(ParseYaml, KeepsOrderKindsAndPlaces) {
  const auto root = parse_yaml("b: 1\na:\n  - x\n  - \"2\"\nc: {d: ~}\n", "f.yaml");
  ASSERT_EQ(root.entries().size(), 3U);
  EXPECT_EQ(root.entries()[0].key, "b");
  EXPECT_EQ(root.entries()[1].key_location, (SourceLocation{"f.yaml", 2, 1}));
  const auto* second = root.at_path("a[1]");
  ASSERT_TRUE(second);
  EXPECT_EQ(second->location(), (SourceLocation{"f.yaml", 4, 5}));
  EXPECT_TRUE(second->is_quoted());
  EXPECT_FALSE(root.at_path("b")->is_quoted());
  EXPECT_TRUE(root.at_path("c.d")->is_null());
  EXPECT_EQ(root.at_path("c.e"), nullptr);
  EXPECT_EQ(root.at_path("a[2]"), nullptr);
}

TEST(ParseYaml, AnEmptyTextIsNull) {
  EXPECT_TRUE(parse_yaml("", "f.yaml").is_null());
  EXPECT_TRUE(parse_yaml("# only a comment\n", "f.yaml").is_null());
}

TEST(ParseYaml, ReportsEachDuplicateKeyWithItsPathAndTheFirstLine) {
  EXPECT_EQ(error_of("a:\n  b: 1\n  b: 2\nc: 0\nc: 0\n"),
            "f.yaml:3:3: error: a.b: given twice\n    hint: it stands at line 2 already\n"
            "f.yaml:5:1: error: c: given twice\n    hint: it stands at line 4 already");
}

TEST(ParseYaml, RefusesMergeKeysWithASentence) {
  EXPECT_EQ(error_of("a: &x {b: 1}\nc:\n  <<: *x\n"),
            "f.yaml:3:3: error: c.<<: merge keys are not supported\n"
            "    hint: write the keys out, or put what is common into a preset");
  EXPECT_EQ(error_of("'<<': 1\n"), "");
}

TEST(ParseYaml, CopiesAliasesAndGivesThemTheirOwnPlace) {
  const auto root = parse_yaml("a: &x {b: 1}\nc: *x\n", "f.yaml");
  EXPECT_TRUE(*root.find("a") == *root.find("c"));
  EXPECT_EQ(root.find("c")->location().line, 2);
  EXPECT_EQ(root.at_path("c.b")->location().line, 1);
}

TEST(ParseYaml, BoundsTheExpansionOfAliases) {
  std::string text = "a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n";
  for (int i = 1; i < 12; ++i) {
    const auto last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int j = 0; j < 8; ++j) text += ", " + last;
    text += "]\n";
  }
  EXPECT_NE(error_of(text).find("more than 100000 values"), std::string::npos);
}

TEST(ParseYaml, RefusesAnAliasInsideItsOwnAnchor) {
  EXPECT_NE(error_of("a: &x [1, *x]\n").find("inside of its own anchor"), std::string::npos);
}

TEST(ParseYaml, BoundsTheDepth) {
  EXPECT_EQ(error_of(std::string(60, '[') + std::string(60, ']')), "");
  EXPECT_NE(error_of(std::string(70, '[') + std::string(70, ']')).find("deeper than 64"),
            std::string::npos);
  EXPECT_NE(error_of(std::string(100000, '[')).find("deeper than 64"), std::string::npos);
}

TEST(ParseYaml, RefusesASecondDocument) {
  EXPECT_NE(error_of("a: 1\n---\nb: 2\n").find("f.yaml:2:1: error: syntax: the end"),
            std::string::npos);
  EXPECT_EQ(error_of("---\na: 1\n...\n"), "");
}

TEST(ParseYaml, RefusesKeysThatAreNoWords) {
  EXPECT_NE(error_of("? [1, 2]\n: x\n").find("a key must be a word, got a list"),
            std::string::npos);
  EXPECT_NE(error_of("a: {~: x}\n").find("a: a key must be a word, got nothing"),
            std::string::npos);
}

TEST(ParseYaml, RefusesTags) {
  EXPECT_NE(error_of("a: !!int \"5\"\n").find("tags such as"), std::string::npos);
  EXPECT_NE(error_of("a: !mine {b: 1}\n").find("tags such as"), std::string::npos);
  EXPECT_TRUE(parse_yaml("a: !!str 5\n", "f").find("a")->is_quoted());
}

TEST(ParseYaml, RefusesBytesThatTheParserWouldMisread) {
  EXPECT_EQ(error_of(std::string_view("a: 1\x04\nb: 2\n")),
            "f.yaml:1:5: error: control character 4 in the text");
  EXPECT_NE(error_of("a: \xff\n").find("f.yaml:1:4: error: this is not UTF-8"), std::string::npos);
  EXPECT_NE(error_of(std::string_view("a\0b\0", 4)).find("save the file as UTF-8"),
            std::string::npos);
  EXPECT_NE(error_of("a: \xed\xa0\x80\n").find("not UTF-8"), std::string::npos);  // a surrogate
  EXPECT_NE(error_of("a: \xc0\xaf\n").find("not UTF-8"), std::string::npos);      // overlong
  EXPECT_EQ(parse_yaml("a: \xc5\x81\xc3\xb3\r\nb: 1\r\n", "f").find("a")->scalar_text(),
            "\xc5\x81\xc3\xb3");
}

TEST(ParseYaml, RefusesEscapesThatTheParserMakesBytesOf) {
  EXPECT_NE(error_of("a: \"x\\Ny\"\n").find("f.yaml:1:4: error: an escape in this text"),
            std::string::npos);
  EXPECT_EQ(parse_yaml("a: \"\\u00e9\\x41\\n\"\n", "f").find("a")->scalar_text(),
            "\xc3\xa9"
            "A\n");
}

TEST(ParseYaml, ExplainsSyntaxErrors) {
  EXPECT_NE(error_of("a: {b: 1\n").find("f.yaml:1:4: error: syntax: a '{' is not closed"),
            std::string::npos);
  EXPECT_NE(error_of("a: b: c\n").find("f.yaml:1:5: error: syntax: a value cannot begin here"),
            std::string::npos);
  EXPECT_NE(error_of("a:\n\tb: 1\n").find("f.yaml:2:1: error: syntax: a tab in the indentation"),
            std::string::npos);
  EXPECT_NE(error_of("a: *x\n").find("an alias without an anchor"), std::string::npos);
}

// The parser takes the end of the file for the closing quote.
TEST(ParseYaml, RefusesAQuoteThatNothingCloses) {
  for (const auto* text : {"a: 'x\n", "a: 'x", "a: \"x\nb: 1\n", "a: \"x\\\"\n", "a: 'x''\n",
                           "a: &y !!str 'x\n", "a: [1, 'x\n", "\"a\n", "a: \"x\n\n\n"})
    EXPECT_NE(error_of(text).find("a quoted text is not closed"), std::string::npos) << text;
  for (const auto* text :
       {"a: 'x'\n", "a: \"x\\\\\"\n", "a: 'x'''\n", "a: ''\n", "a: |\n  'x\n", "a: x'\n"})
    EXPECT_EQ(error_of(text), "") << text;
}

TEST(ParseYaml, CountsColumnsInCharacters) {
  EXPECT_NE(error_of("{\xc3\xa9: 1, \xc3\xa9: 2}\n").find("f.yaml:1:8: error"), std::string::npos);
}

TEST(LoadYaml, SaysWhyAFileCannotBeRead) {
  try {
    load_yaml("no/such/file.yaml");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("no/such/file.yaml"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("No such file"), std::string::npos);
  }
}

TEST(EmitYaml, QuotesTextThatWouldReadAsSomethingElse) {
  for (const std::string text :
       {"5",   "1e3", "-2",    "+.5", "true", "False",        "yes",     "No",   "null",
        "~",   "",    ".inf",  "nan", "0x10", "a: b",         "a #b",    " a",   "a ",
        "- a", "-",   "--- a", "[a]", "{",    "*a",           "&a",      "!a",   "'a'",
        "\"",  "%a",  "@a",    "`a",  "a\nb", "a\tb",         "\x01",    "\x04", "\x7f",
        "a:",  "? a", "<<",    "=",   "...",  "... a",        "---",     ",",    "a, b",
        "a]",  "#",   "|",     ">",   "\\",   "\xef\xbb\xbf", "\xc5\x81"}) {
    auto map = ConfigNode::map();
    map.set("k", ConfigNode::text(text));
    map.set("l", ConfigNode::list()).append(ConfigNode::text(text));
    for (const auto& form : {emit_yaml(map), emit_flow(map)}) {
      const auto back = parse_yaml(form, "f");
      ASSERT_TRUE(back == map) << form;
      EXPECT_TRUE(back.find("k")->is_scalar()) << form;
      EXPECT_EQ(back.find("k")->scalar_text(), text);
    }
    // The same text as a key.
    auto keyed = ConfigNode::map();
    keyed.set(text, ConfigNode::plain("1"));
    EXPECT_TRUE(parse_yaml(emit_yaml(keyed), "f") == keyed) << emit_yaml(keyed);
    EXPECT_TRUE(parse_yaml(emit_flow(keyed), "f") == keyed) << emit_flow(keyed);
  }
}

TEST(EmitYaml, LeavesPlainWhatIsPlain) {
  EXPECT_EQ(emit_yaml(parse_yaml("a: 1e-3\nb: x y\nc: [1, 2]\nd: {}\ne:\n  f: http://x/y\n", "f")),
            "a: 1e-3\nb: x y\nc: [1, 2]\nd: {}\ne:\n  f: http://x/y\n");
}

// A random tree of texts that are hard on purpose.
ConfigNode random_node(CounterRng& rng, int depth) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "b c",
                                                   ":",
                                                   ": ",
                                                   "#",
                                                   " #",
                                                   "-",
                                                   "- ",
                                                   "\n",
                                                   "\n\n",
                                                   "  ",
                                                   "'",
                                                   "\"",
                                                   "\\",
                                                   "{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   ",",
                                                   "?",
                                                   "*",
                                                   "&",
                                                   "!",
                                                   "|",
                                                   ">",
                                                   "%",
                                                   "@",
                                                   "1",
                                                   "0.5",
                                                   "e3",
                                                   "true",
                                                   "null",
                                                   "~",
                                                   "\t",
                                                   "\r",
                                                   "\xc3\xa9",
                                                   "\xe2\x82\xac",
                                                   "\xf0\x9f\x98\x80",
                                                   "<<",
                                                   "\x01",
                                                   "\xc2\x85",
                                                   "=",
                                                   "..."};
  const auto word = [&] {
    std::string text;
    for (auto n = rng.below(5); n > 0; --n) text += kPieces[rng.below(kPieces.size())];
    if (rng.below(50) == 0) text += std::string(1500, 'x');
    return text;
  };
  switch (depth == 0 ? rng.below(3) : rng.below(6)) {
    case 0:
      return ConfigNode::null();
    case 1:
      return ConfigNode::plain(std::to_string(rng.below(100)));
    case 2:
      return ConfigNode::text(word());
    case 3: {
      auto list = ConfigNode::list();
      for (auto n = rng.below(4); n > 0; --n) list.append(random_node(rng, depth - 1));
      return list;
    }
    default: {
      auto map = ConfigNode::map();
      for (auto n = rng.below(4); n > 0; --n) map.set(word(), random_node(rng, depth - 1));
      return map;
    }
  }
}

TEST(EmitYaml, ParsesBackToTheSameTree) {
  CounterRng rng(RandomKey(7));
  for (int i = 0; i < 3000; ++i) {
    const auto node = random_node(rng, 4);
    for (const auto& form : {emit_yaml(node), emit_flow(node)}) {
      ConfigNode back;
      ASSERT_NO_THROW(back = parse_yaml(form, "f")) << form;
      ASSERT_TRUE(back == node) << form << "\n--- read as\n" << emit_yaml(back);
    }
  }
}

}  // namespace
}  // namespace reckon::config_node_test
