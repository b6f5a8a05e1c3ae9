#include "layers/embedding_table.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <cmath>

#include "core/ids.h"
#include "kernels/row_sums.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

// Dense ids count from 0 and the two reserved ids are negative: -2 (padding), -1 (unknown).
constexpr int64_t kRowsInFront = 2;
constexpr int64_t kPaddingRow = 0;
static_assert(kPaddingId + kRowsInFront == kPaddingRow && kUnknownId + kRowsInFront == 1);

// The rows of all dense ids. The gradient names rows instead of being copied behind two rows of zeros.
class RowsOfIds : public torch::autograd::Function<RowsOfIds> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& weight) {
    context->saved_data["height"] = weight.size(0);
    return weight.slice(0, kRowsInFront);  // [I, D]
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto height = context->saved_data["height"].toInt();
    const auto& gradient = grads[0];  // [I, D]
    const auto rows = gradient.is_sparse() ? gradient._indices() + kRowsInFront
                                           : torch::arange(kRowsInFront, height,
                                                           gradient.options().dtype(torch::kLong))
                                                 .unsqueeze(0);
    const auto values = gradient.is_sparse() ? gradient._values() : gradient;
    return {at::_sparse_coo_tensor_unsafe(rows, values, {height, gradient.size(1)},
                                          values.options().layout(torch::kSparse))};
  }
};

}  // namespace

void draw_rows(const torch::Tensor& rows, const EmbeddingInit& init, int64_t height,
               const std::optional<at::Generator>& generator) {
  torch::NoGradGuard no_grad;
  const int64_t width = rows.size(1);
  switch (init.kind) {
    case EmbeddingInit::Kind::kNormal:
      rows.normal_(0.0, init.scale, generator);
      return;
    case EmbeddingInit::Kind::kUniform:
      rows.uniform_(-init.scale, init.scale, generator);
      return;
    case EmbeddingInit::Kind::kXavierUniform: {
      const double bound = std::sqrt(6.0 / static_cast<double>(height + width));
      rows.uniform_(-bound, bound, generator);
      return;
    }
    case EmbeddingInit::Kind::kXavierNormal:
      rows.normal_(0.0, std::sqrt(2.0 / static_cast<double>(height + width)), generator);
      return;
  }
}

void EmbeddingInit::describe(Schema<EmbeddingInit>& schema) {
  schema.field("kind", &EmbeddingInit::kind).doc("The distribution.");
  schema.field("scale", &EmbeddingInit::scale)
      .positive()
      .doc("Standard deviation (normal) or half the range (uniform); unused by the xavier kinds.");
}

EmbeddingTableImpl::EmbeddingTableImpl(const Options& options) : options_(options) {
  TORCH_CHECK(options.num_rows >= 0 && options.width > 0,
              "EmbeddingTable: expected num_rows >= 0 and width > 0, got ", options.num_rows,
              " and ", options.width);
  auto weight = torch::zeros({kRowsInFront + options.num_rows, options.width});  // [2 + I, D]
  draw_rows(weight.slice(0, kRowsInFront), options.init, options.num_rows);
  weight_ = register_parameter("weight", weight);  // [2 + I, D]
}

int64_t EmbeddingTableImpl::num_rows() const { return weight_.size(0) - kRowsInFront; }

int64_t EmbeddingTableImpl::width() const { return weight_.size(1); }

void EmbeddingTableImpl::check_ids(const torch::Tensor& ids) const {
  if (is_tracing() || ids.numel() == 0) return;
  const auto [lowest, highest] = at::aminmax(ids);  // [], []
  const auto low = lowest.item<int64_t>(), high = highest.item<int64_t>();
  TORCH_CHECK(low >= kPaddingId && high < num_rows(), "EmbeddingTable: expected ids in [",
              kPaddingId, ", ", num_rows(), "), got ids in [", low, ", ", high, "]");
}

