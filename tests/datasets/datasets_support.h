#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "datasets/data_options.h"
#include "datasets/dataset.h"
#include "datasets/prepare.h"

namespace arrow {
class Array;
}

namespace reckon::testing {

/// A folder of its own for one test, gone when the test ends.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  std::string write(const std::string& name, const std::string& content) const;
  std::string write_gz(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

/// Reads the section `data` of an experiment; files and cache lie in `directory`.
DataOptions data_options(const TemporaryDirectory& directory, const std::string& yaml);

/// Raw ids of each user's items of one part, in order: {"ann: a b", "bob: c"}.
std::vector<std::string> sequences(const Dataset& dataset, Split split);

/// The same for all parts.
std::vector<std::string> sequences(const Dataset& dataset);

/// An Arrow column of texts.
std::shared_ptr<arrow::Array> text_array(const std::vector<std::string>& values);

/// Writes a Parquet file of such columns.
void write_parquet(
    const std::string& path,
    const std::vector<std::pair<std::string, std::shared_ptr<arrow::Array>>>& columns);

/// What `run` throws, as text; "nothing" when it throws nothing.
template <class Run>
std::string error_of(Run run) {
  try {
    run();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "nothing";
}

/// `text` with every `from` replaced by `to`: for messages that name temporary paths.
std::string replaced(std::string text, const std::string& from, const std::string& to);

template <class T>
std::vector<T> values_of(const torch::Tensor& tensor) {
  const auto flat = tensor.contiguous();
  return {flat.data_ptr<T>(), flat.data_ptr<T>() + flat.numel()};
}

/// Interactions with given items of each user, all of weight and label 1.
Interactions interactions_of(const std::vector<std::vector<int32_t>>& items_of_users,
                             int64_t num_items);

}  // namespace reckon::testing
