#include "kernels/light_propagation.h"

#include <torch/autograd.h>

#include <cmath>

#include "core/random.h"
#include "kernels/dropout_loops.h"
#include "kernels/kernel_threads.h"

namespace reckon {

namespace {

constexpr int64_t kRowsOfTask = 256;

// Where the vector of a node lies, in tables of consecutive nodes.
template <class Scalar>
class TableRows {
 public:
  explicit TableRows(const std::vector<torch::Tensor>& tables) {
    int64_t first = 0;
    for (const auto& table : tables) {
      pieces_.push_back({first, first + table.size(0), table.const_data_ptr<Scalar>()});
      first += table.size(0);
    }
    width_ = tables.front().size(1);
  }
  const Scalar* row(int64_t node) const {
    for (const auto& piece : pieces_)
      if (node < piece.end) return piece.data + (node - piece.first) * width_;
    return nullptr;
  }

 private:
  struct Piece {
    int64_t first, end;
    const Scalar* data;
  };
  std::vector<Piece> pieces_;
  int64_t width_ = 0;
};

// Moves a row e by sign(e) * scale * v; `scale` already holds what the row is scaled by.
template <class Scalar>
void shift_row(Scalar* row, int64_t width, const RandomKey& layer, int64_t node, double scale,
               std::vector<Scalar>& drawn) {
  const uint64_t bits = random_bits(layer, static_cast<uint64_t>(node));
  const dropout_detail::Mask mask{static_cast<uint32_t>(bits), static_cast<uint32_t>(bits >> 32),
                                  0};
  Scalar squares = 0;
  for (int64_t d = 0; d < width; ++d)
    drawn[d] = static_cast<Scalar>(dropout_detail::random_bits(static_cast<uint32_t>(d), mask)) *
               static_cast<Scalar>(0x1p-24);
  for (int64_t d = 0; d < width; ++d) squares += drawn[d] * drawn[d];
  const Scalar factor =
      squares > 0 ? static_cast<Scalar>(scale / std::sqrt(static_cast<double>(squares))) : 0;
  for (int64_t d = 0; d < width; ++d)
    row[d] += row[d] > 0 ? factor * drawn[d] : (row[d] < 0 ? -factor * drawn[d] : Scalar(0));
}

// Shifts rows of a layer; nodes are `rows`, or 0, 1, ... where that is undefined. What a row is scaled
// by is its entry of `row_scale`, or 1.
template <class Scalar>
void shift_layer(const torch::Tensor& layer, const torch::Tensor& rows,
                 const torch::Tensor& row_scale, const LayerNoise& noise, int64_t number) {
  const RandomKey key = RandomKey(noise.key).child(static_cast<uint64_t>(number));
  const int64_t width = layer.size(1);
  auto* data = layer.data_ptr<Scalar>();
  const auto* node_of = rows.defined() ? rows.const_data_ptr<int64_t>() : nullptr;
  const auto* scale_of = row_scale.defined() ? row_scale.const_data_ptr<float>() : nullptr;
  kernel_parallel_for(layer.size(0), kRowsOfTask, [&](int64_t begin, int64_t end) {
    std::vector<Scalar> drawn(width);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t node = node_of == nullptr ? i : node_of[i];
      const double scale = noise.scale * (scale_of == nullptr ? 1.0 : scale_of[node]);
      shift_row(data + i * width, width, key, node, scale, drawn);
    }
  });
}

template <class Scalar>
LightPropagation forward_of(const UndirectedGraph& graph, const std::vector<torch::Tensor>& tables,
                            const torch::Tensor& rows, const std::vector<double>& layer_weights,
                            const std::optional<LayerNoise>& noise) {
  const int64_t num_layers = static_cast<int64_t>(layer_weights.size()) - 1;
  const int64_t width = tables.front().size(1), num_rows = rows.size(0);
  const auto options = tables.front().options().requires_grad(false);
  const TableRows<Scalar> table_rows(tables);
  const auto* node_of = rows.const_data_ptr<int64_t>();
  const auto* root = graph.inverse_root_degree.const_data_ptr<float>();

  LightPropagation out{torch::empty({num_rows, width}, options),
                       torch::empty({num_rows, width}, options)};  // [R, D], [R, D]
  auto* sums = out.vectors.template data_ptr<Scalar>();
  auto* origin = out.origin.template data_ptr<Scalar>();
  const auto own = static_cast<Scalar>(layer_weights[0]);
  kernel_parallel_for(num_rows, kRowsOfTask, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Scalar* from = table_rows.row(node_of[i]);
      for (int64_t d = 0; d < width; ++d) {
        origin[i * width + d] = from[d];
        sums[i * width + d] = own * from[d];
      }
    }
  });
  if (num_layers == 0) return out;

  // D^(-1/2) E_k from here on.
  auto scaled = torch::empty({graph.num_nodes(), width}, options);  // [N, D]
  {
    auto* to = scaled.template data_ptr<Scalar>();
    kernel_parallel_for(graph.num_nodes(), kRowsOfTask, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const Scalar* from = table_rows.row(n);
        const auto factor = static_cast<Scalar>(root[n]);
        for (int64_t d = 0; d < width; ++d) to[n * width + d] = factor * from[d];
      }
    });
  }
  for (int64_t k = 1; k < num_layers; ++k) {
    scaled = spmm(graph, scaled, {.row_scale = graph.inverse_degree});  // [N, D]
    if (noise) shift_layer<Scalar>(scaled, {}, graph.inverse_root_degree, *noise, k);
    const auto weight = static_cast<Scalar>(layer_weights[k]);
    if (weight == 0) continue;
    const auto* layer = scaled.template const_data_ptr<Scalar>();
    kernel_parallel_for(num_rows, kRowsOfTask, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const float inverse_root = root[node_of[i]];
        if (inverse_root == 0.0F) continue;
        const Scalar factor = weight / static_cast<Scalar>(inverse_root);
        const Scalar* from = layer + node_of[i] * width;
        for (int64_t d = 0; d < width; ++d) sums[i * width + d] += factor * from[d];
      }
    });
  }
  auto last =
      spmm(graph, scaled, {.rows = rows, .row_scale = graph.inverse_root_degree});  // [R, D]
  if (noise) shift_layer<Scalar>(last, rows, {}, *noise, num_layers);
  const auto weight = static_cast<Scalar>(layer_weights[num_layers]);
  const auto* layer = last.template const_data_ptr<Scalar>();
  kernel_parallel_for(num_rows * width, kRowsOfTask * width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sums[i] += weight * layer[i];
  });
  return out;
}

