#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/config_node.h"
#include "core/diagnostics.h"

namespace reckon {

class Catalog;
class SchemaBase;
template <class T>
class Schema;

/// The words of an enumeration: specialise with
/// `static std::vector<std::pair<std::string, E>> all()` beside the enum.
template <class E>
struct EnumNames;

/// A node of a config while it is read: the value, its dotted path, and where problems go.
class Cursor {
 public:
  Cursor(const ConfigNode& root, const Catalog& catalog, Problems& problems,
         const SchemaBase* root_schema);

  const ConfigNode& node() const { return *node_; }
  /// `training.optimizer.lr`; empty at the root.
  const std::string& path() const { return path_; }
  const Catalog& catalog() const { return *catalog_; }
  const SchemaBase* root_schema() const { return root_schema_; }
  /// Where the key of this value stands (the item itself in a list).
  const SourceLocation& key_location() const { return key_location_; }

  /// Adds a problem at the value (a scalar) or at its key (anything else, or nothing).
  void fail(const std::string& message, const std::string& hint = "") const;
  void fail_at(const SourceLocation& where, const std::string& message,
               const std::string& hint = "") const;
  /// Problems found so far, in all of the config.
  size_t num_problems() const { return problems_->size(); }

  Cursor entry(const ConfigNode::Entry& entry) const;
  Cursor item(size_t index) const;
  /// The cursor of a key that is not there: it reads as an empty mapping.
  Cursor absent(const std::string& key) const;
  bool is_absent() const { return is_absent_; }

  /// For slots: the component type that stands for a slot without one, and whether one is needed.
  const std::string& default_type() const { return default_type_; }
  bool is_required() const { return is_required_; }
  Cursor with_slot(const std::string& default_type, bool is_required) const;

 private:
  Cursor at(const ConfigNode& node, const SourceLocation& key_location, std::string path) const;

  const ConfigNode* node_;
  SourceLocation key_location_;
  std::string path_;
  const Catalog* catalog_;
  Problems* problems_;
  const SchemaBase* root_schema_;
  std::string default_type_;
  bool is_required_ = false;
  bool is_absent_ = false;
};

/// How one C++ type is read from a config, written to one, and named in messages and help:
/// `name()`, `read(cursor, value)` (adds problems, never throws), `emit(value, catalog)`, and
/// `wrong()`, a value of another type for tests. Optional: `read_absent`, `shape`, `less`, `more`.
template <class T>
struct Codec;

/// What help, documentation and generated tests know about one key.
struct FieldDoc {
  enum class Container { kNone, kList, kMap };

  std::string name;
  std::string type;           ///< "integer", "list of numbers", "relu | gelu", ...
  std::string default_value;  ///< Flow YAML; empty when the key is required or nests others.
  std::string limits;         ///< Completes "must be ...".
  std::string doc;
  bool required = false;
  bool nullable = false;     ///< `null` switches the value off.
  std::string default_type;  ///< Of a slot: the component that stands for an absent one.
  Container container = Container::kNone;  ///< Of nested schemas and components.
  const SchemaBase& (*nested)() =
      nullptr;       ///< The keys below, when the value is a mapping of ours.
  std::string kind;  ///< The component kind, when the value is a slot.
};

/// The keys of one options struct without its C++ type.
class SchemaBase {
 public:
  struct Constraint {
    std::string limits;
    std::function<bool(const void*)> holds;
    std::optional<ConfigNode> violation;  ///< A value of the right type that breaks it.
  };
  struct Field {
    FieldDoc doc;
    std::function<void(const Cursor&, void*)> read;
    std::function<void(const Cursor&, void*)> read_absent;  ///< Empty when the default just stays.
    std::function<ConfigNode(const void*, const Catalog*)> emit;
    ConfigNode wrong;  ///< A value of another type.
    std::vector<Constraint> constraints;
  };
  struct Invariant {
    std::string key;  ///< Where it is reported; empty for the mapping itself.
    std::string message;
    std::function<bool(const void*)> holds;
  };
  /// One struct that takes its keys from a mapping.
  struct Part {
    const SchemaBase* schema;
    void* target;
  };

