#pragma once

#include <torch/csrc/jit/api/module.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace reckon {

/// The text of row `row`.
using TextOfRow = std::function<std::string_view(int64_t row)>;

/// A TorchScript module that holds a table of texts and loads fast at any size.
///
/// A list of a million strings takes a quarter of a second to load and a dictionary of them more than
/// one; here rows lie behind one another in pages, whose bounds are a tensor, so that loading is
/// little more than a read of the file. Texts are bytes; nothing is said about their encoding.
///
/// Method   texts(rows: Tensor) -> List[str]
torch::jit::Module make_text_table(int64_t num_rows, const TextOfRow& text,
                                   const std::string& class_name,
                                   std::shared_ptr<torch::jit::CompilationUnit> unit);

/// A text table whose rows are distinct ids, with the way back: a hash of each, in sorted order.
///
/// Method   find(ids: List[str]) -> Tensor, [n] int64 rows, or kUnknownId (core/ids.h)
torch::jit::Module make_id_table(int64_t num_rows, const TextOfRow& text,
                                 const std::string& class_name,
                                 std::shared_ptr<torch::jit::CompilationUnit> unit);

}  // namespace reckon
