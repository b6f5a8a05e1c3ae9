#include "datasets/arrow_columns.h"

#include <arrow/api.h>

#include <charconv>
#include <cmath>

namespace reckon {
namespace {

template <class T>
std::string shortest(T value) {
  char text[64];
  const auto result = std::to_chars(text, text + sizeof text, value);
  return {text, result.ptr};
}

// Calls `write(row)` for each value that is there.
template <class Write>
void each_row(const arrow::Array& array, ColumnWriter& writer, Write write) {
  for (int64_t row = 0; row < array.length(); ++row)
    if (array.IsNull(row))
      writer.add_missing();
    else
      write(row);
}

template <class ArrayType>
void write_text(const arrow::Array& array, ColumnWriter& writer) {
  const auto& typed = static_cast<const ArrayType&>(array);
  each_row(array, writer, [&](int64_t row) { writer.add_text(typed.GetView(row)); });
}

template <class ArrayType>
void write_numbers(const arrow::Array& array, ColumnType wanted, ColumnWriter& writer,
                   ArrowStorage& storage) {
  const auto& typed = static_cast<const ArrayType&>(array);
  using Value = decltype(typed.Value(0));
  each_row(array, writer, [&](int64_t row) {
    const auto value = typed.Value(row);
    if constexpr (std::is_floating_point_v<Value>) {
      // Data frames have no other way to say that nothing is there.
      if (std::isnan(value)) return writer.add_missing();
      if (wanted == ColumnType::kText) return writer.add_text(storage.keep(number_text(value)));
      writer.add_number(value);
    } else {
      if (wanted == ColumnType::kText) return writer.add_text(storage.keep(shortest(value)));
      if (wanted == ColumnType::kTimestamp) return writer.add_time(static_cast<int64_t>(value));
      writer.add_number(static_cast<double>(value));
    }
  });
}

int64_t floor_divide(int64_t value, int64_t by) {
  return value / by - (value % by != 0 && value < 0 ? 1 : 0);
}

int64_t units_per_second(arrow::TimeUnit::type unit) {
  switch (unit) {
    case arrow::TimeUnit::SECOND:
      return 1;
    case arrow::TimeUnit::MILLI:
      return 1000;
    case arrow::TimeUnit::MICRO:
      return 1000000;
    case arrow::TimeUnit::NANO:
      return 1000000000;
  }
  return 1;
}

void write_seconds(int64_t seconds, ColumnType wanted, ColumnWriter& writer,
                   ArrowStorage& storage) {
  if (wanted == ColumnType::kText) return writer.add_text(storage.keep(shortest(seconds)));
  writer.add_time(seconds);
}

void write_dictionary(const arrow::DictionaryArray& array, ColumnType wanted, ColumnWriter& writer,
                      ArrowStorage& storage) {
  const auto& values = *array.dictionary();
  for (int64_t row = 0; row < array.length(); ++row) {
    if (array.IsNull(row)) {
      writer.add_missing();
      continue;
    }
    write_column(*values.Slice(array.GetValueIndex(row), 1), wanted, writer, storage);
  }
}

}  // namespace

std::string number_text(double value) {
  constexpr double kLargestExactInteger = 9007199254740992.0;
  if (std::floor(value) == value && std::abs(value) <= kLargestExactInteger)
    return shortest(static_cast<int64_t>(value));
  return shortest(value);
}

void write_column(const arrow::Array& array, ColumnType wanted, ColumnWriter& writer,
                  ArrowStorage& storage) {
  writer.reserve(static_cast<size_t>(array.length()));
  switch (array.type_id()) {
    case arrow::Type::NA:
      return each_row(array, writer, [&](int64_t) { writer.add_missing(); });
    case arrow::Type::STRING:
      return write_text<arrow::StringArray>(array, writer);
    case arrow::Type::LARGE_STRING:
      return write_text<arrow::LargeStringArray>(array, writer);
    case arrow::Type::STRING_VIEW:
      return write_text<arrow::StringViewArray>(array, writer);
    case arrow::Type::BINARY:
      return write_text<arrow::BinaryArray>(array, writer);
    case arrow::Type::INT8:
      return write_numbers<arrow::Int8Array>(array, wanted, writer, storage);
    case arrow::Type::UINT8:
      return write_numbers<arrow::UInt8Array>(array, wanted, writer, storage);
    case arrow::Type::INT16:
      return write_numbers<arrow::Int16Array>(array, wanted, writer, storage);
    case arrow::Type::UINT16:
      return write_numbers<arrow::UInt16Array>(array, wanted, writer, storage);
    case arrow::Type::INT32:
      return write_numbers<arrow::Int32Array>(array, wanted, writer, storage);
    case arrow::Type::UINT32:
      return write_numbers<arrow::UInt32Array>(array, wanted, writer, storage);
    case arrow::Type::INT64:
      return write_numbers<arrow::Int64Array>(array, wanted, writer, storage);
    case arrow::Type::UINT64:
      return write_numbers<arrow::UInt64Array>(array, wanted, writer, storage);
    case arrow::Type::FLOAT:
      return write_numbers<arrow::FloatArray>(array, wanted, writer, storage);
    case arrow::Type::DOUBLE:
      return write_numbers<arrow::DoubleArray>(array, wanted, writer, storage);
    case arrow::Type::TIMESTAMP: {
      const auto& typed = static_cast<const arrow::TimestampArray&>(array);
      const auto unit = static_cast<const arrow::TimestampType&>(*array.type()).unit();
      return each_row(array, writer, [&](int64_t row) {
        write_seconds(floor_divide(typed.Value(row), units_per_second(unit)), wanted, writer,
                      storage);
      });
    }
    case arrow::Type::DATE32: {
      const auto& typed = static_cast<const arrow::Date32Array&>(array);
      return each_row(array, writer, [&](int64_t row) {
        write_seconds(int64_t{86400} * typed.Value(row), wanted, writer, storage);
      });
    }
    case arrow::Type::DATE64: {
      const auto& typed = static_cast<const arrow::Date64Array&>(array);
      return each_row(array, writer, [&](int64_t row) {
        write_seconds(floor_divide(typed.Value(row), 1000), wanted, writer, storage);
      });
    }
    case arrow::Type::DICTIONARY:
      return write_dictionary(static_cast<const arrow::DictionaryArray&>(array), wanted, writer,
                              storage);
    default:
      return each_row(array, writer,
                      [&](int64_t) { writer.add_bad("a " + array.type()->ToString()); });
  }
}

}  // namespace reckon
