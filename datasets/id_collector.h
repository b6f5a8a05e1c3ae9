#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "datasets/id_map.h"
#include "datasets/table_reader.h"

namespace reckon {

/// Numbers raw ids 0, 1, ... in the order in which they come, while files are read.
///
/// Most data sets count their users and items. Ids that are integers as people write them ("17", never
/// "017" or "+17") are kept as integers, without a text each and without a hash of it; "17" of a text
/// file and 17 of a binary one are the same id. take() makes the texts, once.
class IdCollector {
 public:
  int64_t size() const { return static_cast<int64_t>(text_of_.size()); }

  int32_t add(std::string_view raw);
  int32_t add(int64_t raw);

  /// Adds the ids of a block, one for each row. What stands for a missing value means nothing.
  void add(const ColumnValues& column, size_t num_rows, std::vector<int32_t>& ids);

  /// What was collected; the collector is empty then.
  IdMap take();

 private:
  void add_integers(const int64_t* raw, size_t count, int32_t* ids);
  void add_texts(const std::string_view* raw, size_t count, int32_t* ids);
  int32_t next(int64_t integer, int32_t text);
  int32_t& slot_of(int64_t raw);
  void grow();

  // Of each id: its integer, or else the place of its text.
  std::vector<int64_t> integers_;
  std::vector<int32_t> text_of_;  // -1 where it is an integer
  IdMap texts_;
  std::vector<int32_t> id_of_text_;

  // Small integers are looked up directly, others by hash (open addressing; the size is a power of
  // two). A value is an id plus one, 0 is empty.
  std::vector<int32_t> direct_;
  struct Slot {
    int64_t integer = 0;
    int32_t id = 0;
  };
  std::vector<Slot> hashed_;
  size_t num_hashed_ = 0;
  std::vector<int32_t> remap_;  // from codes of a block's dictionary to ids
};

/// Reads an integer that is written as it would be printed, of at most 18 digits.
bool parse_plain_integer(std::string_view text, int64_t& value);

}  // namespace reckon
