#include "datasets/table_loader.h"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "core/format.h"
#include "datasets/data_schema.h"
#include "datasets/table_reader.h"
#include "datasets/vocabulary.h"

namespace reckon {
namespace {

const FileList& tables_of(const DataOptions& options, TableRole role) {
  return role == TableRole::kItems ? options.files.items : options.files.users;
}

std::string name_of(TableRole role) { return role == TableRole::kItems ? "item" : "user"; }

/// Goes over the rows of all files of a table that are of known ids, the first of each.
class TableWalk {
 public:
  TableWalk(const DataOptions& options, TableRole role, const IdMap& ids)
      : options_(options),
        files_(tables_of(options, role)),
        ids_(ids),
        role_(name_of(role)),
        is_seen_(static_cast<size_t>(ids.size()), 0) {}

  /// `choose(columns, file, path)` gives what is to be read of each file; `row(id, block, row, path)`
  /// is called for each row, its values behind that of the id, which is column 0.
  template <class Choose, class Row>
  void run(const Choose& choose, const Row& on_row) {
    for (const auto& file : files_) {
      const auto path = options_.resolve(file.path);
      const auto table = open_table(file, path);
      std::vector<TableReader::Selection> selection = {
          {resolve_id(table->columns(), file.roles, role_, path), ColumnType::kText}};
      const auto chosen = choose(table->columns(), file, path);
      selection.insert(selection.end(), chosen.begin(), chosen.end());
      table->select(selection);
      RowBlock block;
      while (table->next(block)) {
        for (const auto& row : block.malformed) refuse_or_count(path, row.line, row.what);
        for (size_t row = 0; row < block.size(); ++row) {
          const auto id = ids_.find(block.columns[0].text[row]);
          if (id < 0) {
            ++num_foreign_;
            continue;
          }
          auto& seen = is_seen_[static_cast<size_t>(id)];
          if (seen != 0) {
            ++num_repeated_;
            continue;
          }
          seen = 1;
          on_row(static_cast<size_t>(id), block, row, path);
        }
      }
    }
  }

  void refuse_or_count(const std::string& path, int64_t line, const std::string& what) {
    if (options_.cleaning.malformed == CleaningOptions::Malformed::kRefuse)
      throw DataError(path, line, what,
                      "'cleaning: {malformed: skip}' counts such rows and goes on");
    ++num_malformed_;
  }

  void add_warnings(std::vector<std::string>& warnings) const {
    const auto num_seen = std::count(is_seen_.begin(), is_seen_.end(), 1);
    if (num_seen < ids_.size())
      warnings.push_back(what() + " has no row for " + format_count(ids_.size() - num_seen) +
                         " of " + format_count(ids_.size()) + " " + role_ + "s");
    if (num_foreign_ > 0)
      warnings.push_back(what() + " has " + format_count(num_foreign_) + " rows of " + role_ +
                         "s without interactions; they are left out");
    if (num_repeated_ > 0)
      warnings.push_back(what() + " has " + format_count(num_repeated_) +
                         " rows of ids that stood before; the first of each counts");
    add_warning_of_malformed(warnings);
  }

  void add_warning_of_malformed(std::vector<std::string>& warnings) const {
    if (num_malformed_ > 0)
      warnings.push_back(what() + " has " + format_count(num_malformed_) +
                         " malformed rows; they were skipped");
  }

 private:
  std::string what() const {
    return role_ + (files_.files.size() == 1 ? " table " : " tables ") + files_.files.front().path;
  }

  const DataOptions& options_;
  const FileList& files_;
  const IdMap& ids_;
  std::string role_;
  std::vector<uint8_t> is_seen_;
  int64_t num_foreign_ = 0, num_repeated_ = 0, num_malformed_ = 0;
};

// What is wrong with a value that could be read, or nothing.
std::string misfit(const ColumnRequest& request, const ColumnValues& values, size_t row) {
  if (values.is_missing[row] != 0) return "";
  if (request.is_number && request.at_least && values.numbers[row] < *request.at_least)
    return request.column + ": expected a number of at least " +
           format_significant(*request.at_least) + ", got " +
           format_significant(values.numbers[row], 12);
  if (request.max_values > 0) {
    const auto count = split_values(values.text[row], request.separator).size();
    if (static_cast<int64_t>(count) > request.max_values)
      return request.column + ": expected a list of at most " + format_count(request.max_values) +
             " values, got " + format_count(static_cast<int64_t>(count)) + " of them";
  }
  return "";
}

}  // namespace

std::vector<TableColumn> read_display_columns(const DataOptions& options, TableRole role,
                                              const IdMap& ids,
                                              std::vector<std::string>& warnings) {
  std::vector<TableColumn> columns;
  if (tables_of(options, role).empty()) return columns;
  const auto place_of = [&](const std::string& name) {
    for (size_t i = 0; i < columns.size(); ++i)
      if (columns[i].name == name) return i;
    columns.push_back({name, std::vector<std::string>(static_cast<size_t>(ids.size()))});
    return columns.size() - 1;
  };
  std::vector<size_t> places;  // of the file at hand
  TableWalk walk(options, role, ids);
  walk.run(
      [&](const auto& in_file, const FileOptions& file, const std::string& path) {
        std::vector<TableReader::Selection> selection;
        places.clear();
        for (const auto column : resolve_display(in_file, file, path)) {
          selection.push_back({column, ColumnType::kText});
          places.push_back(place_of(in_file[column].name));
        }
        return selection;
      },
      [&](size_t id, const RowBlock& block, size_t row, const std::string&) {
        for (size_t i = 0; i < places.size(); ++i)
          columns[places[i]].values[id] = block.columns[i + 1].text[row];
      });
  walk.add_warnings(warnings);
  return columns;
}

std::vector<ColumnContent> read_columns(const DataOptions& options, TableRole role,
                                        const IdMap& ids,
                                        const std::vector<ColumnRequest>& requests,
                                        std::vector<std::string>& warnings) {
  std::vector<ColumnContent> out(requests.size());
  const auto num_rows = static_cast<size_t>(ids.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].is_number)
      out[i].numbers.assign(num_rows, std::numeric_limits<double>::quiet_NaN());
    else
      out[i].texts.resize(num_rows);
  }
  TableWalk walk(options, role, ids);
  walk.run(
      [&](const auto& in_file, const FileOptions&, const std::string& path) {
        std::vector<TableReader::Selection> selection;
        for (const auto& request : requests)
          selection.push_back({require_column(in_file, request.column, path, request.option),
                               request.is_number ? ColumnType::kNumber : ColumnType::kText});
        return selection;
      },
      [&](size_t id, const RowBlock& block, size_t row, const std::string& path) {
        for (size_t i = 0; i < requests.size(); ++i)
          if (const auto wrong = misfit(requests[i], block.columns[i + 1], row); !wrong.empty())
            return walk.refuse_or_count(path, block.lines[row], wrong);
        for (size_t i = 0; i < requests.size(); ++i) {
          const auto& values = block.columns[i + 1];
          if (values.is_missing[row] != 0) continue;
          if (requests[i].is_number)
            out[i].numbers[id] = values.numbers[row];
          else
            out[i].texts[id] = values.text[row];
        }
      });
  // The others were said when the data was prepared.
  walk.add_warning_of_malformed(warnings);
  return out;
}

