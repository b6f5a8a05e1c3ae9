#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/id_map.h"
#include "evaluation/ranked_lists.h"
#include "evaluation/result.h"
#include "evaluation/significance.h"

namespace reckon {

// Files are written beside their place and renamed into it, so that none is ever half there.
// Writers throw DataError when a path cannot be written; readers when a file is not what they expect,
// with the line (or row) and the offending text.

/// Per-user values as Parquet: `user` and one column for each metric; what they are of (data, split,
/// protocol) is in the file's metadata.
void write_per_user(const std::string& path, const EvaluationResult& result, const IdMap& users);

/// The file written by write_per_user, as a run called `name`.
RunResults read_per_user(const std::string& path, const std::string& name);

/// Lists as Parquet: `user`, `item`, `rank` from 1, `score`; unknown items are left out.
void write_lists_parquet(const std::string& path, const RankedLists& lists, const IdMap& users,
                         const IdMap& items);

/// Lists as a TREC run: lines `user Q0 item rank score tag`.
/// Throws   DataError when an id is empty or holds white space, which the format cannot carry.
void write_lists_trec(const std::string& path, const RankedLists& lists, const IdMap& users,
                      const IdMap& items, const std::string& tag);

/// Lists made elsewhere, and what of them the data set does not know.
struct ForeignLists {
  RankedLists lists;
  int64_t num_unknown_users = 0;  ///< Their lists are left out.
  int64_t num_unknown_items = 0;  ///< Places in known users' lists; they stay, as kUnknownId.
  std::vector<std::string> unknown_users, unknown_items;  ///< A few of each, for the message.
};

/// Reads lists by the form of the file: Parquet (columns `user`, `item`, and `score` or `rank` or
/// both), else a TREC run. Places are ordered by score, then rank, then as they stand in the file.
ForeignLists read_lists(const std::string& path, const IdMap& users, const IdMap& items);

}  // namespace reckon