  const std::vector<Field>& fields() const { return fields_; }
  const std::vector<Invariant>& invariants() const { return invariants_; }
  std::vector<FieldDoc> docs() const;
  std::vector<std::string> names() const;
  const Field* find(const std::string& name) const;

  /// Reads one mapping into one or several structs that share it. `selector` is a key that belongs to
  /// an outer reader, or empty.
  static void read(const Cursor& at, const std::vector<Part>& parts,
                   const std::string& selector = "");

  /// Adds every key with its value to a mapping.
  void emit_into(ConfigNode& map, const void* value, const Catalog* catalog) const;

 protected:
  std::vector<Field> fields_;
  std::vector<Invariant> invariants_;
};

namespace schema_detail {

template <class V>
struct Inner {
  using type = V;
};
template <class V>
struct Inner<std::optional<V>> : Inner<V> {};
template <class V>
struct Inner<std::vector<V>> : Inner<V> {};
template <class V, size_t N>
struct Inner<std::array<V, N>> : Inner<V> {};
template <class V>
struct Inner<std::map<std::string, V>> : Inner<V> {};

/// Whether a rule on single values holds for all that a field holds.
template <class V, class Rule>
bool holds_for_all(const V& value, const Rule& rule) {
  return rule(value);
}
template <class V, class Rule>
bool holds_for_all(const std::optional<V>& value, const Rule& rule) {
  return !value || holds_for_all(*value, rule);
}
template <class V, class Rule>
bool holds_for_all(const std::vector<V>& values, const Rule& rule) {
  for (const auto& value : values)
    if (!holds_for_all(value, rule)) return false;
  return true;
}
template <class V, size_t N, class Rule>
bool holds_for_all(const std::array<V, N>& values, const Rule& rule) {
  for (const auto& value : values)
    if (!holds_for_all(value, rule)) return false;
  return true;
}
template <class V, class Rule>
bool holds_for_all(const std::map<std::string, V>& values, const Rule& rule) {
  for (const auto& [key, value] : values)
    if (!holds_for_all(value, rule)) return false;
  return true;
}

/// Wraps a single value's node the way the field holds it.
template <class V>
struct Wrap {
  static ConfigNode node(ConfigNode value) { return value; }
};
template <class V>
struct Wrap<std::optional<V>> : Wrap<V> {};
template <class V>
struct Wrap<std::vector<V>> {
  static ConfigNode node(ConfigNode value) {
    auto list = ConfigNode::list();
    list.append(Wrap<V>::node(std::move(value)));
    return list;
  }
};
template <class V, size_t N>
struct Wrap<std::array<V, N>> {
  static ConfigNode node(ConfigNode value) {
    auto list = ConfigNode::list();
    for (size_t i = 0; i < N; ++i) list.append(Wrap<V>::node(value));
    return list;
  }
};
template <class V>
struct Wrap<std::map<std::string, V>> {
  static ConfigNode node(ConfigNode value) {
    auto map = ConfigNode::map();
    map.set("name", Wrap<V>::node(std::move(value)));
    return map;
  }
};

template <class V>
bool is_filled(const V& value) {
  return !value.empty();
}
template <class V>
bool is_filled(const std::optional<V>& value) {
  return !value || is_filled(*value);
}

/// "integers" of "integer": names in lists.
std::string plural(const std::string& name);

}  // namespace schema_detail

/// The keys of options struct `T`, declared once in `static void T::describe(Schema<T>&)`.
///
/// That one declaration reads and checks configs, writes them, prints help, makes the reference
/// documentation and the generated tests. Defaults stand in the struct, and only there.
template <class T>
class Schema : public SchemaBase {
 public:
  /// What may be said about one key; every call returns the field itself.
  ///
  /// On optional values, lists and mappings, rules about numbers and words hold for every value inside.
  template <class V>
  class FieldBuilder {
   public:
    using Single = typename schema_detail::Inner<V>::type;

