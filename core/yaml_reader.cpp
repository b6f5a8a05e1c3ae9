#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>

#include "core/config_node.h"
#include "core/files.h"
#include "core/yaml_scalars.h"

namespace reckon {

namespace {

constexpr size_t kMaxBytes = 4 << 20;
constexpr size_t kMaxValues = 100'000;
constexpr size_t kMaxDepth = 64;

// The length of the UTF-8 sequence at the front of `text`; 0 when it is broken.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  if (byte(0) < 0x80) return 1;
  if (byte(0) >= 0xc2 && byte(0) <= 0xdf) return continues(1) ? 2 : 0;
  if ((byte(0) & 0xf0) == 0xe0) {
    if (!continues(1) || !continues(2)) return 0;
    const bool overlong = byte(0) == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = byte(0) == 0xed && byte(1) >= 0xa0;
    return overlong || surrogate ? 0 : 3;
  }
  if (byte(0) >= 0xf0 && byte(0) <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    const bool overlong = byte(0) == 0xf0 && byte(1) < 0x90;
    const bool too_large = byte(0) == 0xf4 && byte(1) >= 0x90;
    return overlong || too_large ? 0 : 4;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

size_t count_values(const ConfigNode& node) {
  size_t count = 1;
  for (const auto& item : node.items()) count += count_values(item);
  for (const auto& entry : node.entries()) count += count_values(entry.value);
  return count;
}

size_t depth_of(const ConfigNode& node) {
  size_t depth = 0;
  for (const auto& item : node.items()) depth = std::max(depth, depth_of(item));
  for (const auto& entry : node.entries()) depth = std::max(depth, depth_of(entry.value));
  return depth + 1;
}

// Lines and columns from 1; columns count characters, where the parser counts bytes.
SourceLocation place_of(const YAML::Mark& mark, std::string_view text, const std::string& file) {
  if (mark.is_null()) return {file, 0, 0};
  const auto begin = static_cast<size_t>(mark.pos - mark.column);
  if (mark.column > mark.pos || begin > text.size()) return {file, mark.line + 1, mark.column + 1};
  const auto before = text.substr(begin, static_cast<size_t>(mark.column));
  const auto num_inner = std::count_if(before.begin(), before.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
  });
  return {file, mark.line + 1, mark.column + 1 - static_cast<int>(num_inner)};
}

// Builds our tree from the parser's events. Its own YAML::Node is not used: it keeps the first of two
// equal keys silently, shares nodes between aliases and gives them their anchor's place.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view text, std::string file, Problems& problems)
      : text_(text), file_(std::move(file)), problems_(problems) {}

  ConfigNode take_root() { return root_ ? std::move(*root_) : ConfigNode::null({file_, 1, 1}); }
  const SourceLocation& document_start() const { return document_start_; }

  void OnDocumentStart(const YAML::Mark& mark) override { document_start_ = place(mark); }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    finish(ConfigNode::null(place(mark)), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      problems_.add(place(mark), "an alias cannot stand inside of its own anchor");
      return finish(ConfigNode::null(place(mark)), YAML::NullAnchor);
    }
    count(mark, found->second.num_values - 1);
    if (frames_.size() + found->second.depth > kMaxDepth) fail_depth(mark);
    auto copy = found->second.node;
    copy.set_location(place(mark));
    finish(std::move(copy), YAML::NullAnchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:str")
      refuse_tag(mark, tag);
    last_scalar_ = mark;
    // The parser makes single bytes of the escapes \\N and \\_.
    if (!is_utf8(text))
      problems_.add(place(mark), "an escape in this text gives no character",
                    "write the character itself");
    finish(ConfigNode::scalar(text, tag != "?" && !tag.empty(), place(mark)), anchor);
  }

  // A quoted text that nothing closes ends, to the parser, with the last line of the file: all keys
  // behind it would be gone. Only the last scalar can be one.
  std::optional<SourceLocation> open_quote() const {
    constexpr std::string_view kBlanks = " \t\r\n";
    auto i = static_cast<size_t>(last_scalar_.pos);
    while (i < text_.size() && (text_[i] == '!' || text_[i] == '&'))  // tags and anchors in front
      i = text_.find_first_not_of(kBlanks, std::min(text_.find_first_of(kBlanks, i), text_.size()));
    if (i >= text_.size() || (text_[i] != '"' && text_[i] != '\'')) return std::nullopt;
    const char quote = text_[i];
    for (auto end = i + 1; end < text_.size(); ++end) {
      if (quote == '"' && text_[end] == '\\')
        ++end;
      else if (quote == '\'' && text_.substr(end, 2) == "''")
        ++end;
      else if (text_[end] == quote)
        return std::nullopt;
    }
    return place(last_scalar_);
  }

