#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/readers.h"

namespace arrow {
class Array;
class RecordBatch;
}  // namespace arrow

namespace reckon {

/// What the text of a block of rows points into.
struct ArrowStorage {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  std::deque<std::string> texts;  // a deque: views into short strings must survive growth

  std::string_view keep(std::string text) { return texts.emplace_back(std::move(text)); }
};

/// The shortest text that reads back as `value`, without a fraction where there is none: 12.0 is "12".
std::string number_text(double value);

/// Hands the values of an Arrow array of any usual type to a column.
void write_column(const arrow::Array& array, ColumnType wanted, ColumnWriter& writer,
                  ArrowStorage& storage);

}  // namespace reckon
