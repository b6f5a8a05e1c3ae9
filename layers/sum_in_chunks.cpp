#include "layers/sum_in_chunks.h"

#include <torch/autograd.h>

#include <algorithm>
#include <utility>

#include "kernels/times_upstream.h"

namespace reckon {

namespace {

// Gives a value that was made outside of autograd the gradients that were made beside it.
class WithGradients : public torch::autograd::Function<WithGradients> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& value, at::TensorList /*inputs*/,
                               const std::vector<torch::Tensor>& gradients) {
    context->save_for_backward(gradients);
    return value.clone();  // []
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "sum_in_chunks: second derivatives are not offered");
    const auto saved = context->get_saved_variables();
    auto out = times_upstream(saved, grads[0], saved.size() + 1);  // the last of `gradients`
    out.insert(out.begin(), torch::Tensor());                      // of `value`
    return out;
  }
};

bool wants_gradient(const torch::Tensor& tensor) {
  return at::GradMode::is_enabled() && tensor.defined() && tensor.requires_grad();
}

torch::Tensor leaf_of(const torch::Tensor& tensor) {
  return wants_gradient(tensor) ? tensor.detach().requires_grad_() : tensor;
}

void add_to(torch::Tensor& total, const torch::Tensor& term) {
  total = total.defined() ? total + term : term;
}

}  // namespace

torch::Tensor sum_in_chunks(const ChunkedSum& sum, int64_t rows_per_chunk) {
  TORCH_CHECK(!sum.rows.empty() && rows_per_chunk > 0,
              "sum_in_chunks: expected rows and a positive size of chunks, got ", sum.rows.size(),
              " and ", rows_per_chunk);
  const int64_t num_rows = sum.rows[0].size(0);
  if (num_rows <= rows_per_chunk) return sum.part(sum.rows, sum.whole, 0);  // []

  // What gets gradients, in the order rows, whole, parameters.
  std::vector<torch::Tensor> inputs, gradients;
  for (const auto& tensor : sum.rows)
    if (wants_gradient(tensor)) {
      inputs.push_back(tensor);
      gradients.push_back(torch::zeros_like(tensor.detach()));  // [P, ...]
    }
  const size_t num_cut = inputs.size();
  std::vector<torch::Tensor> whole, lasting;  // leaves of all chunks
  for (const auto& tensor : sum.whole) {
    whole.push_back(leaf_of(tensor));
    if (!wants_gradient(tensor)) continue;
    inputs.push_back(tensor);
    lasting.push_back(whole.back());
  }
  for (const auto& tensor : sum.parameters) {
    if (!wants_gradient(tensor)) continue;
    inputs.push_back(tensor);
    lasting.push_back(tensor);
  }
  gradients.resize(inputs.size());

  torch::Tensor total;
  for (int64_t begin = 0; begin < num_rows; begin += rows_per_chunk) {
    const int64_t length = std::min(rows_per_chunk, num_rows - begin);
    std::vector<torch::Tensor> rows, leaves;
    for (const auto& tensor : sum.rows) {
      rows.push_back(tensor.detach().narrow(0, begin, length));  // [chunk, ...]
      if (wants_gradient(tensor)) leaves.push_back(rows.back().requires_grad_());
    }
    leaves.insert(leaves.end(), lasting.begin(), lasting.end());
    const auto value = sum.part(rows, whole, begin);  // []
    add_to(total, value.detach());                    // []
    if (leaves.empty()) continue;
    const auto made = torch::autograd::grad({value}, leaves, {}, /*retain_graph=*/false,
                                            /*create_graph=*/false, /*allow_unused=*/true);
    for (size_t i = 0; i < made.size(); ++i) {
      if (!made[i].defined()) continue;
      if (i < num_cut)
        gradients[i].narrow(0, begin, length).copy_(made[i]);
      else
        add_to(gradients[i], made[i]);
    }
  }
  if (inputs.empty()) return total;
  return WithGradients::apply(total, at::TensorList(inputs), gradients);  // []
}

}  // namespace reckon
