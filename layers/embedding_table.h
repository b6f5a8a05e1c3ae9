#pragma once

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"

namespace reckon {

/// How new rows of an embedding table are drawn.
struct EmbeddingInit {
  enum class Kind { kNormal, kUniform, kXavierUniform, kXavierNormal };
  Kind kind = Kind::kNormal;
  double scale = 0.02;  ///< Standard deviation, or half the range; unused by Xavier.
  static void describe(Schema<EmbeddingInit>& schema);
};

template <>
struct EnumNames<EmbeddingInit::Kind> {
  static std::vector<std::pair<std::string, EmbeddingInit::Kind>> all() {
    return {{"normal", EmbeddingInit::Kind::kNormal},
            {"uniform", EmbeddingInit::Kind::kUniform},
            {"xavier_uniform", EmbeddingInit::Kind::kXavierUniform},
            {"xavier_normal", EmbeddingInit::Kind::kXavierNormal}};
  }
};

/// Fills `rows` in place, from torch's generator or a given one. `height` is the number of rows of
/// the whole table, which the range of Xavier's initialisation depends on.
///
/// Shapes   rows [R, D]
void draw_rows(const torch::Tensor& rows, const EmbeddingInit& init, int64_t height,
               const std::optional<at::Generator>& generator = std::nullopt);

/// One vector for each dense id, and the only code that knows how ids lie in the weight.
///
/// Two rows stand in front of dense id 0: padding (kPaddingId), always zero and never trained, and
/// unknown (kUnknownId), zero until it is trained.
/// Shapes   weight [2 + num_rows, width]
class EmbeddingTableImpl : public torch::nn::Module {
 public:
  struct Options {
    int64_t num_rows = 0;
    int64_t width = 0;
    bool sparse = false;  ///< An optimiser moves only the rows that a step touched.
    EmbeddingInit init;
  };

  explicit EmbeddingTableImpl(const Options& options);

  int64_t num_rows() const;
  int64_t width() const;
  bool is_sparse() const { return options_.sparse; }

  /// Shapes   ids [...] int64 in {kPaddingId, kUnknownId, 0 .. num_rows - 1} -> [..., width]
  /// Its gradient is sparse and names the rows looked up, in any order and more than once; a dense one
  /// would be a table of zeros for each call.
  /// Throws   c10::Error on any other id.
  torch::Tensor lookup(const torch::Tensor& ids) const;
  torch::Tensor forward(const torch::Tensor& ids) const { return lookup(ids); }

  /// Weighted sums of rows, without gathering them: sum_t weights[b, t] row(ids[b, t]). Padding adds
  /// nothing and costs nothing. Gradients go to the rows whose weight is not zero, sparse and
  /// each row named once, and not to the weights.
  ///
  /// Shapes   ids [B, T] int64 as in lookup(), weights [B, T] -> [B, width]
  /// Throws   c10::Error on any other id.
  torch::Tensor sum_of_rows(const torch::Tensor& ids, const torch::Tensor& weights) const;

  /// The rows of all dense ids, a view that gradients flow through. Its gradient is sparse and names them all:
  /// a dense one would be a copy behind rows of zeros.   Shapes  -> [num_rows, width]
  torch::Tensor all() const;

  /// The rows of ids [begin, end).   Shapes  -> [end - begin, width]
  torch::Tensor block(int64_t begin, int64_t end) const;

  /// How an optimiser changes rows of the weight, in place: it reads and writes those named, no others.
  ///
  /// Shapes   weight [2 + num_rows, width], rows [R] int64 of it, values [R, width] their gradients
  using RowUpdate = std::function<void(const torch::Tensor& weight, const torch::Tensor& rows,
                                       const torch::Tensor& values)>;

  /// Lets `update` write the rows that a sparse gradient of lookup() names, outside of autograd: the one
  /// way in which an optimiser touches rows of a table. Padding is left out whatever the gradient says.
  /// Threads may apply gradients of different rows at once.
  ///
  /// Shapes   rows [R] int64, distinct rows of the weight, values [R, width]
  void apply_gradient(const torch::Tensor& rows, const torch::Tensor& values,
                      const RowUpdate& update);

  /// What has to happen before rows are read or the table grows: an optimiser that puts off the steps of rows
  /// makes them here. Called by every thread that reads.
  struct BeforeReads {
    std::function<void(const torch::Tensor& rows)> rows;    ///< [...] int64 of the weight.
    std::function<void(int64_t begin, int64_t end)> range;  ///< Rows [begin, end) of the weight.
  };
  void set_before_reads(BeforeReads calls) { before_reads_ = std::move(calls); }

  /// Appends `count` rows, drawn from `seed` alone; the parameter object stays the same, and
  /// optimisers pad their state to the new height at their next step.
  void grow(int64_t count, uint64_t seed);

  /// Overwrites rows [0, values.size(0)) (pretrained vectors); a row with a NaN in it is kept as it
  /// was drawn.   Shapes   values [R, width]
  void load_rows(const torch::Tensor& values);

 private:
  // Throws unless every id has a row.
  void check_ids(const torch::Tensor& ids) const;
  // The rows of ids that are about to be read.
  torch::Tensor rows_of(const torch::Tensor& ids) const;
  // The weight, whose rows [begin, end) are about to be read.
  const torch::Tensor& weight_to_read(int64_t begin, int64_t end) const;

  Options options_;
  BeforeReads before_reads_;
  torch::Tensor weight_;
};
TORCH_MODULE(EmbeddingTable);

}  // namespace reckon