  // Where the innermost list or mapping begins that is not complete.
  std::optional<SourceLocation> open_place() const {
    if (frames_.empty()) return std::nullopt;
    return frames_.back().node.location();
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    if (tag != "tag:yaml.org,2002:seq") refuse_tag(mark, tag);
    open(ConfigNode::list(place(mark)), mark, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    if (tag != "tag:yaml.org,2002:map") refuse_tag(mark, tag);
    open(ConfigNode::map(place(mark)), mark, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    ConfigNode node;
    YAML::anchor_t anchor;
    bool has_key = false;
    bool keep_value = false;  // false when the key was refused
    std::string key;
    SourceLocation key_location;
  };
  struct Anchored {
    ConfigNode node;
    size_t num_values;
    size_t depth;
  };

  SourceLocation place(const YAML::Mark& mark) const { return place_of(mark, text_, file_); }

  std::string path() const {
    std::string text;
    for (const auto& frame : frames_) {
      if (frame.node.is_list())
        text += "[" + std::to_string(frame.node.items().size()) + "]";
      else if (frame.has_key)
        text += (text.empty() ? "" : ".") + frame.key;
    }
    return text;
  }

  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    problems_.add(place(mark), "tags such as '" + tag + "' are not supported",
                  "leave it out: the type of a value follows from its key");
  }

  void count(const YAML::Mark& mark, size_t num_values) {
    num_values_ += num_values;
    if (num_values_ > kMaxValues)
      throw YAML::ParserException(mark, "more than " + std::to_string(kMaxValues) +
                                            " values, aliases counted as often as they are used");
  }
  [[noreturn]] static void fail_depth(const YAML::Mark& mark) {
    throw YAML::ParserException(mark,
                                "nested deeper than " + std::to_string(kMaxDepth) + " levels");
  }

  void open(ConfigNode node, const YAML::Mark& mark, YAML::anchor_t anchor) {
    count(mark, 1);
    if (frames_.size() >= kMaxDepth) fail_depth(mark);
    frames_.push_back({.node = std::move(node), .anchor = anchor, .key = {}, .key_location = {}});
  }

  void close() {
    auto frame = std::move(frames_.back());
    frames_.pop_back();
    finish(std::move(frame.node), frame.anchor);
  }

  void finish(ConfigNode node, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      const auto num_values = count_values(node);
      const auto depth = depth_of(node);
      anchors_.insert_or_assign(anchor, Anchored{node, num_values, depth});
    }
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& frame = frames_.back();
    if (frame.node.is_list()) {
      frame.node.append(std::move(node));
    } else if (!frame.has_key) {
      take_key(frame, node);
    } else {
      if (frame.keep_value)
        frame.node.entries().push_back({frame.key, frame.key_location, std::move(node)});
      frame.has_key = false;
    }
  }

  void take_key(Frame& frame, const ConfigNode& node) {
    const auto parent = path();
    frame.has_key = true;
    frame.keep_value = false;
    frame.key = node.is_scalar() ? node.scalar_text() : "?";
    frame.key_location = node.location();
    const auto name = (parent.empty() ? "" : parent + ".") + frame.key;
    if (!node.is_scalar()) {
      problems_.add(node.location(), (parent.empty() ? "" : parent + ": ") +
                                         "a key must be a word, got " + node.describe());
    } else if (node.scalar_text() == "<<" && !node.is_quoted()) {
      problems_.add(node.location(), name + ": merge keys are not supported",
                    "write the keys out, or put what is common into a preset");
    } else if (const auto* first = frame.node.find_entry(frame.key)) {
      problems_.add(node.location(), name + ": given twice",
                    "it stands at line " + std::to_string(first->key_location.line) + " already");
    } else {
      frame.keep_value = true;
    }
  }

