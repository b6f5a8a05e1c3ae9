#include "models/ease.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "core/format.h"
#include "core/memory.h"
#include "kernels/inverse.h"
#include "kernels/sparse_rows.h"
#include "models/interaction_matrix.h"

namespace reckon {

namespace {

// A pivot below this share of its diagonal element is rounding and no information.
constexpr double kLeastPivot = 4e-6;

// The matrix, which becomes the weights when all are kept; else those that are, three times while they are put
// in order. Refused before the work of minutes, which would end in the hands of the system.
void require_room(int64_t num_items, int64_t keep) {
  const int64_t kept = keep == 0 ? num_items : std::min(keep, num_items);
  const auto size = static_cast<double>(num_items);
  const double in_order = keep == 0 ? 0.0 : 3.0 * kept * sizeof(SparseElement);
  const double needed = size * (size * sizeof(float) + in_order);
  const auto available = available_memory();
  if (!available || needed <= static_cast<double>(*available)) return;
  throw std::invalid_argument(
      "ease: " + format_count(num_items) + " items with " + format_count(kept) +
      " weights of each take " + format_bytes(static_cast<int64_t>(needed)) +
      " while they are learnt, and " + format_bytes(*available) + " of memory are free; expected " +
      (keep == 0 ? "" : "a smaller `keep`, or ") + "fewer items");
}

// The lower triangle of X^T X; what lies above it is zero.
torch::Tensor lower_gram(const SparseRows& users, int64_t num_items) {
  const auto items = transpose(users, num_items);
  const auto* item_offset = items.offsets.const_data_ptr<int64_t>();
  const auto* user = items.columns.const_data_ptr<int32_t>();
  const auto* user_offset = users.offsets.const_data_ptr<int64_t>();
  const auto* item = users.columns.const_data_ptr<int32_t>();
  auto gram = torch::zeros({num_items, num_items});  // [I, I]
  auto* out = gram.data_ptr<float>();
  at::parallel_for(0, num_items, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t p = item_offset[i]; p < item_offset[i + 1]; ++p)
        for (int64_t q = user_offset[user[p]]; q < user_offset[user[p] + 1]; ++q) {
          if (item[q] > i) break;  // they ascend
          out[i * num_items + item[q]] += 1.0f;
        }
  });
  return gram;
}

}  // namespace

void Ease::Options::describe(Schema<Options>& schema) {
  schema.field("regularization", &Options::regularization)
      .at_least(0.0)
      .doc("Added to the number of interactions of each item; more makes weights smaller.");
  schema.field("dropout", &Options::dropout)
      .must_be_in(0.0, 0.99)
      .doc("Share of the input that training would drop; 0 is EASE, more is EDLAE.");
  schema.field("keep", &Options::keep)
      .at_least(0)
      .doc(
          "Weights that are kept of each item, the largest by magnitude, at 8 bytes; 0: all, at 4 "
          "bytes.");
}

Ease::Ease(const Options& options, const Deps& deps) : ItemWeightsModel(deps), options_(options) {}

double Ease::fit(const Interactions& train, const Context&) {
  TORCH_CHECK(train.num_items == num_items(), "ease: made for ", num_items(),
              " items, got data of ", train.num_items);
  require_room(num_items(), options_.keep);
  auto matrix = lower_gram(interaction_matrix(train), num_items());  // [I, I]
  auto diagonal = matrix.diagonal();                                 // [I]
  diagonal.mul_(1.0 / (1.0 - options_.dropout)).add_(options_.regularization);
  const int64_t singular = invert_positive_definite_(matrix, kLeastPivot);
  if (singular >= 0)
    throw std::invalid_argument(
        "ease: the system of " + std::to_string(num_items()) + " items is singular at dense item " +
        std::to_string(singular) +
        ": it has no training interaction, or the same ones as other items together; expected a "
        "larger `regularization` than " +
        format_significant(options_.regularization));
  const auto scale = diagonal.reciprocal().neg();  // [I]
  if (options_.keep > 0) {
    weights_->fill_from_dense(matrix, scale, options_.keep);
  } else {
    matrix.mul_(scale);  // of each column: the inverse is symmetric, so rows are histories' already
    diagonal.zero_();
    weights_->fill_dense(matrix);
  }
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace reckon
