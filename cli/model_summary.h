#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/catalog.h"
#include "models/model.h"

namespace reckon {

/// A number of parameters as a function of the data: constant + users * U + items * I.
struct ParameterFormula {
  int64_t constant = 0;
  int64_t users = 0;
  int64_t items = 0;

  int64_t at(int64_t num_users, int64_t num_items) const {
    return constant + users * num_users + items * num_items;
  }
  /// `64*I + 51,264`
  std::string to_string() const;
};

struct DataSizes {
  int64_t num_users = 0;
  int64_t num_items = 0;
};

/// The component tree of a model with the parameters of each part, and what memory they take.
///
/// The model is built at three tiny sizes and the formula solved from them; nothing is trained. `graph`
/// is what the data declares, null when it declares none: its nodes that are neither users nor items
/// and its relations count in the constant.
/// Throws   ConfigError when slots do not fit each other.
std::string summarize_model(const Component<Model>& model, const std::optional<DataSizes>& sizes,
                            const Graph* graph = nullptr);

/// Reads `users=100,items=200`. Throws ConfigError.
DataSizes parse_sizes(const std::string& text);

}  // namespace reckon