    FieldBuilder(Schema& schema, V T::* member)
        : schema_(schema), index_(schema.fields_.size() - 1), member_(member) {}

    FieldBuilder& required() {
      doc().required = true;
      doc().default_value.clear();
      return *this;
    }
    FieldBuilder& doc(std::string text) {
      doc().doc = std::move(text);
      return *this;
    }

    /// `limits` completes the sentence "must be ..."; `violation` is a value that breaks the rule, so
    /// that generated tests try it.
    FieldBuilder& must_be(const std::string& limits, std::function<bool(const V&)> rule,
                          std::optional<V> violation = std::nullopt) {
      std::optional<ConfigNode> node;
      if (violation) node = Codec<V>::emit(*violation, nullptr);
      return add(limits, std::move(rule), std::move(node));
    }

    FieldBuilder& must_be_in(Single low, Single high) {
      add_single(
          "in [" + show(low) + ", " + show(high) + "]",
          [low, high](const Single& v) { return low <= v && v <= high; }, Codec<Single>::less(low));
      violations_also(Codec<Single>::more(high));
      return *this;
    }
    FieldBuilder& at_least(Single low) {
      return add_single(
          "at least " + show(low), [low](const Single& v) { return low <= v; },
          Codec<Single>::less(low));
    }
    FieldBuilder& at_most(Single high) {
      return add_single(
          "at most " + show(high), [high](const Single& v) { return v <= high; },
          Codec<Single>::more(high));
    }
    FieldBuilder& less_than(Single bound) {
      return add_single(
          "less than " + show(bound), [bound](const Single& v) { return v < bound; }, bound);
    }
    FieldBuilder& positive() {
      return add_single("positive", [](const Single& v) { return Single{} < v; }, Single{});
    }
    FieldBuilder& one_of(std::vector<Single> allowed) {
      std::string limits = "one of ";
      for (size_t i = 0; i < allowed.size(); ++i) limits += (i ? ", " : "") + show(allowed[i]);
      return add_single(
          limits,
          [allowed](const Single& v) {
            for (const auto& candidate : allowed)
              if (candidate == v) return true;
            return false;
          },
          Codec<Single>::other_than(allowed));
    }
    FieldBuilder& non_empty() {
      return add(
          "non-empty", [](const V& v) { return schema_detail::is_filled(v); },
          Codec<V>::emit_empty());
    }

    /// Of a component slot: what stands there when the config names nothing.
    FieldBuilder& default_type(std::string type) {
      doc().default_value = type;
      doc().default_type = std::move(type);
      return *this;
    }

   private:
    Field& self() { return schema_.fields_[index_]; }
    FieldDoc& doc() { return self().doc; }
    static std::string show(const Single& value) {
      return emit_flow(Codec<Single>::emit(value, nullptr));
    }

    FieldBuilder& add(const std::string& limits, std::function<bool(const V&)> rule,
                      std::optional<ConfigNode> violation) {
      doc().limits += (doc().limits.empty() ? "" : " and ") + limits;
      self().constraints.push_back({limits,
                                    [member = member_, rule = std::move(rule)](const void* target) {
                                      return rule(static_cast<const T*>(target)->*member);
                                    },
                                    std::move(violation)});
      return *this;
    }
    FieldBuilder& add_single(const std::string& limits, std::function<bool(const Single&)> rule,
                             const Single& violation) {
      return add(
          limits,
          [rule = std::move(rule)](const V& v) { return schema_detail::holds_for_all(v, rule); },
          wrapped(violation));
    }
    // One more example for the newest rule, under a rule of its own that always agrees with it.
    void violations_also(const Single& violation) {
      auto copy = self().constraints.back();
      copy.violation = wrapped(violation);
      copy.holds = [](const void*) { return true; };
      self().constraints.push_back(std::move(copy));
    }
    static ConfigNode wrapped(const Single& value) {
      return schema_detail::Wrap<V>::node(Codec<Single>::emit(value, nullptr));
    }