class LightFunction : public torch::autograd::Function<LightFunction> {
 public:
  static torch::autograd::variable_list forward(
      torch::autograd::AutogradContext* context, const UndirectedGraph& graph,
      const torch::Tensor& users, const torch::Tensor& items,
      const std::optional<torch::Tensor>& others, const torch::Tensor& rows,
      const std::vector<double>& layer_weights, const std::optional<LayerNoise>& noise) {
    context->save_for_backward({graph.offsets, graph.ends, graph.weights, graph.inverse_degree,
                                graph.inverse_root_degree, rows});
    context->saved_data["layer_weights"] = layer_weights;
    std::vector<torch::Tensor> tables;
    std::vector<int64_t> heights;
    for (const auto& table : {users, items, others.value_or(torch::Tensor())}) {
      heights.push_back(table.defined() ? table.size(0) : 0);
      if (table.defined() && table.size(0) > 0) tables.push_back(table.contiguous());
    }
    context->saved_data["heights"] = heights;
    const auto out = users.scalar_type() == torch::kDouble
                         ? forward_of<double>(graph, tables, rows, layer_weights, noise)
                         : forward_of<float>(graph, tables, rows, layer_weights, noise);
    return {out.vectors, out.origin};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const UndirectedGraph graph{saved[0], saved[1], saved[2], saved[3], saved[4]};
    const auto& rows = saved[5];
    const auto weights = context->saved_data["layer_weights"].toDoubleVector();
    const auto heights = context->saved_data["heights"].toIntVector();
    const auto to_vectors = grads[0].contiguous();  // [R, D]
    const auto type = to_vectors.scalar_type();
    const auto index = row_index(rows, graph.num_nodes());  // [N]
    const auto at_rows =
        graph.inverse_root_degree.index_select(0, rows).to(type).unsqueeze(1);  // [R, 1]
    const auto to_origin = to_vectors * weights[0] + grads[1];                  // [R, D]
    const auto num_layers = static_cast<int64_t>(weights.size()) - 1;
    torch::Tensor gradient;  // [N, D]
    if (num_layers == 0) {
      gradient = torch::zeros({graph.num_nodes(), to_vectors.size(1)}, to_vectors.options());
      gradient.index_copy_(0, rows, to_origin);
    } else {
      // Horner's rule for sum_k w_k (D^(-1/2) A D^(-1/2))^k, with D^(-1/2) in front of each factor.
      auto z = to_vectors * at_rows * weights[num_layers];  // [R, D]
      for (int64_t k = num_layers - 1; k > 0; --k)
        z = spmm(graph, z,
                 {.x_index = k == num_layers - 1 ? index : torch::Tensor(),
                  .row_scale = graph.inverse_degree,
                  .add = to_vectors,
                  .add_scale = graph.inverse_root_degree,
                  .add_index = index,
                  .add_factor = weights[k]});  // [N, D]
      gradient = spmm(graph, z,
                      {.x_index = num_layers == 1 ? index : torch::Tensor(),
                       .row_scale = graph.inverse_root_degree,
                       .add = to_origin,
                       .add_index = index});  // [N, D]
    }
    torch::autograd::variable_list out(7);
    int64_t first = 0;
    for (size_t t = 0; t < heights.size(); ++t) {
      if (heights[t] > 0) out[1 + t] = gradient.narrow(0, first, heights[t]);
      first += heights[t];
    }
    return out;
  }
};