  std::string_view text_;
  std::string file_;
  Problems& problems_;
  YAML::Mark last_scalar_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::optional<ConfigNode> root_;
  SourceLocation document_start_;
  size_t num_values_ = 0;
};

// The parser takes byte 4 for the end of the text and passes broken UTF-8 on; neither may happen.
void check_bytes(std::string_view text, const std::string& file) {
  SourceLocation where{file, 1, 1};
  if (text.size() > kMaxBytes)
    throw ConfigError({{{file, 0, 0}, "larger than 4 MiB, which no config needs", ""}});
  for (size_t i = 0; i < text.size(); ++where.column) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool line_end = c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n');
    if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7f)
      throw ConfigError({{where, "control character " + std::to_string(c) + " in the text",
                          c == 0 ? "save the file as UTF-8" : ""}});
    const auto length = utf8_length(text.substr(i));
    if (length == 0) throw ConfigError({{where, "this is not UTF-8", "save the file as UTF-8"}});
    i += length;
    if (c == '\n') where = {file, where.line + 1, 0};
  }
}

struct SyntaxHelp {
  std::string_view parser_message;
  const char* message;
  const char* hint;
  bool is_about_opening = false;  // reported where the unfinished value begins
};

constexpr SyntaxHelp kSyntaxHelp[] = {
    {"end of map flow not found", "a '{' is not closed", "add the missing '}'", true},
    {"end of sequence flow not found", "a '[' is not closed", "add the missing ']'", true},
    {"end of map not found", "this line does not fit the mapping around it",
     "keys of one mapping stand in the same column, each followed by ': '"},
    {"end of sequence not found", "this line does not fit the list around it",
     "items of one list begin with '- ' in the same column"},
    {"illegal map value", "a value cannot begin here",
     "text with ': ' inside needs quotes, and keys of one mapping the same column"},
    {"illegal block entry", "a list item cannot stand here", "put the list on a line of its own"},
    {"the referenced anchor is not defined", "an alias without an anchor",
     "write text that begins with '*' in quotes"},
    {"illegal EOF in scalar", "a quoted text is not closed", "add the missing quote"},
    {"illegal document indicator in scalar", "a quoted text is not closed",
     "add the missing quote"},
    {"unknown token", "a text cannot begin with this character", "put the text in quotes"},
};

Diagnostic syntax_error(const YAML::Exception& error, std::string_view text,
                        const std::string& file, const std::optional<SourceLocation>& open_place) {
  auto where = place_of(error.mark, text, file);
  const auto begin = static_cast<size_t>(std::max(error.mark.pos - error.mark.column, 0));
  const auto line = text.substr(std::min(begin, text.size()));
  const auto tab = line.substr(0, line.find_first_not_of(" \t")).find('\t');
  if (!error.mark.is_null() && tab != std::string_view::npos) {
    where.column = static_cast<int>(tab) + 1;
    return {where, "syntax: a tab in the indentation", "indent with spaces"};
  }
  for (const auto& help : kSyntaxHelp) {
    if (error.msg.find(help.parser_message) != 0) continue;
    if (help.is_about_opening && open_place) where = *open_place;
    return {where, std::string("syntax: ") + help.message, help.hint};
  }
  return {where, "syntax: " + error.msg, ""};
}

}  // namespace

ConfigNode parse_yaml(std::string_view text, const std::string& file) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  check_bytes(text, file);
  Problems problems;
  TreeBuilder builder(text, file, problems);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    TreeBuilder rest(text, file, problems);
    if (parser.HandleNextDocument(rest))
      problems.add(rest.document_start(), "syntax: the end of the document was expected here",
                   "one file holds one document");
    else if (const auto where = builder.open_quote())
      problems.add(*where, "syntax: a quoted text is not closed", "add the missing quote");
  } catch (const YAML::Exception& error) {
    if (const auto where = builder.open_quote())
      problems.add(*where, "syntax: a quoted text is not closed", "add the missing quote");
    else
      problems.add(syntax_error(error, text, file, builder.open_place()));
  }
  problems.throw_if_any();
  return builder.take_root();
}

ConfigNode load_yaml(const std::string& path) {
  std::string text;
  try {
    text = read_file(path);
  } catch (const DataError& error) {
    throw ConfigError({{{}, error.what(), ""}});
  }
  return parse_yaml(text, path);
}

}  // namespace reckon
