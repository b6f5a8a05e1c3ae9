#include "datasets/arrow_columns.h"

#include <arrow/api.h>
#include <arrow/util/float16.h>

#include <charconv>
#include <cmath>
#include <limits>

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

void write_number(double value, ColumnType wanted, ColumnWriter& writer, ArrowStorage& storage) {
  // Data frames have no other way to say that nothing is there.
  if (std::isnan(value)) return writer.add_missing();
  if (wanted == ColumnType::kText) return writer.add_text(storage.keep(number_text(value)));
  writer.add_number(value);
}

// Decimals are read as they are printed: exactly.
template <class ArrayType>
void write_decimals(const arrow::Array& array, ColumnWriter& writer, ArrowStorage& storage) {
  const auto& typed = static_cast<const ArrayType&>(array);
  each_row(array, writer,
           [&](int64_t row) { writer.add_text(storage.keep(typed.FormatValue(row))); });
}

template <class ArrayType>
void write_numbers(const arrow::Array& array, ColumnType wanted, ColumnWriter& writer,
                   ArrowStorage& storage) {
  const auto& typed = static_cast<const ArrayType&>(array);
  using Value = decltype(typed.Value(0));
  const bool takes_ids = writer.takes_ids();
  each_row(array, writer, [&](int64_t row) {
    const auto value = typed.Value(row);
    if constexpr (std::is_floating_point_v<Value>) {
      write_number(value, wanted, writer, storage);
    } else {
      if constexpr (!std::is_same_v<Value, uint64_t>)
        if (takes_ids) return writer.add_id(static_cast<int64_t>(value));
      if (wanted == ColumnType::kText) return writer.add_text(storage.keep(shortest(value)));
      if constexpr (std::is_same_v<Value, uint64_t>) {
        // What does not fit is no time; as a number it is what a double can say of it.
        if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
          return writer.add_number(static_cast<double>(value));
      }
      writer.add_integer(static_cast<int64_t>(value));
    }
  });
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

// A time that is `count` units, of which a second has `per_second`.
void write_time(int64_t count, int64_t per_second, ColumnType wanted, ColumnWriter& writer,
                ArrowStorage& storage) {
  const auto second = floor_divide(count, per_second);
  const auto rest = (count - second * per_second) * (1000000000 / per_second);
  if (wanted != ColumnType::kText) return writer.add_time({second, static_cast<int32_t>(rest)});
  writer.add_text(storage.keep(
      rest == 0 ? shortest(second)
                : number_text(static_cast<double>(count) / static_cast<double>(per_second))));
}

void write_dictionary(const arrow::DictionaryArray& array, ColumnType wanted, ColumnWriter& writer,
                      ArrowStorage& storage) {
  const auto& values = *array.dictionary();
  if (values.type_id() == arrow::Type::STRING && values.length() > 0) {
    const auto& texts = static_cast<const arrow::StringArray&>(values);
    const bool as_codes = writer.takes_ids();
    if (as_codes) writer.set_dictionary(static_cast<size_t>(values.length()));
    return each_row(array, writer, [&](int64_t row) {
      const auto code = array.GetValueIndex(row);
      if (texts.IsNull(code)) return writer.add_missing();
      if (as_codes) return writer.add_code(static_cast<int32_t>(code), texts.GetView(code));
      writer.add_text(texts.GetView(code));
    });
  }
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
    case arrow::Type::BOOL: {
      const auto& typed = static_cast<const arrow::BooleanArray&>(array);
      return each_row(array, writer, [&](int64_t row) {
        if (wanted == ColumnType::kText)
          return writer.add_text(typed.Value(row) ? "true" : "false");
        writer.add_integer(typed.Value(row) ? 1 : 0);
      });
    }
    case arrow::Type::HALF_FLOAT: {
      const auto& typed = static_cast<const arrow::HalfFloatArray&>(array);
      return each_row(array, writer, [&](int64_t row) {
        const double value = arrow::util::Float16::FromBits(typed.Value(row)).ToFloat();
        write_number(value, wanted, writer, storage);
      });
    }
    case arrow::Type::DECIMAL128:
      return write_decimals<arrow::Decimal128Array>(array, writer, storage);
    case arrow::Type::DECIMAL256:
      return write_decimals<arrow::Decimal256Array>(array, writer, storage);
    case arrow::Type::TIMESTAMP: {
      const auto& typed = static_cast<const arrow::TimestampArray&>(array);
      const auto unit = static_cast<const arrow::TimestampType&>(*array.type()).unit();
      return each_row(array, writer, [&](int64_t row) {
        write_time(typed.Value(row), units_per_second(unit), wanted, writer, storage);
      });
    }
    case arrow::Type::DATE32: {
      const auto& typed = static_cast<const arrow::Date32Array&>(array);
      return each_row(array, writer, [&](int64_t row) {
        write_time(int64_t{86400} * typed.Value(row), 1, wanted, writer, storage);
      });
    }
    case arrow::Type::DATE64: {
      const auto& typed = static_cast<const arrow::Date64Array&>(array);
      return each_row(array, writer, [&](int64_t row) {
        write_time(typed.Value(row), 1000, wanted, writer, storage);
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