std::vector<std::string> read_text_column(const DataOptions& options, TableRole role,
                                          const IdMap& ids, const std::string& column) {
  std::vector<std::string> values(static_cast<size_t>(ids.size()));
  std::vector<TableReader::Column> all;
  bool has_column = false, is_here = false;
  TableWalk(options, role, ids)
      .run(
          [&](const auto& in_file, const FileOptions&, const std::string& path) {
            all.insert(all.end(), in_file.begin(), in_file.end());
            is_here = std::any_of(in_file.begin(), in_file.end(),
                                  [&](const auto& other) { return other.name == column; });
            has_column = has_column || is_here;
            std::vector<TableReader::Selection> selection;
            if (is_here)
              selection.push_back({require_column(in_file, column, path), ColumnType::kText});
            return selection;
          },
          [&](size_t id, const RowBlock& block, size_t row, const std::string&) {
            if (is_here && block.columns[1].is_missing[row] == 0)
              values[id] = block.columns[1].text[row];
          });
  const auto& files = tables_of(options, role).files;
  if (!has_column) require_column(all, column, options.resolve(files.front().path));
  return values;
}

std::vector<std::string> read_table_ids(const DataOptions& options, TableRole role) {
  std::set<std::string> out;
  for (const auto& file : tables_of(options, role)) {
    const auto path = options.resolve(file.path);
    const auto table = open_table(file, path);
    table->select(
        {{resolve_id(table->columns(), file.roles, name_of(role), path), ColumnType::kText}});
    RowBlock block;
    while (table->next(block))  // malformed rows are for the reader of the columns to say
      for (size_t row = 0; row < block.size(); ++row)
        if (block.columns[0].is_missing[row] == 0) out.emplace(block.columns[0].text[row]);
  }
  return {out.begin(), out.end()};
}

ColumnSource column_source(const DataOptions& options, const IdMap& users, const IdMap& items,
                           std::function<void(const std::string&)> warn) {
  return [&options, &users, &items,
          warn = std::move(warn)](TableRole role, const std::vector<ColumnRequest>& requests) {
    std::vector<std::string> warnings;
    auto columns =
        read_columns(options, role, role == TableRole::kItems ? items : users, requests, warnings);
    for (const auto& warning : warnings) warn(warning);
    return columns;
  };
}

void check_columns_asked_for(const DataOptions& options, TableRole role,
                             const std::vector<ColumnRequest>& requests, const ConfigNode& config,
                             Problems& problems) {
  const auto& files = tables_of(options, role);
  const auto say = [&](const std::string& option, const std::string& what,
                       const std::string& hint) {
    problems.add(place_of(config, option), option + ": " + what, hint);
  };
  if (files.empty() && !requests.empty())
    return say(requests.front().option,
               "the data names no table of " + name_of(role) + "s to read columns from",
               "give 'data: {files: {" + name_of(role) + "s: {path: ...}}}'");
  for (const auto& file : files) {
    const auto path = options.resolve(file.path);
    if (!std::filesystem::is_regular_file(path)) continue;
    std::unique_ptr<TableReader> table;
    try {
      table = open_table(file, path, 1);
    } catch (const DataError&) {
      continue;  // check_columns() says what is wrong with the file
    }
    std::vector<std::string> names;
    for (const auto& column : table->columns()) names.push_back(column.name);
    for (const auto& request : requests)
      if (std::find(names.begin(), names.end(), request.column) == names.end())
        say(request.option, path + ":1: there is no column '" + request.column + "'",
            suggest(request.column, names));
  }
}

}  // namespace reckon
