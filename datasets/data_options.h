#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/catalog.h"
#include "datasets/edge_source.h"
#include "datasets/file_options.h"
#include "datasets/splitter.h"

namespace reckon {

/// The files of a data set, by role. Several files in a role are read one after another.
struct FilesOptions {
  FileList interactions;
  FileList validation;
  FileList test;
  FileList items;
  FileList users;
  FileList triples;
  FileList links;
  FileList friends;

  static void describe(Schema<FilesOptions>& schema);
};

/// Rows to keep, by the value of any column. All conditions of one filter must hold.
struct ValueFilter {
  std::string column;
  std::string at_least;
  std::string at_most;
  std::optional<std::string> equals;
  std::vector<std::string> one_of;

  static void describe(Schema<ValueFilter>& schema);
};

/// Least and greatest number of interactions.
struct CountRange {
  int64_t at_least = 0;
  std::optional<int64_t> at_most;

  bool holds(int64_t count) const { return count >= at_least && (!at_most || count <= *at_most); }
  bool operator==(const CountRange&) const = default;
  static void describe(Schema<CountRange>& schema);
};

struct CountOptions {
  CountRange users;
  CountRange items;
  static void describe(Schema<CountOptions>& schema);
};

struct CoreOptions {
  int64_t users = 0;
  int64_t items = 0;
  static void describe(Schema<CoreOptions>& schema);
};

struct TimeRange {
  std::string from;
  std::string until;
  static void describe(Schema<TimeRange>& schema);
};

/// Kinds of events, such as view, cart and buy.
struct EventOptions {
  std::vector<std::string> keep;
  std::map<std::string, double> weights;
  static void describe(Schema<EventOptions>& schema);
};

/// What is taken out of the data, in the order in which it happens.
struct CleaningOptions {
  enum class Malformed { kRefuse, kSkip };
  enum class Missing { kRefuse, kDrop };
  enum class Duplicates { kKeepAll, kKeepFirst, kKeepLast, kMerge };

  Malformed malformed = Malformed::kRefuse;
  Missing missing = Missing::kRefuse;
  EventOptions events;
  std::vector<ValueFilter> filters;
  TimeRange time;
  std::optional<double> implicit_from;
  bool linked_items = false;
  Duplicates duplicates = Duplicates::kKeepAll;
  CountOptions counts;
  CoreOptions k_core;

  static void describe(Schema<CleaningOptions>& schema);
};

template <>
struct EnumNames<CleaningOptions::Malformed> {
  static std::vector<std::pair<std::string, CleaningOptions::Malformed>> all() {
    return {{"refuse", CleaningOptions::Malformed::kRefuse},
            {"skip", CleaningOptions::Malformed::kSkip}};
  }
};

template <>
struct EnumNames<CleaningOptions::Missing> {
  static std::vector<std::pair<std::string, CleaningOptions::Missing>> all() {
    return {{"refuse", CleaningOptions::Missing::kRefuse},
            {"drop", CleaningOptions::Missing::kDrop}};
  }
};

template <>
struct EnumNames<CleaningOptions::Duplicates> {
  static std::vector<std::pair<std::string, CleaningOptions::Duplicates>> all() {
    return {{"keep_all", CleaningOptions::Duplicates::kKeepAll},
            {"keep_first", CleaningOptions::Duplicates::kKeepFirst},
            {"keep_last", CleaningOptions::Duplicates::kKeepLast},
            {"merge", CleaningOptions::Duplicates::kMerge}};
  }
};

/// Where the data is and what is made of it: the section `data` of an experiment.
struct DataOptions {
  std::string directory;
  FilesOptions files;
  CleaningOptions cleaning;
  Component<Splitter> split;
  std::optional<GraphOptions> graph;
  std::string ids_from;
  bool mutual = false;
  bool whole_catalogue = false;
  std::string cache = ".reckon/cache";

  static void describe(Schema<DataOptions>& schema);

  /// `path` as it stands when it is absolute, else below `directory`.
  std::string resolve(const std::string& path) const;
};

}  // namespace reckon
