#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"
#include "datasets/column_source.h"
#include "datasets/vocabulary.h"
#include "layers/feature_embedding.h"
#include "layers/number_transform.h"

namespace reckon {

/// What the values of a column are: one of several words, several of them, or a number.
enum class FeatureType { kCategory, kCategories, kNumber };

template <>
struct EnumNames<FeatureType> {
  static std::vector<std::pair<std::string, FeatureType>> all() {
    return {{"category", FeatureType::kCategory},
            {"categories", FeatureType::kCategories},
            {"number", FeatureType::kNumber}};
  }
};

/// One feature: a column of the table of items or of users. What is left out has the value that the
/// function of that name gives.
struct FeatureColumnOptions {
  std::string column;
  FeatureType type = FeatureType::kCategory;
  std::optional<int64_t> min_count;
  std::optional<std::string> separator;
  std::optional<int64_t> max_values;
  std::optional<NumberTransformImpl::Kind> transform;
  std::optional<int64_t> num_buckets;

  bool is_number() const { return type == FeatureType::kNumber; }
  int64_t min_count_or_default() const { return min_count.value_or(2); }
  std::string separator_or_default() const { return separator.value_or("|"); }
  int64_t max_values_or_default() const { return max_values.value_or(100); }
  NumberTransformImpl::Kind transform_or_default() const {
    return transform.value_or(NumberTransformImpl::Kind::kStandardize);
  }
  int64_t num_buckets_or_default() const { return num_buckets.value_or(10); }

  /// What is to be read of the table; `option` is where these options stand.
  ColumnRequest request(const std::string& option) const;

  static void describe(Schema<FeatureColumnOptions>& schema);
};

/// What is known of items or users beside their ids, and how it becomes a vector.
struct FeatureOptions {
  std::vector<FeatureColumnOptions> columns;
  FeatureFusion fusion = FeatureFusion::kSum;
  std::vector<int64_t> hidden_units;
  EmbeddingInit init;
  bool sparse = false;

  /// `option` is where they stand: `model.item.features`.
  std::vector<ColumnRequest> requests(const std::string& option) const;

  static void describe(Schema<FeatureOptions>& schema);
};

/// What columns say of which nothing is known: every value is missing.
std::vector<ColumnContent> missing_contents(const std::vector<ColumnRequest>& requests,
                                            int64_t num_rows);

/// How texts and numbers of a table become codes: learnt once from the rows that training may look at,
/// and the same for a row of the table and for somebody of whom no table tells.
///
/// A value that those rows have less than min_count times is unknown, as are a missing one and one that
/// they never have: kUnknownId. A list without values is one unknown value; values that stand in it
/// twice, and all unknown ones of it, count once.
class FeatureEncoding {
 public:
  struct Column {
    std::string name;
    FeatureType type = FeatureType::kCategory;
    std::string separator;           ///< Of categories.
    int64_t length = 0;              ///< Codes of one row; 0 of a number.
    Vocabulary vocabulary;           ///< Empty of a number.
    std::optional<double> at_least;  ///< Of a number.
  };

  /// The features of n rows, side by side in the order of columns().
  struct Rows {
    torch::Tensor codes;    // [n, L] int64, kPaddingId behind the end of a list
    torch::Tensor numbers;  // [n, M] float64, NaN where missing
  };

  FeatureEncoding() = default;

  /// Shapes   counted [n] bool: the rows of `contents` that are learnt from
  FeatureEncoding(const std::vector<FeatureColumnOptions>& options,
                  const std::vector<ColumnContent>& contents, const torch::Tensor& counted);

  const std::vector<Column>& columns() const { return columns_; }
  int64_t num_codes() const;    ///< L
  int64_t num_numbers() const;  ///< M

  /// Rows of the table.
  Rows encode(const std::vector<ColumnContent>& contents) const;

  /// Somebody described by column name and raw value; columns that are not named are missing.
  /// Throws   std::invalid_argument with a sentence on an unknown column, and on a text that is no
  ///          number, or too small a one, where one belongs.
  Rows encode(const std::vector<std::map<std::string, std::string>>& described) const;

  /// Which rows tell anything: have a code or a number that is not unknown.   Shapes  -> [n] bool
  static torch::Tensor tells_anything(const torch::Tensor& codes, const torch::Tensor& numbers);

 private:
  std::vector<Column> columns_;
};

}  // namespace reckon