    Schema& schema_;
    size_t index_;
    V T::* member_;
  };

  static const Schema& instance() {
    static const Schema schema = [] {
      Schema made;
      T::describe(made);
      return made;
    }();
    return schema;
  }

  template <class V>
  FieldBuilder<V> field(const std::string& name, V T::* member);

  /// A rule over several keys, checked when each of them is right; reported at the mapping.
  void invariant(std::string message, std::function<bool(const T&)> rule) {
    invariant("", std::move(message), std::move(rule));
  }
  /// The same, reported at one key.
  void invariant(std::string key, std::string message, std::function<bool(const T&)> rule) {
    invariants_.push_back(
        {std::move(key), std::move(message), [rule = std::move(rule)](const void* target) {
           return rule(*static_cast<const T*>(target));
         }});
  }
};

/// A struct that says its keys in `describe`.
template <class T>
concept Described = requires(Schema<T>& schema) { T::describe(schema); };

// --- Codecs -----------------------------------------------------------------------------------

template <>
struct Codec<bool> {
  static std::string name() { return "true or false"; }
  static void read(const Cursor& at, bool& value);
  static ConfigNode emit(bool value, const Catalog*) {
    return ConfigNode::plain(value ? "true" : "false");
  }
  static ConfigNode wrong() { return ConfigNode::plain("yes"); }
};

template <>
struct Codec<double> {
  static std::string name() { return "number"; }
  static void read(const Cursor& at, double& value);
  static ConfigNode emit(double value, const Catalog*);
  static ConfigNode wrong() { return ConfigNode::text("many"); }
  static double less(double value) { return value - 1.0; }
  static double more(double value) { return value + 1.0; }
  static double other_than(const std::vector<double>& values) {
    double largest = 0.0;
    for (const double value : values) largest = value > largest ? value : largest;
    return largest + 1.0;
  }
};

namespace schema_detail {
/// Adds a problem and returns nothing when the value is no integer within the limits.
std::optional<int64_t> read_signed(const Cursor& at, int64_t low, int64_t high);
std::optional<uint64_t> read_unsigned(const Cursor& at, uint64_t high);
}  // namespace schema_detail

template <class T>
  requires(std::integral<T> && !std::same_as<T, bool>)
struct Codec<T> {
  static std::string name() { return "integer"; }
  static void read(const Cursor& at, T& value) {
    using Limits = std::numeric_limits<T>;
    if constexpr (std::signed_integral<T>) {
      if (const auto read = schema_detail::read_signed(at, Limits::min(), Limits::max()))
        value = static_cast<T>(*read);
    } else {
      if (const auto read = schema_detail::read_unsigned(at, Limits::max()))
        value = static_cast<T>(*read);
    }
  }
  static ConfigNode emit(T value, const Catalog*) {
    return ConfigNode::plain(std::to_string(value));
  }
  static ConfigNode wrong() { return ConfigNode::plain("2.5"); }
  static T less(T value) { return static_cast<T>(value - 1); }
  static T more(T value) { return static_cast<T>(value + 1); }
  static T other_than(const std::vector<T>& values) {
    T largest = 0;
    for (const T value : values) largest = value > largest ? value : largest;
    return more(largest);
  }
};

template <>
struct Codec<std::string> {
  static std::string name() { return "text"; }
  static void read(const Cursor& at, std::string& value);
  static ConfigNode emit(const std::string& value, const Catalog*) {
    return ConfigNode::text(value);
  }
  static ConfigNode wrong() { return ConfigNode::list(); }
  static ConfigNode emit_empty() { return ConfigNode::text(""); }
  static std::string other_than(const std::vector<std::string>& values) {
    return join(values, "_or_") + "_or_else";
  }
};

/// A value that may be switched off with `null`.
template <class V>
struct Codec<std::optional<V>> {
  static std::string name() { return Codec<V>::name(); }
  static void read(const Cursor& at, std::optional<V>& value) {
    if (at.node().is_null()) {
      value.reset();
      return;
    }
    if (!value) value.emplace();
    Codec<V>::read(at, *value);
  }
  static void read_absent(const Cursor& at, std::optional<V>& value)
    requires requires(V& inner) { Codec<V>::read_absent(at, inner); }
  {
    if (value) Codec<V>::read_absent(at, *value);
  }
  static ConfigNode emit(const std::optional<V>& value, const Catalog* catalog) {
    return value ? Codec<V>::emit(*value, catalog) : ConfigNode::null();
  }
  static ConfigNode wrong() { return Codec<V>::wrong(); }
  static ConfigNode emit_empty() { return Codec<V>::emit_empty(); }
  static void shape(FieldDoc& doc) {
    if constexpr (requires { Codec<V>::shape(doc); }) Codec<V>::shape(doc);
    doc.nullable = true;
  }
};

template <class V>
struct Codec<std::vector<V>> {
  static std::string name() { return "list of " + schema_detail::plural(Codec<V>::name()); }
  static void read(const Cursor& at, std::vector<V>& values) {
    if (!at.node().is_list())
      return at.fail("expected a " + name() + ", got " + at.node().describe());
    values.clear();
    for (size_t i = 0; i < at.node().items().size(); ++i) {
      V value{};
      Codec<V>::read(at.item(i).with_slot("", true), value);
      values.push_back(std::move(value));
    }
  }
  static ConfigNode emit(const std::vector<V>& values, const Catalog* catalog) {
    auto list = emit_empty();
    for (const auto& value : values) list.append(Codec<V>::emit(value, catalog));
    return list;
  }
  static ConfigNode wrong() { return ConfigNode::text("several"); }
  static ConfigNode emit_empty() { return ConfigNode::list(); }
  static void shape(FieldDoc& doc) {
    if constexpr (requires { Codec<V>::shape(doc); }) Codec<V>::shape(doc);
    doc.container = FieldDoc::Container::kList;
    doc.nullable = false;
  }
};

/// A list of a fixed length.
template <class V, size_t N>
struct Codec<std::array<V, N>> {
  static std::string name() {
    return "list of " + std::to_string(N) + " " + schema_detail::plural(Codec<V>::name());
  }
  static void read(const Cursor& at, std::array<V, N>& values) {
    if (!at.node().is_list() || at.node().items().size() != N)
      return at.fail("expected a " + name() + ", got " +
                     (at.node().is_list() ? std::to_string(at.node().items().size()) + " of them"
                                          : at.node().describe()));
    for (size_t i = 0; i < N; ++i) Codec<V>::read(at.item(i), values[i]);
  }
  static ConfigNode emit(const std::array<V, N>& values, const Catalog* catalog) {
    auto list = ConfigNode::list();
    for (const auto& value : values) list.append(Codec<V>::emit(value, catalog));
    return list;
  }
  static ConfigNode wrong() { return ConfigNode::list(); }
};

/// A mapping whose keys are the user's own names.
template <class V>
struct Codec<std::map<std::string, V>> {
  static std::string name() {
    return "mapping of names to " + schema_detail::plural(Codec<V>::name());
  }
  static void read(const Cursor& at, std::map<std::string, V>& values) {
    if (!at.node().is_map())
      return at.fail("expected a " + name() + ", got " + at.node().describe());
    values.clear();
    for (const auto& entry : at.node().entries()) {
      V value{};
      Codec<V>::read(at.entry(entry).with_slot("", true), value);
      values.emplace(entry.key, std::move(value));
    }
  }
  static ConfigNode emit(const std::map<std::string, V>& values, const Catalog* catalog) {
    auto map = emit_empty();
    for (const auto& [key, value] : values) map.set(key, Codec<V>::emit(value, catalog));
    return map;
  }
  static ConfigNode wrong() { return ConfigNode::text("several"); }
  static ConfigNode emit_empty() { return ConfigNode::map(); }
  static void shape(FieldDoc& doc) {
    if constexpr (requires { Codec<V>::shape(doc); }) Codec<V>::shape(doc);
    doc.container = FieldDoc::Container::kMap;
    doc.nullable = false;
  }
};

namespace schema_detail {
/// The index of the word that stands here, or nothing after adding a problem.
std::optional<size_t> read_word(const Cursor& at, const std::vector<std::string>& words);
}  // namespace schema_detail

template <class E>
  requires std::is_enum_v<E>
struct Codec<E> {
  static std::vector<std::string> words() {
    std::vector<std::string> words;
    for (const auto& [word, value] : EnumNames<E>::all()) words.push_back(word);
    return words;
  }
  static std::string name() { return join(words(), " | "); }
  static void read(const Cursor& at, E& value) {
    if (const auto index = schema_detail::read_word(at, words()))
      value = EnumNames<E>::all()[*index].second;
  }
  static ConfigNode emit(E value, const Catalog*) {
    for (const auto& [word, candidate] : EnumNames<E>::all())
      if (candidate == value) return ConfigNode::text(word);
    return ConfigNode::null();
  }
  static ConfigNode wrong() { return ConfigNode::text(join(words(), "_or_") + "_or_else"); }
};

/// A nested mapping with keys of its own. Absent, it still reads its defaults and misses its required
/// keys.
template <Described T>
struct Codec<T> {
  static std::string name() { return "mapping"; }
  static void read(const Cursor& at, T& value) {
    SchemaBase::read(at, {{&Schema<T>::instance(), &value}});
  }
  static void read_absent(const Cursor& at, T& value) { read(at, value); }
  static ConfigNode emit(const T& value, const Catalog* catalog) {
    auto map = ConfigNode::map();
    Schema<T>::instance().emit_into(map, &value, catalog);
    return map;
  }
  static ConfigNode wrong() { return ConfigNode::text("everything"); }
  static void shape(FieldDoc& doc) {
    doc.nested = []() -> const SchemaBase& { return Schema<T>::instance(); };
  }
};

template <class T>
template <class V>
typename Schema<T>::template FieldBuilder<V> Schema<T>::field(const std::string& name,
                                                              V T::* member) {
  static const T defaults{};
  Field field;
  field.doc.name = name;
  field.doc.type = Codec<V>::name();
  if constexpr (requires { Codec<V>::shape(field.doc); }) Codec<V>::shape(field.doc);
  if constexpr (!Described<V>)
    field.doc.default_value = emit_flow(Codec<V>::emit(defaults.*member, nullptr));
  field.read = [member](const Cursor& at, void* target) {
    Codec<V>::read(at, static_cast<T*>(target)->*member);
  };
  if constexpr (requires(const Cursor& at, V& value) { Codec<V>::read_absent(at, value); })
    field.read_absent = [member](const Cursor& at, void* target) {
      Codec<V>::read_absent(at, static_cast<T*>(target)->*member);
    };
  field.emit = [member](const void* value, const Catalog* catalog) {
    return Codec<V>::emit(static_cast<const T*>(value)->*member, catalog);
  };
  field.wrong = Codec<V>::wrong();
  fields_.push_back(std::move(field));
  return FieldBuilder<V>(*this, member);
}

/// Reads a whole config; problems are collected. What is wrong keeps its default.
template <class T>
T read_config(const ConfigNode& node, const Catalog& catalog, Problems& problems) {
  T value{};
  const SchemaBase& schema = Schema<T>::instance();
  SchemaBase::read(Cursor(node, catalog, problems, &schema), {{&schema, &value}});
  return value;
}

/// Reads a whole config.   Throws   ConfigError with every problem in it.
template <class T>
T read_config(const ConfigNode& node, const Catalog& catalog) {
  Problems problems;
  T value = read_config<T>(node, catalog, problems);
  problems.throw_if_any();
  return value;
}

/// The resolved form of a config: every key with its value, defaults and default components included,
/// so that read_config() of it gives the same value again.
template <class T>
ConfigNode emit_config(const T& value, const Catalog& catalog) {
  return Codec<T>::emit(value, &catalog);
}

}  // namespace reckon
