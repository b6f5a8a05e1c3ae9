#include "models/feature_encoding.h"

#include <torch/utils.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/diagnostics.h"
#include "core/ids.h"

namespace reckon {
namespace {

// The distinct values of one cell; nothing of an empty one.
std::vector<std::string_view> values_of(const std::string& text, FeatureType type,
                                        const std::string& separator) {
  if (type == FeatureType::kCategories) {
    auto values = split_values(text, separator);
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
  }
  const auto value = without_blanks(text);
  return value.empty() ? std::vector<std::string_view>() : std::vector{value};
}

// Writes the codes of one cell to `out`, which has room for Column::length and holds paddings.
void put_codes(const FeatureEncoding::Column& column, const std::string& text, int64_t* out) {
  int64_t count = 0;
  const auto values = column.type == FeatureType::kCategories
                          ? split_values(text, column.separator)
                          : values_of(text, column.type, column.separator);
  for (const auto value : values) {
    const auto code = column.vocabulary.find(value);
    if (count == column.length) break;
    if (std::find(out, out + count, code) == out + count) out[count++] = code;
  }
  if (count == 0) *out = kUnknownId;
}

double parse(const FeatureEncoding::Column& column, const std::string& text) {
  const auto value = without_blanks(text);
  if (value.empty()) return std::numeric_limits<double>::quiet_NaN();
  double number = 0.0;
  const auto* end = value.data() + value.size();
  const auto read = std::from_chars(value.data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || !std::isfinite(number))
    throw std::invalid_argument(column.name + ": expected a number, got '" + text + "'");
  if (column.at_least && number < *column.at_least)
    throw std::invalid_argument(column.name + ": expected a number of at least 0, got '" + text +
                                "'");
  return number;
}

}  // namespace

void FeatureColumnOptions::describe(Schema<FeatureColumnOptions>& schema) {
  using Options = FeatureColumnOptions;
  schema.field("column", &Options::column)
      .required()
      .non_empty()
      .doc("Name of the column in data.files.items or data.files.users.");
  schema.field("type", &Options::type)
      .required()
      .doc("What stands in it: one category, a list of categories, or a number.");
  schema.field("min_count", &Options::min_count)
      .at_least(1)
      .doc(
          "Of categories: how many rows of training must have a value; rarer ones are unknown. "
          "Left "
          "out, 2.");
  schema.field("separator", &Options::separator)
      .non_empty()
      .doc("Of a list of categories: what stands between two of them. Left out, a bar.");
  schema.field("max_values", &Options::max_values)
      .positive()
      .at_most(10000)
      .doc("Of a list of categories: how long it may be; a longer one is an error. Left out, 100.");
  schema.field("transform", &Options::transform)
      .doc(
          "Of a number: less the mean and by the deviation (standardize), the same of log(1 + x), "
          "or "
          "a category for each quantile (buckets). Left out, standardize.");
  schema.field("num_buckets", &Options::num_buckets)
      .at_least(2)
      .at_most(1000)
      .doc("Of buckets: how many quantiles. Left out, 10.");
  const auto only = [&](const char* key, const char* of, auto is_given, auto may_be) {
    schema.invariant(key, std::string("is for ") + of + " alone",
                     [=](const Options& o) { return !is_given(o) || may_be(o); });
  };
  only(
      "min_count", "a type of category or categories",
      [](const Options& o) { return o.min_count.has_value(); },
      [](const Options& o) { return !o.is_number(); });
  const auto is_list = [](const Options& o) { return o.type == FeatureType::kCategories; };
  only(
      "separator", "the type categories", [](const Options& o) { return o.separator.has_value(); },
      is_list);
  only(
      "max_values", "the type categories",
      [](const Options& o) { return o.max_values.has_value(); }, is_list);
  only(
      "transform", "the type number", [](const Options& o) { return o.transform.has_value(); },
      [](const Options& o) { return o.is_number(); });
  only(
      "num_buckets", "a number of 'transform: buckets'",
      [](const Options& o) { return o.num_buckets.has_value(); },
      [](const Options& o) {
        return o.is_number() && o.transform_or_default() == NumberTransformImpl::Kind::kBuckets;
      });
}

ColumnRequest FeatureColumnOptions::request(const std::string& option) const {
  ColumnRequest out{.column = column, .is_number = is_number(), .option = option + ".column"};
  if (is_number() && transform_or_default() == NumberTransformImpl::Kind::kLog) out.at_least = 0.0;
  if (type == FeatureType::kCategories) {
    out.separator = separator_or_default();
    out.max_values = max_values_or_default();
  }
  return out;
}

void FeatureOptions::describe(Schema<FeatureOptions>& schema) {
  schema.field("columns", &FeatureOptions::columns)
      .required()
      .non_empty()
      .doc("The columns, each one feature.");
  schema.field("fusion", &FeatureOptions::fusion)
      .doc(
          "How the vectors of the columns become one: added up, or side by side through "
          "hidden_units and a linear layer.");
  schema.field("hidden_units", &FeatureOptions::hidden_units)
      .positive()
      .doc("Of concat: widths of hidden layers before the linear one.");
  schema.field("init", &FeatureOptions::init).doc("How the vectors of values are drawn.");
  schema.field("sparse", &FeatureOptions::sparse)
      .doc("Update only the vectors that a step touches; for columns of very many values.");
  schema.invariant("hidden_units", "are for 'fusion: concat' alone", [](const FeatureOptions& o) {
    return o.hidden_units.empty() || o.fusion == FeatureFusion::kConcat;
  });
  schema.invariant("columns", "name a column twice", [](const FeatureOptions& o) {
    for (size_t i = 0; i < o.columns.size(); ++i)
      for (size_t j = 0; j < i; ++j)
        if (o.columns[i].column == o.columns[j].column) return false;
    return true;
  });
}

std::vector<ColumnRequest> FeatureOptions::requests(const std::string& option) const {
  std::vector<ColumnRequest> out;
  for (size_t i = 0; i < columns.size(); ++i)
    out.push_back(columns[i].request(option + ".columns[" + std::to_string(i) + "]"));
  return out;
}

std::vector<ColumnContent> missing_contents(const std::vector<ColumnRequest>& requests,
                                            int64_t num_rows) {
  std::vector<ColumnContent> out(requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto count = static_cast<size_t>(num_rows);
    if (requests[i].is_number)
      out[i].numbers.assign(count, std::numeric_limits<double>::quiet_NaN());
    else
      out[i].texts.resize(count);
  }
  return out;
}

FeatureEncoding::FeatureEncoding(const std::vector<FeatureColumnOptions>& options,
                                 const std::vector<ColumnContent>& contents,
                                 const torch::Tensor& counted) {
  TORCH_CHECK(options.size() == contents.size(), "FeatureEncoding: expected ", options.size(),
              " columns, got ", contents.size());
  const auto flags = counted.contiguous();  // [n]
  const auto* counts = flags.data_ptr<bool>();
  for (size_t i = 0; i < options.size(); ++i) {
    Column column{.name = options[i].column, .type = options[i].type};
    if (options[i].is_number()) {
      column.at_least = options[i].request("").at_least;
      columns_.push_back(std::move(column));
      continue;
    }
    column.separator =
        column.type == FeatureType::kCategories ? options[i].separator_or_default() : "";
    VocabularyBuilder values;
    const auto& texts = contents[i].texts;
    TORCH_CHECK(static_cast<int64_t>(texts.size()) == flags.numel(), "FeatureEncoding: expected ",
                flags.numel(), " rows, got ", texts.size());
    column.length = 1;
    for (size_t row = 0; row < texts.size(); ++row) {
      const auto of_row = values_of(texts[row], column.type, column.separator);
      column.length = std::max(column.length, static_cast<int64_t>(of_row.size()));
      if (!counts[row]) continue;
      for (const auto value : of_row) values.add(value);
    }
    column.vocabulary = values.build(options[i].min_count_or_default());
    columns_.push_back(std::move(column));
  }
}

int64_t FeatureEncoding::num_codes() const {
  int64_t total = 0;
  for (const auto& column : columns_) total += column.length;
  return total;
}

int64_t FeatureEncoding::num_numbers() const {
  return std::count_if(columns_.begin(), columns_.end(),
                       [](const Column& column) { return column.length == 0; });
}

FeatureEncoding::Rows FeatureEncoding::encode(const std::vector<ColumnContent>& contents) const {
  const auto count =
      contents.empty() ? size_t{0} : std::max(contents[0].texts.size(), contents[0].numbers.size());
  const auto n = static_cast<int64_t>(count);
  const auto num_codes = this->num_codes(), num_numbers = this->num_numbers();
  Rows out{.codes = torch::full({n, num_codes}, kPaddingId, torch::kLong),
           .numbers = torch::empty({n, num_numbers}, torch::kDouble)};  // [n, L], [n, M]
  auto* codes = out.codes.data_ptr<int64_t>();
  auto* numbers = out.numbers.data_ptr<double>();
  int64_t code = 0, number = 0;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const auto& column = columns_[c];
    for (int64_t row = 0; row < n; ++row) {
      const auto r = static_cast<size_t>(row);
      if (column.length == 0)
        numbers[row * num_numbers + number] = contents[c].numbers.at(r);
      else
        put_codes(column, contents[c].texts.at(r), codes + row * num_codes + code);
    }
    number += column.length == 0 ? 1 : 0;
    code += column.length;
  }
  return out;
}

FeatureEncoding::Rows FeatureEncoding::encode(
    const std::vector<std::map<std::string, std::string>>& described) const {
  std::vector<ColumnContent> contents(columns_.size());
  for (const auto& row : described) {
    for (const auto& [name, value] : row)
      if (std::none_of(columns_.begin(), columns_.end(),
                       [&](const Column& column) { return column.name == name; }))
        throw std::invalid_argument("there is no feature '" + name + "'");
    for (size_t c = 0; c < columns_.size(); ++c) {
      const auto found = row.find(columns_[c].name);
      const auto text = found == row.end() ? std::string() : found->second;
      if (columns_[c].length == 0)
        contents[c].numbers.push_back(parse(columns_[c], text));
      else
        contents[c].texts.push_back(text);
    }
  }
  return encode(contents);
}

torch::Tensor FeatureEncoding::tells_anything(const torch::Tensor& codes,
                                              const torch::Tensor& numbers) {
  return codes.ge(0).any(1).logical_or(numbers.isnan().logical_not().any(1));  // [n]
}

}  // namespace reckon