// The formula as it stands, for devices and types that have no loop.
LightPropagation plain(const UndirectedGraph& graph, const std::vector<torch::Tensor>& tables,
                       const torch::Tensor& rows, const std::vector<double>& layer_weights) {
  const auto all = at::cat(tables);   // [N, D]
  auto layer = all;                   // [N, D]
  auto sum = layer_weights[0] * all;  // [N, D]
  for (size_t k = 1; k < layer_weights.size(); ++k) {
    layer = normalized_spmm(graph, layer);  // [N, D]
    sum = sum + layer_weights[k] * layer;   // [N, D]
  }
  return {sum.index_select(0, rows), all.index_select(0, rows)};  // [R, D], [R, D]
}

}  // namespace

LightPropagation light_propagation(const UndirectedGraph& graph,
                                   const std::vector<torch::Tensor>& tables,
                                   const torch::Tensor& rows,
                                   const std::vector<double>& layer_weights,
                                   const std::optional<LayerNoise>& noise) {
  TORCH_CHECK(
      tables.size() >= 2 && tables.size() <= 3 && !layer_weights.empty(),
      "light_propagation: expected users, items and at most one more table, and a weight for "
      "layer 0, got ",
      tables.size(), " tables and ", layer_weights.size(), " weights");
  int64_t num_nodes = 0;
  for (const auto& table : tables) {
    TORCH_CHECK(table.dim() == 2 && table.size(1) == tables[0].size(1),
                "light_propagation: expected tables as wide as ", tables[0].sizes(), ", got ",
                table.sizes());
    num_nodes += table.size(0);
  }
  TORCH_CHECK(num_nodes == graph.num_nodes(), "light_propagation: expected vectors for ",
              graph.num_nodes(), " nodes, got ", num_nodes);
  TORCH_CHECK(rows.dim() == 1 && rows.scalar_type() == torch::kLong,
              "light_propagation: expected rows [R] int64, got ", rows.sizes());
  if (rows.numel() > 0) {
    const auto [low, high] = at::aminmax(rows);  // [], []
    TORCH_CHECK(low.item<int64_t>() >= 0 && high.item<int64_t>() < num_nodes,
                "light_propagation: expected rows in [0, ", num_nodes, "), got rows in [",
                low.item<int64_t>(), ", ", high.item<int64_t>(), "]");
  }
  const auto type = tables[0].scalar_type();
  if (!tables[0].is_cpu() || (type != torch::kFloat && type != torch::kDouble)) {
    TORCH_CHECK(!noise, "light_propagation: noise is drawn on the CPU alone");
    return plain(graph, tables, rows, layer_weights);
  }
  // An undefined tensor cannot be an argument there.
  const auto others = tables.size() > 2 ? std::optional(tables[2]) : std::nullopt;
  const auto out =
      LightFunction::apply(graph, tables[0], tables[1], others, rows, layer_weights, noise);
  return {out[0], out[1]};
}

}  // namespace reckon
