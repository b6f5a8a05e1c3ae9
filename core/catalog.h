#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include "core/config_node.h"
#include "core/schema.h"

namespace reckon {

template <class Base>
class Registry;

namespace catalog_detail {

/// The key by which a config names an implementation of Base: `type`, or Base::kSelector.
template <class Base>
constexpr const char* selector_of() {
  if constexpr (requires { Base::kSelector; })
    return Base::kSelector;
  else
    return "type";
}

/// Keys that every implementation of a kind takes beside its own; Base::Common, if it has one.
struct NoCommon {};
template <class Base>
struct CommonOf {
  using type = NoCommon;
};
template <class Base>
  requires requires { typename Base::Common; }
struct CommonOf<Base> {
  using type = typename Base::Common;
};

template <class Base>
constexpr bool kHasCommon = !std::is_same_v<typename CommonOf<Base>::type, NoCommon>;

}  // namespace catalog_detail

/// A config's choice of one implementation of `Base`: read and checked, not built yet.
///
/// Base declares `static constexpr const char* kKind`, `using Kind = Base`, `struct Deps` (what only
/// the running program knows), and optionally `kSelector` (the key in place of `type`) and
/// `struct Common` (keys that every implementation takes). Copies share the same immutable options.
template <class Base>
class Component {
 public:
  using Deps = typename Base::Deps;
  using Common = typename catalog_detail::CommonOf<Base>::type;

  Component() = default;  ///< Empty: no component was chosen.

  /// A component that C++ code chooses. `type` is what emit() writes: the name it is registered under.
  template <class Impl>
  static Component make(const typename Impl::Options& options = {}, const std::string& type = "",
                        const Common& common = {});

  explicit operator bool() const { return state_ != nullptr; }
  /// The registered name; empty when there is no component.
  const std::string& type() const;
  /// Where the config chose it: for messages about slots that do not fit each other.
  const SourceLocation& location() const;
  const Common& common() const { return require().common; }

  /// Makes one.   Throws   std::logic_error when empty, and what the constructor throws.
  std::shared_ptr<Base> build(const Deps& deps = {}) const {
    return require().build(require().options.get(), deps);
  }

  /// The options, when they are of this type; else null.
  template <class O>
  const O* options_as() const {
    if (!state_ || state_->options_type != std::type_index(typeid(O))) return nullptr;
    return static_cast<const O*>(state_->options.get());
  }

  /// The mapping that reads as this component; null when empty.
  ConfigNode emit(const Catalog* catalog = nullptr) const;

 private:
  friend class Registry<Base>;
  struct State {
    std::string type;
    SourceLocation location;
    std::shared_ptr<void> options;
    std::type_index options_type = typeid(void);
    const SchemaBase* schema = nullptr;
    Common common;
    std::shared_ptr<Base> (*build)(const void* options, const Deps& deps) = nullptr;
  };
  const State& require() const {
    if (!state_) throw std::logic_error(std::string("no ") + Base::kKind + " was chosen");
    return *state_;
  }

  std::shared_ptr<const State> state_;
};

/// All implementations of one kind, as help and checks see them.
class RegistryBase {
 public:
  struct Item {
    std::string name;
    std::string summary;
    const SchemaBase* schema = nullptr;
  };

  RegistryBase(std::string kind, std::string selector, const SchemaBase* common)
      : kind_(std::move(kind)), selector_(std::move(selector)), common_(common) {}
  virtual ~RegistryBase() = default;

  const std::string& kind() const { return kind_; }          ///< "encoder"
  const std::string& selector() const { return selector_; }  ///< "type"
  /// Keys that every implementation takes; null when there are none.
  const SchemaBase* common() const { return common_; }

  /// In the order of registration.
  const std::vector<Item>& items() const { return items_; }
  std::vector<std::string> names() const;
  const Item* find(const std::string& name) const;
  /// Throw   std::out_of_range for a name that is not registered.
  const std::string& summary(const std::string& name) const;
  std::vector<FieldDoc> docs(const std::string& name) const;
  /// The mapping of a component with all its defaults.
  virtual ConfigNode emit_defaults(const std::string& name, const Catalog& catalog) const = 0;

 protected:
  /// Throws   std::logic_error when the name is taken.
  void add_item(Item item);
  /// The index of the item that a slot chose, or nothing after adding a problem.
  std::optional<size_t> choose(const Cursor& at) const;

