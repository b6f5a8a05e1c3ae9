#include "datasets/data_schema.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "datasets/readers.h"

namespace reckon {
namespace {

std::string folded(const std::string& name) {
  std::string out;
  for (const char c : name)
    if (c != '_' && c != ' ' && c != '-')
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::vector<std::string> names_of(const std::vector<TableReader::Column>& columns) {
  std::vector<std::string> names;
  for (const auto& column : columns) names.push_back(column.name);
  return names;
}

// The column that the options name for a role, else the one with a customary name, if any.
std::optional<size_t> find_role(const std::vector<TableReader::Column>& columns,
                                const std::string& named, const std::string& role,
                                const std::string& path) {
  if (!named.empty()) return require_column(columns, named, path, "roles." + role);
  std::optional<size_t> found;
  const auto& customary = customary_names(role);
  for (size_t i = 0; i < columns.size(); ++i) {
    if (std::find(customary.begin(), customary.end(), folded(columns[i].name)) == customary.end())
      continue;
    if (found)
      throw DataError(path, 1,
                      "both '" + columns[*found].name + "' and '" + columns[i].name +
                          "' could be the " + role + " column",
                      "give 'roles: {" + role + ": ...}'");
    found = i;
  }
  return found;
}

size_t need_role(const std::vector<TableReader::Column>& columns, const std::string& named,
                 const std::string& role, const std::string& path) {
  const auto found = find_role(columns, named, role, path);
  if (found) return *found;
  throw DataError(path, 1, "no " + role + " column among: " + column_list(columns),
                  "give 'roles: {" + role + ": ...}', or 'columns' when the file has no header");
}

/// Collects what the checks of the files find, each at its place in the config.
class ColumnChecker {
 public:
  ColumnChecker(const DataOptions& options, const ConfigNode& section, Problems& problems)
      : options_(options), section_(section), problems_(problems) {}

  /// The path of the file at `index` of a role, below the section.
  std::string path_of(const std::string& role, size_t index) const {
    const auto path = "files." + role;
    const auto* list = section_.at_path(path);
    return list && list->is_list() ? path + "[" + std::to_string(index) + "]" : path;
  }

  void add(const std::string& key, const std::string& message, const std::string& hint = "") {
    problems_.add(place_of(section_, key), "data." + key + ": " + message, hint);
  }

  // Runs one check; what it throws becomes a problem at `key`.
  template <class Check>
  void check(const std::string& key, Check run) {
    try {
      run();
    } catch (const DataError& error) {
      // What an error says of a file becomes a part of what is said of the config.
      constexpr std::string_view kError = ": error: ", kHint = "\n    hint: ";
      std::string message = error.what(), hint;
      if (const auto end = message.find(kHint); end != std::string::npos) {
        hint = message.substr(end + kHint.size());
        message.resize(end);
      }
      if (const auto word = message.find(kError); word != std::string::npos)
        message.replace(word, kError.size(), ": ");
      // The key stands in front already; what throws says its last words for those who have no key.
      for (auto dot = key.find('.'); dot != std::string::npos; dot = key.find('.', dot + 1)) {
        const auto said = key.substr(dot + 1) + ": ";
        if (const auto word = message.find(said); word != std::string::npos)
          message.erase(word, said.size());
      }
      add(key, message, hint);
    }
  }

  void check_interactions(const FileOptions& file, const std::string& key, DataSchema& schema) {
    const auto& cleaning = options_.cleaning;
    const auto path = options_.resolve(file.path);
    if (!file.display.empty())
      add(key + ".display", path + ": 'display' is for item and user tables");
    std::vector<TableReader::Column> columns;
    Roles roles;
    if (format_of(file) == FileFormat::kSequences) {
      const MappedFile readable(path);
      if (readable.bytes().empty()) throw DataError(path, 0, "is empty");
    } else {
      columns = open_table(file, path, 1)->columns();
      const auto& named = file.roles;
      const auto find = [&](const std::string& name, const std::string& role) {
        std::optional<size_t> found;
        const bool is_needed = role == "user" || role == "item";
        check(key + ".roles." + role, [&] {
          found = is_needed ? need_role(columns, name, role, path)
                            : find_role(columns, name, role, path);
        });
        return found;
      };
      roles.user = find(named.user, "user");
      roles.item = find(named.item, "item");
      roles.rating = find(named.rating, "rating");
      roles.timestamp = find(named.timestamp, "timestamp");
      roles.event = find(named.event, "event");
      roles.weight = find(named.weight, "weight");
    }
    for (size_t i = 0; i < cleaning.filters.size(); ++i) {
      const auto filter = "cleaning.filters[" + std::to_string(i) + "].column";
      check(filter, [&] { require_column(columns, cleaning.filters[i].column, path); });
    }
    const auto need = [&](bool has, const std::string& option, const std::string& what) {
      if (!has) add(option, "needs a " + what + " column, which " + path + " does not have");
    };
    need(!cleaning.implicit_from || roles.rating, "cleaning.implicit_from", "rating");
    const bool has_range = !cleaning.time.from.empty() || !cleaning.time.until.empty();
    need(!has_range || roles.timestamp, "cleaning.time", "timestamp");
    const bool has_events = !cleaning.events.keep.empty() || !cleaning.events.weights.empty();
    need(!has_events || roles.event, "cleaning.events", "event");
    need(!options_.split || !options_.split.build({})->needs_times() || roles.timestamp, "split",
         "timestamp");
    if (!schema.columns.empty()) return;
    schema.columns = columns.empty() ? std::vector<std::string>{"user", "item"} : names_of(columns);
    schema.has_ratings = roles.rating.has_value() && !cleaning.implicit_from;
    schema.has_times = roles.timestamp.has_value();
    schema.has_events = roles.event.has_value();
    schema.has_weights = roles.weight.has_value() || !cleaning.events.weights.empty();
  }

  void check_table(const FileOptions& file, const std::string& key, const std::string& role,
                   std::vector<std::string>& display,
                   std::vector<TableReader::Column>& all_columns) {
    const auto path = options_.resolve(file.path);
    const auto table = open_table(file, path, 1);
    const auto& columns = table->columns();
    all_columns.insert(all_columns.end(), columns.begin(), columns.end());
    check(key + ".roles." + role, [&] { resolve_id(columns, file.roles, role, path); });
    check(key + ".display", [&] {
      for (const auto column : resolve_display(columns, file, path))
        display.push_back(columns[column].name);
    });
  }

  // A table whose columns all play the given parts.
  void check_parts(const FileOptions& file, const std::string& key,
                   const std::vector<std::string>& roles) {
    const auto path = options_.resolve(file.path);
    if (!file.display.empty())
      add(key + ".display", path + ": 'display' is for item and user tables");
    const auto table = open_table(file, path, 1);
    for (const auto& role : roles)
      check(key + ".roles." + role, [&] { resolve_id(table->columns(), file.roles, role, path); });
  }

  void check_edges(const DataSchema& schema, const std::vector<TableReader::Column>& of_items,
                   const std::vector<TableReader::Column>& of_users) {
    if (!options_.graph) return;
    const auto& edges = options_.graph->edges;
    // Of interactions that could not be read nobody knows what they have.
    const bool is_known = !schema.columns.empty();
    const auto need = [&](bool has, const std::string& key, const std::string& what) {
      const auto& path = options_.files.interactions.files.front().path;
      if (!has && is_known)
        add(key, "needs a " + what + " column, which " + options_.resolve(path) + " does not have");
    };
    for (size_t i = 0; i < edges.size(); ++i) {
      const auto key = "graph.edges[" + std::to_string(i) + "]";
      if (const auto* options = edges[i].options_as<InteractionEdges::Options>()) {
        using Weights = InteractionEdges::Options::Weights;
        need(options->weights != Weights::kRating || schema.has_ratings, key + ".weights",
             "rating");
        need(options->weights != Weights::kWeight || schema.has_weights, key + ".weights",
             "weight");
      }
      const auto* attribute = edges[i].options_as<AttributeEdges::Options>();
      if (attribute == nullptr) continue;
      const bool is_of_items = attribute->of == AttributeEdges::Options::Of::kItem;
      const auto& files = is_of_items ? options_.files.items : options_.files.users;
      const auto& columns = is_of_items ? of_items : of_users;
      if (columns.empty()) continue;  // the file itself is a problem already
      check(key + ".column", [&] {
        require_column(columns, attribute->column, options_.resolve(files.files.front().path));
      });
    }
  }

 private:
  const DataOptions& options_;
  const ConfigNode& section_;
  Problems& problems_;
};

}  // namespace

bool Roles::has_same_parts(const Roles& other) const {
  return rating.has_value() == other.rating.has_value() &&
         timestamp.has_value() == other.timestamp.has_value() &&
         event.has_value() == other.event.has_value() &&
         weight.has_value() == other.weight.has_value();
}

const std::vector<std::string>& customary_names(const std::string& role) {
  static const std::map<std::string, std::vector<std::string>> names = {
      {"user", {"user", "userid", "uid", "visitorid", "customerid", "sessionid", "reviewerid"}},
      {"item",
       {"item", "itemid", "iid", "movieid", "productid", "trackid", "artistid", "bookid", "asin"}},
      {"rating", {"rating", "score", "stars"}},
      {"timestamp", {"timestamp", "time", "date", "datetime", "unixreviewtime"}},
      {"event", {"event", "eventtype", "behavior", "behaviour"}},
      {"weight", {"weight"}},
      {"head", {"head", "headid", "subject"}},
      {"relation", {"relation", "relationid", "predicate"}},
      {"tail", {"tail", "tailid", "object"}},
      {"entity", {"entity", "entityid"}},
      {"friend", {"friend", "friendid"}},
  };
  return names.at(role);
}

size_t require_column(const std::vector<TableReader::Column>& columns, const std::string& name,
                      const std::string& path, const std::string& key) {
  for (size_t i = 0; i < columns.size(); ++i)
    if (columns[i].name == name) return i;
  throw DataError(path, 1, (key.empty() ? "" : key + ": ") + "there is no column '" + name + "'",
                  suggest(name, names_of(columns)));
}

Roles resolve_roles(const std::vector<TableReader::Column>& columns, const RoleOptions& options,
                    const std::string& path) {
  Roles roles;
  roles.user = need_role(columns, options.user, "user", path);
  roles.item = need_role(columns, options.item, "item", path);
  roles.rating = find_role(columns, options.rating, "rating", path);
  roles.timestamp = find_role(columns, options.timestamp, "timestamp", path);
  roles.event = find_role(columns, options.event, "event", path);
  roles.weight = find_role(columns, options.weight, "weight", path);
  return roles;
}

size_t resolve_id(const std::vector<TableReader::Column>& columns, const RoleOptions& options,
                  const std::string& role, const std::string& path) {
  const std::map<std::string, const std::string*> named = {
      {"item", &options.item},         {"user", &options.user}, {"head", &options.head},
      {"relation", &options.relation}, {"tail", &options.tail}, {"entity", &options.entity},
      {"friend", &options.friend_of}};
  return need_role(columns, *named.at(role), role, path);
}

std::vector<size_t> resolve_display(const std::vector<TableReader::Column>& columns,
                                    const FileOptions& options, const std::string& path) {
  std::vector<size_t> display;
  for (const auto& name : options.display)
    display.push_back(require_column(columns, name, path, "display"));
  if (!options.display.empty()) return display;
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto name = folded(columns[i].name);
    if (name == "title" || name == "name" || name == "movietitle" || name == "itemname")
      display.push_back(i);
  }
  return display;
}

DataSchema check_columns(const DataOptions& options, const ConfigNode& section,
                         Problems& problems) {
  DataSchema schema;
  ColumnChecker checker(options, section, problems);
  const auto each = [&](const FileList& list, const std::string& role, auto look) {
    for (size_t i = 0; i < list.files.size(); ++i) {
      const auto key = checker.path_of(role, i);
      checker.check(key, [&] { look(list.files[i], key); });
    }
  };
  const auto interactions = [&](const FileOptions& file, const std::string& key) {
    checker.check_interactions(file, key, schema);
  };
  const auto& files = options.files;
  each(files.interactions, "interactions", interactions);
  each(files.validation, "validation", interactions);
  each(files.test, "test", interactions);
  std::vector<TableReader::Column> of_items, of_users;
  each(files.items, "items", [&](const FileOptions& file, const std::string& key) {
    checker.check_table(file, key, "item", schema.item_columns, of_items);
  });
  each(files.users, "users", [&](const FileOptions& file, const std::string& key) {
    checker.check_table(file, key, "user", schema.user_columns, of_users);
  });
  const auto parts = [&](const FileList& list, const std::string& role,
                         const std::vector<std::string>& roles) {
    each(list, role, [&](const FileOptions& file, const std::string& key) {
      checker.check_parts(file, key, roles);
    });
  };
  parts(files.triples, "triples", {"head", "relation", "tail"});
  parts(files.links, "links", {"item", "entity"});
  parts(files.friends, "friends", {"user", "friend"});
  checker.check_edges(schema, of_items, of_users);
  return schema;
}

}  // namespace reckon
