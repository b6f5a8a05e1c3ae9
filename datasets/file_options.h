#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"
#include "datasets/text_blocks.h"

namespace reckon {

enum class FileFormat { kDelimited, kSequences, kJsonLines, kParquet, kFeather };

/// What the values of a column are.
enum class ColumnType { kText, kInteger, kNumber, kTimestamp };

/// What a number in a column of times counts.
enum class TimeUnit { kSeconds, kMilliseconds, kMicroseconds, kNanoseconds };

template <>
struct EnumNames<TimeUnit> {
  static std::vector<std::pair<std::string, TimeUnit>> all() {
    return {{"s", TimeUnit::kSeconds},
            {"ms", TimeUnit::kMilliseconds},
            {"us", TimeUnit::kMicroseconds},
            {"ns", TimeUnit::kNanoseconds}};
  }
};

template <>
struct EnumNames<FileFormat> {
  static std::vector<std::pair<std::string, FileFormat>> all() {
    return {{"delimited", FileFormat::kDelimited},
            {"sequences", FileFormat::kSequences},
            {"json_lines", FileFormat::kJsonLines},
            {"parquet", FileFormat::kParquet},
            {"feather", FileFormat::kFeather}};
  }
};

template <>
struct EnumNames<ColumnType> {
  static std::vector<std::pair<std::string, ColumnType>> all() {
    return {{"text", ColumnType::kText},
            {"integer", ColumnType::kInteger},
            {"number", ColumnType::kNumber},
            {"timestamp", ColumnType::kTimestamp}};
  }
};

template <>
struct EnumNames<Encoding> {
  static std::vector<std::pair<std::string, Encoding>> all() {
    return {{"utf-8", Encoding::kUtf8}, {"latin-1", Encoding::kLatin1}};
  }
};

/// Which column plays which part. An empty name means: the column with a customary name, if any
/// (see customary_names()).
struct RoleOptions {
  std::string user;
  std::string item;
  std::string rating;
  std::string timestamp;
  std::string event;
  std::string weight;
  std::string head;
  std::string relation;
  std::string tail;
  std::string entity;
  std::string friend_of;  ///< The key is `friend`.

  bool names_any() const;
  static void describe(Schema<RoleOptions>& schema);
};

/// One file of the data set: where it is and how to read it.
struct FileOptions {
  std::string path;
  std::optional<FileFormat> format;
  std::string separator;
  std::optional<bool> header;
  std::vector<std::string> columns;
  Encoding encoding = Encoding::kUtf8;
  std::optional<bool> quoting;
  bool quoted_newlines = false;
  std::map<std::string, ColumnType> types;
  std::optional<TimeUnit> timestamp_unit;
  std::vector<std::string> missing_values = {""};
  RoleOptions roles;
  std::vector<std::string> display;

  static void describe(Schema<FileOptions>& schema);
};

/// The files of one role: written as one mapping, or as a list of them that are read in their order.
struct FileList {
  std::vector<FileOptions> files;

  bool empty() const { return files.empty(); }
  auto begin() const { return files.begin(); }
  auto end() const { return files.end(); }
};

template <>
struct Codec<FileList> {
  static std::string name() { return "file or list of files"; }
  static void read(const Cursor& at, FileList& list);
  static ConfigNode emit(const FileList& list, const Catalog* catalog);
  static ConfigNode wrong() { return ConfigNode::text("data.csv"); }
  static void shape(FieldDoc& doc) {
    doc.nested = []() -> const SchemaBase& { return Schema<FileOptions>::instance(); };
  }
};

}  // namespace reckon