 private:
  std::string kind_;
  std::string selector_;
  const SchemaBase* common_;
  std::vector<Item> items_;
};

/// The registry of one kind with what it takes to build.
template <class Base>
class Registry : public RegistryBase {
 public:
  Registry() : RegistryBase(Base::kKind, catalog_detail::selector_of<Base>(), common_schema()) {}

  /// Adds an implementation with `struct Options` (with `describe`) and a constructor
  /// `(const Options&, const Base::Deps&)`.   Throws   std::logic_error when the name is taken.
  template <class Impl>
  void add(const std::string& name, const std::string& summary);

  /// Reads a slot. Adds problems; then `out` stays as it is.
  void read(const Cursor& at, Component<Base>& out) const;

  ConfigNode emit_defaults(const std::string& name, const Catalog& catalog) const override;

 private:
  template <class>
  friend class Component;
  struct Maker {
    std::shared_ptr<void> (*make_options)();
    std::type_index options_type;
    std::shared_ptr<Base> (*build)(const void* options, const typename Base::Deps& deps);
  };
  static const SchemaBase* common_schema() {
    if constexpr (catalog_detail::kHasCommon<Base>)
      return &Schema<typename Base::Common>::instance();
    else
      return nullptr;
  }

  template <class Impl>
  static Maker maker();
  std::shared_ptr<typename Component<Base>::State> make_state(size_t index) const;

  std::vector<Maker> makers_;
};

/// A named model of the literature: YAML that a config builds on with `preset: name`.
struct Preset {
  std::string name;
  std::string summary;
  std::string text;  ///< The YAML as it was written, comments included.
};

/// Everything a config may name: components by kind, and presets. An ordinary object; nothing is
/// global, and a program or a test makes its own.
class Catalog {
 public:
  Catalog() = default;
  Catalog(Catalog&&) = default;
  Catalog& operator=(Catalog&&) = default;

  template <class Base>
  Registry<Base>& of();
  /// An empty registry when nothing of the kind was added.
  template <class Base>
  const Registry<Base>& of() const;

  /// Registers `Impl` with the kind it implements.   Throws   std::logic_error when the name is taken.
  template <class Impl>
  void add(const std::string& name, const std::string& summary = "");

  /// Kinds in the order in which they came.
  std::vector<const RegistryBase*> kinds() const;
  /// The registry of a kind by its name, or null.
  const RegistryBase* find(std::string_view kind) const;

  /// Without a summary, the first comment line of the text is it.
  /// Throws   std::logic_error when the name is taken.
  void add_preset(const std::string& name, const std::string& text,
                  const std::string& summary = "");
  const std::vector<Preset>& presets() const { return presets_; }
  std::vector<std::string> preset_names() const;
  const Preset* find_preset(const std::string& name) const;
  /// The parsed preset; places name `<preset NAME>`.
  /// Throws   ConfigError when there is none of this name, with the nearest, or it is no YAML.
  ConfigNode preset(const std::string& name) const;

 private:
  struct Slot {
    std::type_index type;
    std::unique_ptr<RegistryBase> registry;
  };
  const RegistryBase* find(std::type_index type) const;

