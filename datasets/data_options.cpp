#include "datasets/data_options.h"

#include <algorithm>
#include <filesystem>

#include "datasets/table_reader.h"

namespace reckon {
namespace {

bool is_number_or_date(const std::string& text) {
  Instant value;
  double number = 0;
  return text.empty() || parse_number(text, number) || parse_time(text, true, true, value);
}

bool is_time(const std::string& text) {
  Instant value;
  return text.empty() || parse_time(text, true, true, value);
}

Instant time_of(const std::string& text) {
  Instant value;
  parse_time(text, true, true, value);
  return value;
}

/// Whether a key of a file says anything, and the formats that hear it.
struct FormatKey {
  const char* name;
  std::vector<FileFormat> formats;
  bool (*is_given)(const FileOptions&);
};

const std::vector<FormatKey>& format_keys() {
  using enum FileFormat;
  const std::vector<FileFormat> text = {kDelimited, kSequences, kJsonLines};
  const std::vector<FileFormat> tables = {kDelimited, kJsonLines, kParquet, kFeather};
  using Options = const FileOptions&;
  static const std::vector<FormatKey> keys = {
      {"separator", {kDelimited, kSequences}, [](Options o) { return !o.separator.empty(); }},
      {"header", {kDelimited}, [](Options o) { return o.header.has_value(); }},
      {"columns", {kDelimited}, [](Options o) { return !o.columns.empty(); }},
      {"encoding", text, [](Options o) { return o.encoding != FileOptions().encoding; }},
      {"quoting", {kDelimited}, [](Options o) { return o.quoting.has_value(); }},
      {"quoted_newlines", {kDelimited}, [](Options o) { return o.quoted_newlines; }},
      {"types", tables, [](Options o) { return !o.types.empty(); }},
      {"timestamp_unit", tables, [](Options o) { return o.timestamp_unit.has_value(); }},
      {"missing_values", tables,
       [](Options o) { return o.missing_values != FileOptions().missing_values; }},
      {"roles", tables, [](Options o) { return o.roles.names_any(); }},
      {"display", tables, [](Options o) { return !o.display.empty(); }},
  };
  return keys;
}

std::string names_of(const std::vector<FileFormat>& formats) {
  std::vector<std::string> names;
  for (const auto& [name, format] : EnumNames<FileFormat>::all())
    if (std::find(formats.begin(), formats.end(), format) != formats.end()) names.push_back(name);
  return join(names);
}

constexpr const char* kNumberOrDate = "a number or an ISO date";

// Edges and the files that they are made of need each other.
void describe_graph_files(Schema<DataOptions>& s) {
  const auto has = [](const DataOptions& o, EdgeKind kind) {
    if (!o.graph) return false;
    for (const auto& edges : o.graph->edges)
      if (edges && edges.build()->kind() == kind) return true;
    return false;
  };
  s.invariant("files", "'triples' are read only for a 'graph' with edges of type 'triples'",
              [has](const DataOptions& o) {
                return o.files.triples.empty() || has(o, EdgeKind::kTriples);
              });
  s.invariant("files", "'links' say which entities of 'triples' items are, and there are none",
              [](const DataOptions& o) {
                return o.files.links.empty() || !o.files.triples.empty();
              });
  s.invariant("cleaning", "'linked_items' are those of a file 'links', and there is none",
              [](const DataOptions& o) {
                return !o.cleaning.linked_items || !o.files.links.empty();
              });
  s.invariant("files", "'friends' are read only for a 'graph' with edges of type 'friends'",
              [has](const DataOptions& o) {
                return o.files.friends.empty() || has(o, EdgeKind::kFriends);
              });
  s.invariant("graph", "edges of type 'triples' need a file 'triples'",
              [has](const DataOptions& o) {
                return !has(o, EdgeKind::kTriples) || !o.files.triples.empty();
              });
  s.invariant("graph", "edges of type 'friends' need a file 'friends'",
              [has](const DataOptions& o) {
                return !has(o, EdgeKind::kFriends) || !o.files.friends.empty();
              });
  s.invariant("graph", "edges of type 'attribute' need a table of those that have it",
              [](const DataOptions& o) {
                if (!o.graph) return true;
                for (const auto& edges : o.graph->edges) {
                  const auto* attribute = edges.options_as<AttributeEdges::Options>();
                  if (attribute == nullptr) continue;
                  const bool of_items = attribute->of == AttributeEdges::Options::Of::kItem;
                  if ((of_items ? o.files.items : o.files.users).empty()) return false;
                }
                return true;
              });
}

// What divides or counts users and items apart is not for data in which they are the same.
void describe_mutual(Schema<DataOptions>& s) {
  s.invariant(
      "split",
      "must divide all pairs of 'mutual' data together: with 'scope: global', by 'time', by "
      "'files' or not at all",
      [](const DataOptions& o) {
        return !o.mutual || (o.split && !o.split.build()->divides_each_user());
      });
  s.invariant("cleaning",
              "'counts' and 'k_core' of 'mutual' data must be alike for users and items",
              [](const DataOptions& o) {
                const auto& counts = o.cleaning.counts;
                const auto& core = o.cleaning.k_core;
                return !o.mutual || (counts.users == counts.items && core.users == core.items);
              });
  s.invariant(
      "cleaning",
      "'duplicates' says nothing of 'mutual' data: of each pair the row that is read first stays",
      [](const DataOptions& o) {
        return !o.mutual || o.cleaning.duplicates == CleaningOptions::Duplicates::kKeepAll;
      });
  s.invariant("mutual", "excludes 'graph' and 'whole_catalogue', where users and items differ",
              [](const DataOptions& o) { return !o.mutual || (!o.graph && !o.whole_catalogue); });
}

}  // namespace

void Codec<FileList>::read(const Cursor& at, FileList& list) {
  if (at.node().is_list()) return Codec<std::vector<FileOptions>>::read(at, list.files);
  list.files.assign(1, FileOptions());
  Codec<FileOptions>::read(at, list.files.front());
}

ConfigNode Codec<FileList>::emit(const FileList& list, const Catalog* catalog) {
  if (list.files.size() == 1) return Codec<FileOptions>::emit(list.files.front(), catalog);
  return Codec<std::vector<FileOptions>>::emit(list.files, catalog);
}

bool RoleOptions::names_any() const {
  for (const auto* name : {&user, &item, &rating, &timestamp, &event, &weight, &head, &relation,
                           &tail, &entity, &friend_of})
    if (!name->empty()) return true;
  return false;
}

void RoleOptions::describe(Schema<RoleOptions>& s) {
  s.field("user", &RoleOptions::user)
      .doc(
          "Column of the user ids. Left out: the one called user, user_id, userId, uid, "
          "visitor_id, customer_id, session_id or reviewerID.");
  s.field("item", &RoleOptions::item)
      .doc(
          "Column of the item ids. Left out: the one called item, item_id, itemId, iid, movie_id, "
          "product_id, track_id, artist_id, book_id or asin.");
  s.field("rating", &RoleOptions::rating)
      .doc(
          "Column of the ratings, which become labels. Left out: rating, score or stars, if "
          "there.");
  s.field("timestamp", &RoleOptions::timestamp)
      .doc(
          "Column of numbers or ISO dates (which become seconds since 1970 UTC). Left out: "
          "timestamp, time, date, datetime or unixReviewTime, if there. See timestamp_unit.");
  s.field("event", &RoleOptions::event)
      .doc("Column of the kind of event. Left out: event, event_type or behavior, if there.");
  s.field("weight", &RoleOptions::weight)
      .doc("Column of the weight of each interaction. Left out: weight, if there.");
  s.field("head", &RoleOptions::head)
      .doc(
          "Of triples: column of the entity that something is said of. Left out: head, head_id or "
          "subject.");
  s.field("relation", &RoleOptions::relation)
      .doc("Of triples: column of what is said. Left out: relation, relation_id or predicate.");
  s.field("tail", &RoleOptions::tail)
      .doc(
          "Of triples: column of the entity that is said of it. Left out: tail, tail_id or "
          "object.");
  s.field("entity", &RoleOptions::entity)
      .doc("Of links: column of the entity that an item is. Left out: entity or entity_id.");
  s.field("friend", &RoleOptions::friend_of)
      .doc("Of friends: column of the other user. Left out: friend or friend_id.");
}

void FileOptions::describe(Schema<FileOptions>& s) {
  s.field("path", &FileOptions::path)
      .required()
      .non_empty()
      .doc(
          "The file; a relative path is taken from data.directory. A name that ends in .gz is "
          "decompressed.");
  s.field("format", &FileOptions::format)
      .doc(
          "Left out, the extension says it: .csv .tsv .tab .inter .item .user are delimited, "
          ".jsonl "
          ".ndjson json_lines, .parquet, .feather and .arrow. 'sequences' has a line "
          "'user item item ...' for each user, oldest first.");
  s.field("separator", &FileOptions::separator)
      .doc(
          "What stands between values, one character or several. Left out: a comma for .csv, a tab "
          "for .tsv .tab .inter .item .user, spaces and tabs for sequences.");
  s.field("header", &FileOptions::header)
      .doc(
          "Whether the first line names the columns (also as name:type). Left out: when 'columns' "
          "is not given.");
  s.field("columns", &FileOptions::columns)
      .doc(
          "Names of the first columns of a file without a header, or new ones for a file with one; "
          "further columns are called column_N, N counting from 1.");
  s.field("encoding", &FileOptions::encoding).doc("Of text files.");
  s.field("quoting", &FileOptions::quoting)
      .doc(
          "Whether a value may stand in double quotes. Left out: when the separator is a comma or "
          "a semicolon.");
  s.field("quoted_newlines", &FileOptions::quoted_newlines)
      .doc("Whether quoted values may hold line breaks; messages then count rows, not lines.");
  s.field("types", &FileOptions::types)
      .doc("Types of columns by name; a value of another type makes its row malformed.");
  s.field("timestamp_unit", &FileOptions::timestamp_unit)
      .doc(
          "What numbers in columns of times count; they become seconds. Left out, they stay as "
          "they "
          "are, and beside dates they count as seconds.");
  s.field("missing_values", &FileOptions::missing_values)
      .doc("Texts that mean that there is no value.");
  s.field("roles", &FileOptions::roles).doc("Which column plays which part.");
  s.field("display", &FileOptions::display)
      .doc(
          "Of item and user tables: columns to keep for people to read. Left out: those called "
          "title, name, movie_title or item_name.");
  s.invariant("header", "a file without a header needs 'columns'", [](const FileOptions& o) {
    return o.header.value_or(true) || !o.columns.empty() ||
           known_format(o).value_or(FileFormat::kDelimited) != FileFormat::kDelimited;
  });
  for (const auto& key : format_keys())
    s.invariant(key.name, "says nothing in this format, only in: " + names_of(key.formats),
                [key](const FileOptions& o) {
                  const auto format = known_format(o);
                  return !format || !key.is_given(o) ||
                         std::find(key.formats.begin(), key.formats.end(), *format) !=
                             key.formats.end();
                });
}

void FilesOptions::describe(Schema<FilesOptions>& s) {
  s.field("interactions", &FilesOptions::interactions)
      .required()
      .must_be(
          "non-empty", [](const FileList& list) { return !list.empty(); }, FileList{})
      .doc("Who did what: a file, or a list of files that are read in this order.");
  s.field("validation", &FilesOptions::validation)
      .doc("Held-out interactions, with 'split: {type: files}'.");
  s.field("test", &FilesOptions::test).doc("Held-out interactions, with 'split: {type: files}'.");
  s.field("items", &FilesOptions::items).doc("Tables of items, for display and for attributes.");
  s.field("users", &FilesOptions::users).doc("Tables of users, for display and for attributes.");
  s.field("triples", &FilesOptions::triples)
      .doc("Facts (head, relation, tail) about items and other entities, with `graph`.");
  s.field("links", &FilesOptions::links)
      .doc(
          "Which entity of the triples each item is. Left out, an entity is the item that has its "
          "id.");
  s.field("friends", &FilesOptions::friends)
      .doc("Pairs of users who know each other, with `graph`.");
}

void ValueFilter::describe(Schema<ValueFilter>& s) {
  s.field("column", &ValueFilter::column).required().non_empty().doc("Any column of the file.");
  s.field("at_least", &ValueFilter::at_least)
      .must_be(kNumberOrDate, is_number_or_date, "soon")
      .doc("The least value that stays.");
  s.field("at_most", &ValueFilter::at_most)
      .must_be(kNumberOrDate, is_number_or_date, "soon")
      .doc("The greatest value that stays.");
  s.field("equals", &ValueFilter::equals)
      .doc("The text that stays; numbers are equal however they are written.");
  s.field("one_of", &ValueFilter::one_of).doc("The texts that stay.");
  s.invariant("at least one of 'at_least', 'at_most', 'equals' and 'one_of' is needed",
              [](const ValueFilter& o) {
                return !o.at_least.empty() || !o.at_most.empty() || o.equals || !o.one_of.empty();
              });
}

void CountRange::describe(Schema<CountRange>& s) {
  s.field("at_least", &CountRange::at_least).at_least(0).doc("The least number that stays.");
  s.field("at_most", &CountRange::at_most).at_least(1).doc("The greatest number that stays.");
  s.invariant("at_most", "must not be below 'at_least'",
              [](const CountRange& o) { return !o.at_most || o.at_least <= *o.at_most; });
}

void CountOptions::describe(Schema<CountOptions>& s) {
  s.field("users", &CountOptions::users).doc("Interactions of a user.");
  s.field("items", &CountOptions::items).doc("Interactions with an item.");
}

void CoreOptions::describe(Schema<CoreOptions>& s) {
  s.field("users", &CoreOptions::users).at_least(0).doc("Least interactions of a user.");
  s.field("items", &CoreOptions::items).at_least(0).doc("Least interactions with an item.");
}

void TimeRange::describe(Schema<TimeRange>& s) {
  s.field("from", &TimeRange::from)
      .must_be(kNumberOrDate, is_time, "soon")
      .doc(
          "The first instant that stays: an ISO date, or a number (of seconds where the file has a "
          "timestamp_unit, else in the unit of the file).");
  s.field("until", &TimeRange::until)
      .must_be(kNumberOrDate, is_time, "soon")
      .doc("The first instant that does not stay.");
  s.invariant("until", "must be later than 'from'", [](const TimeRange& o) {
    return o.from.empty() || o.until.empty() || time_of(o.from) < time_of(o.until);
  });
}

void EventOptions::describe(Schema<EventOptions>& s) {
  s.field("keep", &EventOptions::keep).doc("Kinds of events that stay; empty: all.");
  s.field("weights", &EventOptions::weights)
      .at_least(0)
      .doc(
          "Weight of an interaction by its kind, such as {view: 1, buy: 5}; kinds not named have "
          "1. It is multiplied with the weight column, if there is one.");
}

void CleaningOptions::describe(Schema<CleaningOptions>& s) {
  s.field("malformed", &CleaningOptions::malformed)
      .doc("Rows of the wrong width, or with a value of the wrong type.");
  s.field("missing", &CleaningOptions::missing)
      .doc("Rows without a value in a column that plays a part.");
  s.field("events", &CleaningOptions::events).doc("Kinds of events.");
  s.field("filters", &CleaningOptions::filters)
      .doc("Conditions on columns; a row stays when it meets all.");
  s.field("time", &CleaningOptions::time).doc("The time range that stays.");
  s.field("implicit_from", &CleaningOptions::implicit_from)
      .doc(
          "The rating from which on an interaction counts; lower ones go, and the data has no "
          "ratings any more.");
  s.field("linked_items", &CleaningOptions::linked_items)
      .doc(
          "Keep only interactions with items that data.files.links names: those of which a "
          "knowledge "
          "graph says something.");
  s.field("duplicates", &CleaningOptions::duplicates)
      .doc(
          "Repetitions of a user's item (and kind of event); merge keeps the last and adds up the "
          "weights.");
  s.field("counts", &CleaningOptions::counts)
      .doc("Ranges of the number of interactions, applied once.");
  s.field("k_core", &CleaningOptions::k_core)
      .doc("Least numbers of interactions, applied until all that is left has them.");
}

void DataOptions::describe(Schema<DataOptions>& s) {
  s.field("directory", &DataOptions::directory)
      .doc("Where relative paths of files begin; empty is the working directory.");
  s.field("files", &DataOptions::files).doc("The files by role.");
  s.field("cleaning", &DataOptions::cleaning)
      .doc(
          "What is taken out, in this order: malformed, missing, events, filters, time, "
          "implicit_from, linked_items, duplicates, counts, k_core. Every step is counted in the "
          "report.");
  s.field("split", &DataOptions::split)
      .default_type("leave_one_out")
      .doc("How interactions are divided into training, validation and test.");
  s.field("graph", &DataOptions::graph)
      .doc(
          "What becomes edges between users, items and other things, for models that learn from a "
          "graph; of the interactions only those of training do. Left out: no graph is made.");
  s.field("ids_from", &DataOptions::ids_from)
      .doc(
          "Folder of prepared data, as `reckon prepare` names it, whose users and items keep their "
          "numbers; new ones come behind them. So a model of that data goes on with this.");
  s.field("mutual", &DataOptions::mutual)
      .doc(
          "Whether interactions are pairs of users, who are recommended to each other: ids of both "
          "columns are the same, a pair counts both ways and is held out both ways, and nobody is "
          "recommended to themselves.");
  s.field("whole_catalogue", &DataOptions::whole_catalogue)
      .doc(
          "Whether items of data.files.items that nobody has chosen are items too. A model with "
          "item "
          "features ranks them by these; to every other model they are all alike.");
  s.field("cache", &DataOptions::cache)
      .non_empty()
      .doc(
          "Folder of prepared data, from the working directory; a data set is found again by the "
          "content of its files and these options.");
  s.invariant("files", "'validation' and 'test' files need 'split: {type: files}'",
              [](const DataOptions& o) {
                return (o.files.validation.empty() && o.files.test.empty()) || !o.split ||
                       o.split.build()->takes_files();
              });
  s.invariant("whole_catalogue", "needs a table of items in 'files'",
              [](const DataOptions& o) { return !o.whole_catalogue || !o.files.items.empty(); });
  s.invariant("split", "type 'files' needs a 'test' or 'validation' file",
              [](const DataOptions& o) {
                return !o.files.validation.empty() || !o.files.test.empty() || !o.split ||
                       !o.split.build()->takes_files();
              });
  s.invariant("split",
              "'validation' is a share to draw, but 'files' has a validation file; give one",
              [](const DataOptions& o) {
                return o.files.validation.empty() || !o.split ||
                       !o.split.build()->draws_validation();
              });
  describe_graph_files(s);
  describe_mutual(s);
}

std::string DataOptions::resolve(const std::string& path) const {
  const std::filesystem::path name(path);
  if (name.is_absolute() || directory.empty()) return path;
  return (std::filesystem::path(directory) / name).string();
}

void LeaveOneOut::Options::describe(Schema<Options>& s) {
  s.field("global_time", &Options::global_time)
      .doc(
          "Hold out by two instants for all users, so that nothing in training is younger than "
          "what is held out.");
  s.field("validation", &Options::validation)
      .must_be_in(0, 1)
      .doc("With global_time: share of interactions between the two instants.");
  s.field("test", &Options::test)
      .must_be_in(0, 1)
      .doc("With global_time: share of interactions behind the second instant.");
  for (const auto& [name, member] :
       {std::pair{"validation", &Options::validation}, {"test", &Options::test}})
    s.invariant(name, "is a share of 'global_time'; without it, one interaction is held out",
                [member = member](const Options& o) {
                  return o.global_time || o.*member == Options().*member;
                });
  s.invariant("'validation' and 'test' must leave something for training",
              [](const Options& o) { return o.validation + o.test < 1.0; });
}

void RatioSplit::Options::describe(Schema<Options>& s) {
  s.field("validation", &Options::validation).must_be_in(0, 1).doc("Share of the interactions.");
  s.field("test", &Options::test).must_be_in(0, 1).doc("Share of the interactions.");
  s.field("order", &Options::order)
      .doc("What is held out: any interactions, or the last ones in time.");
  s.field("scope", &Options::scope).doc("Whether the shares are of each user or of all together.");
  s.field("seed", &Options::seed).at_least(0).doc("Of the random order.");
  s.invariant("'validation' and 'test' must leave something for training",
              [](const Options& o) { return o.validation + o.test < 1.0; });
}

void KFoldSplit::Options::describe(Schema<Options>& s) {
  const auto is_fold = [](const std::string& text) {
    return text == kAllFolds || (!text.empty() && text.size() < 10 && text[0] != '0' &&
                                 text.find_first_not_of("0123456789") == std::string::npos);
  };
  s.field("folds", &Options::folds).must_be_in(2, 1'000'000).doc("Parts of the interactions.");
  s.field("repeats", &Options::repeats)
      .must_be_in(1, 1'000)
      .doc("How often all are divided, each time in another order.");
  s.field("seed", &Options::seed).at_least(0).doc("Of the random order.");
  s.field("fold", &Options::fold)
      .must_be("'all' or the number of a fold", is_fold, "some")
      .doc("The part that is the test, counted from 1 through all repeats; all: each in its turn.");
  s.field("scope", &Options::scope)
      .doc("Whether all interactions are divided together, or those of each user.");
  s.field("validation", &Options::validation)
      .must_be_in(0, 1)
      .doc("Share of the training interactions of each fold that is its validation.");
  s.invariant("fold", "must not be above 'folds' times 'repeats'", [](const Options& o) {
    return o.fold == kAllFolds || std::stoll(o.fold) <= o.folds * o.repeats;
  });
  s.invariant("validation", "must leave something for training",
              [](const Options& o) { return o.validation < 1.0; });
}

void TimeSplit::Options::describe(Schema<Options>& s) {
  s.field("validation_from", &Options::validation_from)
      .must_be(kNumberOrDate, is_time, "soon")
      .doc(
          "The first instant of validation: an ISO date, or a number (of seconds where the files "
          "have a timestamp_unit, else in their unit).");
  s.field("test_from", &Options::test_from)
      .must_be(kNumberOrDate, is_time, "soon")
      .doc("The first instant of test.");
  s.invariant("'validation_from' or 'test_from' is needed",
              [](const Options& o) { return !o.validation_from.empty() || !o.test_from.empty(); });
  s.invariant("test_from", "must be later than 'validation_from'", [](const Options& o) {
    return o.validation_from.empty() || o.test_from.empty() ||
           time_of(o.validation_from) < time_of(o.test_from);
  });
}

void FilesSplit::Options::describe(Schema<Options>& s) {
  s.field("validation", &Options::validation)
      .must_be_in(0, 1)
      .doc("Share of each user's training interactions to draw for validation.");
  s.field("seed", &Options::seed).at_least(0).doc("Of the drawing.");
  s.field("global_time", &Options::global_time)
      .doc("Leave out training interactions that are not older than everything held out.");
}

}  // namespace reckon
