#include "core/schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <set>

#include "core/catalog.h"

namespace reckon {

namespace {

const ConfigNode& empty_map() {
  static const auto node = ConfigNode::map();
  return node;
}

std::string child_path(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

bool is_number(std::string_view text) {
  if (!text.empty() && text[0] == '+') text.remove_prefix(1);
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
}

void fail_number(const Cursor& at, const std::string& expected) {
  const auto& node = at.node();
  std::string hint;
  if (node.is_scalar()) {
    const auto& text = node.scalar_text();
    auto without = text;
    std::erase_if(without, [](char c) { return c == '_' || c == ','; });
    auto with_point = text;
    std::replace(with_point.begin(), with_point.end(), ',', '.');
    if (node.is_quoted() && is_number(text))
      hint = "remove the quotes";
    else if (is_number(text))
      hint = "";
    else if (text.find('_') != std::string::npos && is_number(without))
      hint = "write " + without;
    else if (std::count(text.begin(), text.end(), ',') == 1 && is_number(with_point))
      hint = "write " + with_point;
  }
  at.fail("expected " + expected + ", got " + node.describe(), hint);
}

// The digits of a plain scalar as they may stand in front of from_chars.
std::optional<std::string_view> plain_number(const Cursor& at) {
  if (!at.node().is_scalar() || at.node().is_quoted()) return std::nullopt;
  std::string_view text = at.node().scalar_text();
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  return text;
}

template <class Int>
std::optional<Int> read_integer(const Cursor& at, Int low, Int high) {
  const auto text = plain_number(at);
  if (!text) {
    fail_number(at, "an integer");
    return std::nullopt;
  }
  const auto limits = "must be in [" + std::to_string(low) + ", " + std::to_string(high) +
                      "], got '" + at.node().scalar_text() + "'";
  Int value = 0;
  const auto* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error == std::errc::result_out_of_range && stop == end) {
    at.fail(limits);
    return std::nullopt;
  }
  if (error != std::errc() || stop != end) {
    // 1e3 and 2.0 are whole numbers to everybody but a parser of integers.
    double number = 0.0;
    const auto [number_stop, number_error] = std::from_chars(text->data(), end, number);
    const bool whole = number_error == std::errc() && number_stop == end &&
                       std::abs(number) < 1e15 && number == std::floor(number);
    if (!whole)
      fail_number(at, "an integer");
    else if (number < 0 && low == 0)
      at.fail(limits);
    else
      at.fail("expected an integer, got " + at.node().describe(),
              "write " + std::to_string(static_cast<int64_t>(number)));
    return std::nullopt;
  }
  const auto digits = text->substr((*text)[0] == '-' ? 1 : 0);
  if (digits.size() > 1 && digits[0] == '0') {
    at.fail("expected an integer, got " + at.node().describe(),
            "leading zeros mean different numbers to different readers: write " +
                std::to_string(value));
    return std::nullopt;
  }
  if (value < low || value > high) {
    at.fail(limits);
    return std::nullopt;
  }
  return value;
}

// Where in the tree of all schemas a key of this name is at home; for hints.
std::string home_of(const std::string& key, const SchemaBase* root, const Catalog& catalog) {
  struct Place {
    const SchemaBase* schema;
    std::string path;
    std::string type;
  };
  std::deque<Place> places = {{root, "", ""}};
  std::set<const SchemaBase*> seen;
  while (!places.empty()) {
    const auto place = places.front();
    places.pop_front();
    if (!place.schema || !seen.insert(place.schema).second) continue;
    if (place.schema->find(key))
      return (place.path.empty() ? "the outermost mapping" : place.path) + place.type;
    for (const auto& field : place.schema->fields()) {
      auto path = child_path(place.path, field.doc.name);
      if (field.doc.container == FieldDoc::Container::kList) path += "[]";
      if (field.doc.container == FieldDoc::Container::kMap) path += ".<name>";
      if (field.doc.nested) places.push_back({&field.doc.nested(), path, ""});
      const auto* registry = field.doc.kind.empty() ? nullptr : catalog.find(field.doc.kind);
      if (!registry) continue;
      for (const auto& item : registry->items())
        places.push_back({item.schema, path, " (" + registry->selector() + ": " + item.name + ")"});
    }
  }
  return "";
}

std::string unknown_key_hint(const std::string& key, const std::vector<std::string>& known,
                             const Cursor& at) {
  const auto near = nearest(key, known);
  if (!near.empty()) return "did you mean '" + near + "'?";
  const auto home = home_of(key, at.root_schema(), at.catalog());
  if (!home.empty()) return "'" + key + "' is a key of " + home;
  if (known.empty()) return "this mapping takes no keys";
  return "known: " + join(known);
}

}  // namespace

Cursor::Cursor(const ConfigNode& root, const Catalog& catalog, Problems& problems,
               const SchemaBase* root_schema)
    : node_(&root),
      key_location_(root.location()),
      catalog_(&catalog),
      problems_(&problems),
      root_schema_(root_schema) {
  // An empty file is a mapping without keys: then the missing keys are what is wrong with it.
  if (root.is_null()) node_ = &empty_map();
}

void Cursor::fail(const std::string& message, const std::string& hint) const {
  fail_at(node_->is_scalar() && !is_absent_ ? node_->location() : key_location_, message, hint);
}

void Cursor::fail_at(const SourceLocation& where, const std::string& message,
                     const std::string& hint) const {
  problems_->add(where, (path_.empty() ? "" : path_ + ": ") + message, hint);
}

Cursor Cursor::at(const ConfigNode& node, const SourceLocation& key_location,
                  std::string path) const {
  Cursor cursor = *this;
  cursor.node_ = &node;
  cursor.key_location_ = key_location;
  cursor.path_ = std::move(path);
  cursor.default_type_.clear();
  cursor.is_required_ = false;
  cursor.is_absent_ = false;
  return cursor;
}

Cursor Cursor::entry(const ConfigNode::Entry& entry) const {
  return at(entry.value, entry.key_location, child_path(path_, entry.key));
}

Cursor Cursor::item(size_t index) const {
  const auto& item = node_->items()[index];
  return at(item, item.location(), path_ + "[" + std::to_string(index) + "]");
}

Cursor Cursor::absent(const std::string& key) const {
  auto cursor = at(empty_map(), key_location_, child_path(path_, key));
  cursor.is_absent_ = true;
  return cursor;
}

Cursor Cursor::with_slot(const std::string& default_type, bool is_required) const {
  Cursor cursor = *this;
  cursor.default_type_ = default_type;
  cursor.is_required_ = is_required;
  return cursor;
}

std::vector<FieldDoc> SchemaBase::docs() const {
  std::vector<FieldDoc> docs;
  for (const auto& field : fields_) docs.push_back(field.doc);
  return docs;
}

std::vector<std::string> SchemaBase::names() const {
  std::vector<std::string> names;
  for (const auto& field : fields_) names.push_back(field.doc.name);
  return names;
}

const SchemaBase::Field* SchemaBase::find(const std::string& name) const {
  for (const auto& field : fields_)
    if (field.doc.name == name) return &field;
  return nullptr;
}

void SchemaBase::read(const Cursor& at, const std::vector<Part>& parts,
                      const std::string& selector) {
  // A slot may be written as the bare name of its component.
  const bool is_bare_name = !selector.empty() && at.node().is_scalar();
  if (!at.node().is_map() && !is_bare_name)
    return at.fail("expected a mapping, got " + at.node().describe(),
                   at.node().is_null() ? "write {} for a mapping of defaults" : "");
  const auto num_problems = at.num_problems();
  std::vector<std::string> known;
  if (!selector.empty()) known.push_back(selector);
  for (const auto& part : parts)
    for (auto& name : part.schema->names()) known.push_back(std::move(name));

  std::set<std::string> misspelt;  // keys that somebody probably tried to write
  for (const auto& entry : at.node().entries()) {
    if (!selector.empty() && entry.key == selector) continue;
    const auto here = at.entry(entry);
    const Field* field = nullptr;
    void* target = nullptr;
    for (const auto& part : parts)
      if (!field && (field = part.schema->find(entry.key))) target = part.target;
    if (!field) {
      here.fail_at(entry.key_location, "unknown key", unknown_key_hint(entry.key, known, at));
      misspelt.insert(nearest(entry.key, known));
      continue;
    }
    const auto before = at.num_problems();
    field->read(here.with_slot(field->doc.default_type, field->doc.required), target);
    if (at.num_problems() > before) continue;
    for (const auto& constraint : field->constraints) {
      if (constraint.holds(target)) continue;
      auto shown = emit_flow(entry.value);
      constexpr size_t kLongestShown = 60;
      if (shown.size() > kLongestShown) shown = shown.substr(0, kLongestShown) + "...";
      here.fail("must be " + constraint.limits + ", got " + shown);
      break;
    }
  }

  for (const auto& part : parts) {
    for (const auto& field : part.schema->fields()) {
      if (at.node().find(field.doc.name) || misspelt.contains(field.doc.name)) continue;
      if (field.doc.required) {
        at.fail("missing required key '" + field.doc.name + "'", field.doc.doc);
      } else if (field.read_absent) {
        field.read_absent(at.absent(field.doc.name).with_slot(field.doc.default_type, false),
                          part.target);
      }
    }
  }

  if (at.num_problems() > num_problems) return;
  for (const auto& part : parts) {
    for (const auto& invariant : part.schema->invariants()) {
      if (invariant.holds(part.target)) continue;
      const auto* entry = at.node().find_entry(invariant.key);
      if (entry)
        at.entry(*entry).fail(invariant.message);
      else
        at.fail((invariant.key.empty() ? "" : invariant.key + " ") + invariant.message);
    }
  }
}

void SchemaBase::emit_into(ConfigNode& map, const void* value, const Catalog* catalog) const {
  for (const auto& field : fields_) {
    auto node = field.emit(value, catalog);
    const bool is_default_slot = node.is_null() && !field.doc.default_type.empty() &&
                                 !field.doc.nullable && catalog != nullptr;
    if (is_default_slot) {
      const auto* registry = catalog->find(field.doc.kind);
      if (registry && registry->find(field.doc.default_type))
        node = registry->emit_defaults(field.doc.default_type, *catalog);
    }
    map.set(field.doc.name, std::move(node));
  }
}

void Codec<bool>::read(const Cursor& at, bool& value) {
  const auto& text = at.node().scalar_text();
  if (at.node().is_scalar() && !at.node().is_quoted()) {
    if (text == "true" || text == "True" || text == "TRUE") {
      value = true;
      return;
    }
    if (text == "false" || text == "False" || text == "FALSE") {
      value = false;
      return;
    }
  }
  auto folded = text;
  std::transform(folded.begin(), folded.end(), folded.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::string hint;
  if (folded == "yes" || folded == "on" || folded == "y") hint = "write true";
  if (folded == "no" || folded == "off" || folded == "n") hint = "write false";
  if (at.node().is_quoted() && (folded == "true" || folded == "false")) hint = "remove the quotes";
  at.fail("expected true or false, got " + at.node().describe(), hint);
}

void Codec<double>::read(const Cursor& at, double& value) {
  const auto text = plain_number(at);
  if (!text) return fail_number(at, "a number");
  double number = 0.0;
  const auto* end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, number);
  if (error == std::errc::result_out_of_range && stop == end)
    return at.fail("too large or too close to zero for a number, got " + at.node().describe());
  auto word = std::string(*text);
  if (!word.empty() && word[0] == '-') word.erase(0, 1);
  const bool is_not_finite = (stop == end && error == std::errc() && !std::isfinite(number)) ||
                             word == ".inf" || word == ".Inf" || word == ".INF" || word == ".nan" ||
                             word == ".NaN" || word == ".NAN";
  if (is_not_finite) return at.fail("must be a finite number, got " + at.node().describe());
  if (error != std::errc() || stop != end) return fail_number(at, "a number");
  value = number;
}

ConfigNode Codec<double>::emit(double value, const Catalog*) {
  constexpr size_t kLongestDouble = 32;
  char buffer[kLongestDouble];
  const auto [end, error] = std::to_chars(buffer, buffer + kLongestDouble, value);
  std::string text(buffer, error == std::errc() ? end : buffer);
  // 3e-04 as people write it: 3e-4.
  if (const auto exponent = text.find('e'); exponent != std::string::npos) {
    const auto sign = text[exponent + 1] == '-' ? "e-" : "e";
    const auto digits = text.find_first_not_of("0", exponent + 2);
    text = text.substr(0, exponent) + sign + text.substr(digits);
  }
  return ConfigNode::plain(text);
}

void Codec<std::string>::read(const Cursor& at, std::string& value) {
  if (!at.node().is_scalar())
    return at.fail("expected text, got " + at.node().describe(),
                   at.node().is_null() ? "write \"\" for an empty text" : "");
  value = at.node().scalar_text();
}

namespace schema_detail {

std::string plural(const std::string& name) {
  const bool is_word = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_';
  });
  if (!is_word || name.empty()) return name;
  return name + (name.back() == 's' ? "es" : "s");
}

std::optional<int64_t> read_signed(const Cursor& at, int64_t low, int64_t high) {
  return read_integer<int64_t>(at, low, high);
}

std::optional<uint64_t> read_unsigned(const Cursor& at, uint64_t high) {
  return read_integer<uint64_t>(at, 0, high);
}

std::optional<size_t> read_word(const Cursor& at, const std::vector<std::string>& words) {
  if (!at.node().is_scalar()) {
    at.fail("expected one of " + join(words) + ", got " + at.node().describe());
    return std::nullopt;
  }
  const auto& word = at.node().scalar_text();
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == word) return i;
  const auto near = nearest(word, words);
  at.fail("must be one of " + join(words) + ", got " + at.node().describe(),
          near.empty() ? "" : "did you mean '" + near + "'?");
  return std::nullopt;
}

}  // namespace schema_detail

}  // namespace reckon