torch::Tensor EmbeddingTableImpl::rows_of(const torch::Tensor& ids) const {
  check_ids(ids);
  auto rows = ids + kRowsInFront;  // [...]
  if (before_reads_.rows) before_reads_.rows(rows);
  return rows;
}

const torch::Tensor& EmbeddingTableImpl::weight_to_read(int64_t begin, int64_t end) const {
  if (before_reads_.range) before_reads_.range(begin, end);
  return weight_;
}

torch::Tensor EmbeddingTableImpl::sum_of_rows(const torch::Tensor& ids,
                                              const torch::Tensor& weights) const {
  TORCH_CHECK(ids.dim() == 2 && weights.sizes() == ids.sizes(),
              "EmbeddingTable: expected ids and weights [B, T], got ", ids.sizes(), " and ",
              weights.sizes());
  return weighted_row_sums(weight_, rows_of(ids), weights * ids.ne(kPaddingId));  // [B, width]
}

torch::Tensor EmbeddingTableImpl::lookup(const torch::Tensor& ids) const {
  return at::embedding(weight_, rows_of(ids), kPaddingRow, /*scale_grad_by_freq=*/false,
                       /*sparse=*/true);  // [..., D]
}

torch::Tensor EmbeddingTableImpl::all() const {
  const auto& weight = weight_to_read(kRowsInFront, weight_.size(0));
  if (is_tracing()) return weight.slice(0, kRowsInFront);  // [I, D]
  return RowsOfIds::apply(weight);                         // [I, D]
}

torch::Tensor EmbeddingTableImpl::block(int64_t begin, int64_t end) const {
  TORCH_CHECK(0 <= begin && begin <= end && end <= num_rows(),
              "EmbeddingTable: expected a block of [0, ", num_rows(), "), got [", begin, ", ", end,
              ")");
  return weight_to_read(kRowsInFront + begin, kRowsInFront + end)
      .slice(0, kRowsInFront + begin, kRowsInFront + end);  // [end - begin, D]
}

void EmbeddingTableImpl::apply_gradient(const torch::Tensor& rows, const torch::Tensor& values,
                                        const RowUpdate& update) {
  torch::NoGradGuard no_grad;
  const auto is_kept = rows.ne(kPaddingRow);  // [R]
  if (is_kept.all().item<bool>())
    update(weight_.detach(), rows, values);
  else
    update(weight_.detach(), rows.index({is_kept}), values.index({is_kept}));
}

void EmbeddingTableImpl::grow(int64_t count, uint64_t seed) {
  TORCH_CHECK(count >= 0, "EmbeddingTable: expected to grow by 0 rows or more, got ", count);
  if (count == 0) return;
  torch::NoGradGuard no_grad;
  weight_to_read(0, weight_.size(0));
  // Drawn on the CPU, so that a table grows alike on every device.
  auto rows = torch::empty({count, width()}, weight_.options().device(torch::kCPU));  // [count, D]
  draw_rows(rows, options_.init, num_rows() + count, at::detail::createCPUGenerator(seed));
  weight_.set_data(
      torch::cat({weight_.detach(), rows.to(weight_.device())}));  // [2 + I + count, D]
  weight_.mutable_grad() = torch::Tensor();  // a gradient of the old height fits nothing any more
  options_.num_rows += count;
}

void EmbeddingTableImpl::load_rows(const torch::Tensor& values) {
  TORCH_CHECK(values.dim() == 2 && values.size(0) <= num_rows() && values.size(1) == width(),
              "EmbeddingTable: expected at most [", num_rows(), ", ", width(), "], got ",
              values.sizes());
  torch::NoGradGuard no_grad;
  auto rows = block(0, values.size(0));                              // [R, D]
  const auto given = values.to(rows.options());                      // [R, D]
  const auto keep = given.isnan().any(/*dim=*/1, /*keepdim=*/true);  // [R, 1]
  rows.copy_(torch::where(keep, rows, given));
}

}  // namespace reckon
