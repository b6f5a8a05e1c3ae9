#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostics.h"

namespace reckon {

/// Files named in the locations of values that stand in no file.
inline constexpr const char* kCommandLineOrigin = "<command line>";
inline constexpr const char* kDefaultOrigin = "<default>";

/// A value of a config: nothing, a scalar, a list or an ordered mapping, each with the place it came
/// from. Places survive merging, so that every value can tell which file, preset or flag set it.
class ConfigNode {
 public:
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Entry;

  ConfigNode();  ///< Null.
  ConfigNode(const ConfigNode&);
  ConfigNode(ConfigNode&&) noexcept;
  ConfigNode& operator=(const ConfigNode&);
  ConfigNode& operator=(ConfigNode&&) noexcept;
  ~ConfigNode();

  static ConfigNode null(SourceLocation where = {kDefaultOrigin, 0, 0});
  /// A scalar as it is written; `quoted` text is never a number, a truth value or nothing.
  static ConfigNode scalar(std::string text, bool quoted, SourceLocation where);
  /// A scalar written plainly, such as a number.
  static ConfigNode plain(std::string text);
  /// A text; quoted when it would mean something else without.
  static ConfigNode text(std::string text);
  static ConfigNode list(SourceLocation where = {kDefaultOrigin, 0, 0});
  static ConfigNode map(SourceLocation where = {kDefaultOrigin, 0, 0});

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  bool is_scalar() const { return kind_ == Kind::kScalar; }
  bool is_list() const { return kind_ == Kind::kList; }
  bool is_map() const { return kind_ == Kind::kMap; }

  /// The text of a scalar; empty for other kinds.
  const std::string& scalar_text() const { return text_; }
  bool is_quoted() const { return quoted_; }

  const SourceLocation& location() const { return location_; }
  void set_location(SourceLocation where) { location_ = std::move(where); }
  /// Gives this node and all below it one place.
  void set_locations(const SourceLocation& where);

  /// Items of a list; empty for other kinds.
  const std::vector<ConfigNode>& items() const { return items_; }
  std::vector<ConfigNode>& items() { return items_; }
  void append(ConfigNode item);

  /// Entries of a mapping in their order; empty for other kinds.
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<Entry>& entries() { return entries_; }
  /// The value at `key`, or null when this is no mapping or has no such key.
  const ConfigNode* find(std::string_view key) const;
  ConfigNode* find(std::string_view key);
  const Entry* find_entry(std::string_view key) const;
  /// Sets or replaces the value at `key`; a new key comes last and takes the value's place as its own.
  ConfigNode& set(std::string key, ConfigNode value);
  bool erase(std::string_view key);

  /// The value at a dotted path such as `objectives[0].weight`, or null when there is none.
  const ConfigNode* at_path(std::string_view path) const;

  /// "nothing", "'5'", "the text \"5\"", "a list", "a mapping": for "expected ..., got ...".
  std::string describe() const;

  /// Same values in the same order; places do not count, nor do quotes without which the scalar would
  /// mean the same.
  friend bool operator==(const ConfigNode& a, const ConfigNode& b);

 private:
  Kind kind_ = Kind::kNull;
  bool quoted_ = false;
  std::string text_;
  SourceLocation location_;
  std::vector<ConfigNode> items_;
  std::vector<Entry> entries_;
};

/// One key of a mapping with its value.
struct ConfigNode::Entry {
  std::string key;
  SourceLocation key_location;
  ConfigNode value;
};

/// Reads one YAML document. An alias is copied: the copy has the alias' place, what is inside keeps
/// its own.
///
/// Throws   ConfigError with the place: syntax errors, duplicate keys (all of them), `<<`, tags, keys
///          that are no text, several documents, nesting deeper than 64, more than 100,000 values
///          (aliases expanded), more than 4 MiB of text, control characters, broken UTF-8.
ConfigNode parse_yaml(std::string_view text, const std::string& file);

/// parse_yaml() of a file.   Throws   ConfigError also when it cannot be read.
ConfigNode load_yaml(const std::string& path);

/// Where to report about the value at a path: a scalar's own place, else that of its key. What was not
/// written but comes from a default is reported at what was written around it.
SourceLocation place_of(const ConfigNode& root, std::string_view path);

/// YAML text in block style that parse_yaml() reads as an equal node.
std::string emit_yaml(const ConfigNode& node);

/// The same on one line, in flow style: `{type: adam, betas: [0.9, 0.98]}`.
std::string emit_flow(const ConfigNode& node);

/// `overlay` over `base`: mappings merge key by key, everything else is replaced.
///
/// A mapping that names another `type` (or `family`) than the base's replaces it whole; a scalar over
/// a mapping with a `type`, and a mapping over a scalar, take the scalar as short for `{type: scalar}`.
ConfigNode merge(const ConfigNode& base, const ConfigNode& overlay);

/// The keys whose mappings hold names of the user's own, such as columns: there `type` chooses nothing.
const std::vector<std::string>& keys_of_user_names();

/// Sets one value from `path=value`, as in `training.optimizer.lr=3e-4` or `model.objectives[0].weight=2`.
///
/// The value is YAML and merges over what is there by the rules of merge(); missing mappings are made.
/// Keys with dots in them stand in double quotes. Places become kCommandLineOrigin.
/// Throws   ConfigError when the assignment cannot be read or its path does not fit the tree.
void apply_override(ConfigNode& root, const std::string& assignment);

/// Whether an assignment can be read at all, whatever the tree.   Throws   ConfigError.
void check_override(const std::string& assignment);

}  // namespace reckon