  std::vector<Slot> slots_;
  std::vector<Preset> presets_;
};

// --- Implementation ---------------------------------------------------------------------------

template <class Base>
template <class Impl>
typename Registry<Base>::Maker Registry<Base>::maker() {
  using Options = typename Impl::Options;
  return {[]() -> std::shared_ptr<void> { return std::make_shared<Options>(); }, typeid(Options),
          [](const void* options, const typename Base::Deps& deps) -> std::shared_ptr<Base> {
            return std::make_shared<Impl>(*static_cast<const Options*>(options), deps);
          }};
}

template <class Base>
template <class Impl>
void Registry<Base>::add(const std::string& name, const std::string& summary) {
  static_assert(std::is_base_of_v<Base, Impl>, "a component must derive from the base of its kind");
  static_assert(
      requires { typename Impl::Options; },
      "a component needs a `struct Options` with what a config may say about it");
  static_assert(Described<typename Impl::Options>,
                "Options needs `static void describe(Schema<Options>&)`");
  static_assert(
      std::is_constructible_v<Impl, const typename Impl::Options&, const typename Base::Deps&>,
      "a component needs a constructor (const Options&, const Deps&)");
  static_assert(!std::is_abstract_v<Impl>,
                "a component must override every pure function of its base");
  add_item({name, summary, &Schema<typename Impl::Options>::instance()});
  makers_.push_back(maker<Impl>());
}

template <class Base>
void Registry<Base>::read(const Cursor& at, Component<Base>& out) const {
  if (at.node().is_null() && !at.is_required() && at.default_type().empty()) {
    out = {};
    return;
  }
  const auto index = choose(at);
  if (!index) return;
  auto state = make_state(*index);
  state->location = at.key_location();
  std::vector<SchemaBase::Part> parts;
  if constexpr (catalog_detail::kHasCommon<Base>) parts.push_back({common(), &state->common});
  parts.push_back({state->schema, state->options.get()});
  SchemaBase::read(at, parts, selector());
  out.state_ = std::move(state);
}

template <class Base>
ConfigNode Registry<Base>::emit_defaults(const std::string& name, const Catalog& catalog) const {
  Component<Base> component;
  for (size_t i = 0; i < items().size(); ++i)
    if (items()[i].name == name) component.state_ = make_state(i);
  return component.emit(&catalog);
}

template <class Base>
std::shared_ptr<typename Component<Base>::State> Registry<Base>::make_state(size_t index) const {
  const auto& maker = makers_[index];
  auto state = std::make_shared<typename Component<Base>::State>();
  state->type = items()[index].name;
  state->options = maker.make_options();
  state->options_type = maker.options_type;
  state->schema = items()[index].schema;
  state->build = maker.build;
  return state;
}

template <class Base>
template <class Impl>
Component<Base> Component<Base>::make(const typename Impl::Options& options,
                                      const std::string& type, const Common& common) {
  static_assert(std::is_base_of_v<Base, Impl>, "a component must derive from the base of its kind");
  const auto maker = Registry<Base>::template maker<Impl>();
  auto state = std::make_shared<State>();
  state->type = type;
  state->options = std::make_shared<typename Impl::Options>(options);
  state->options_type = maker.options_type;
  state->schema = &Schema<typename Impl::Options>::instance();
  state->common = common;
  state->build = maker.build;
  Component component;
  component.state_ = std::move(state);
  return component;
}

template <class Base>
const std::string& Component<Base>::type() const {
  static const std::string none;
  return state_ ? state_->type : none;
}

template <class Base>
const SourceLocation& Component<Base>::location() const {
  static const SourceLocation nowhere;
  return state_ ? state_->location : nowhere;
}

template <class Base>
ConfigNode Component<Base>::emit(const Catalog* catalog) const {
  if (!state_) return ConfigNode::null();
  auto map = ConfigNode::map();
  map.set(catalog_detail::selector_of<Base>(), ConfigNode::text(state_->type));
  if constexpr (catalog_detail::kHasCommon<Base>)
    Schema<Common>::instance().emit_into(map, &state_->common, catalog);
  state_->schema->emit_into(map, state_->options.get(), catalog);
  return map;
}

template <class Base>
Registry<Base>& Catalog::of() {
  if (const auto* found = find(std::type_index(typeid(Base))))
    return *static_cast<Registry<Base>*>(const_cast<RegistryBase*>(found));
  slots_.push_back({typeid(Base), std::make_unique<Registry<Base>>()});
  return *static_cast<Registry<Base>*>(slots_.back().registry.get());
}

template <class Base>
const Registry<Base>& Catalog::of() const {
  static const Registry<Base> empty;
  const auto* found = find(std::type_index(typeid(Base)));
  return found ? *static_cast<const Registry<Base>*>(found) : empty;
}

template <class Impl>
void Catalog::add(const std::string& name, const std::string& summary) {
  static_assert(
      requires { typename Impl::Kind::Deps; },
      "a component inherits `using Kind = Base;` from the base of its kind");
  of<typename Impl::Kind>().template add<Impl>(name, summary);
}

/// A slot: `{type: name, ...options}`, or only the name.
template <class Base>
struct Codec<Component<Base>> {
  static std::string name() { return Base::kKind; }
  static void read(const Cursor& at, Component<Base>& value) {
    at.catalog().template of<Base>().read(at, value);
  }
  static void read_absent(const Cursor& at, Component<Base>& value) {
    if (!at.default_type().empty()) read(at, value);
  }
  static ConfigNode emit(const Component<Base>& value, const Catalog* catalog) {
    return value.emit(catalog);
  }
  static ConfigNode wrong() { return ConfigNode::list(); }
  static void shape(FieldDoc& doc) { doc.kind = Base::kKind; }
};

}  // namespace reckon
