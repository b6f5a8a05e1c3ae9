#include "kernels/spmm.h"

#include <ATen/Parallel.h>
#include <torch/autograd.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "core/grouping.h"
#include "core/random.h"
#include "kernels/cpu_features.h"
#include "kernels/has_loop.h"
#include "kernels/kernel_threads.h"
#include "kernels/shared_parts.h"
#include "kernels/spmm_loop.h"

namespace reckon {

namespace {

using spmm_detail::Product;

// Rows that a thread takes at once: few enough that rows of many edges spread.
constexpr int64_t kRowsOfPart = 128;

template <class Scalar>
const Scalar* pointer(const torch::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<Scalar>() : nullptr;
}

void run(const Product<float>& product, int64_t begin, int64_t end) {
  return for_active_simd(spmm_detail::multiply_portable, spmm_detail::multiply_avx2,
                         spmm_detail::multiply_avx512)(product, begin, end);
}

void run(const Product<double>& product, int64_t begin, int64_t end) {
  spmm_detail::multiply_double(product, begin, end);
}

// Parts and not one stretch for each thread: rows differ by orders of magnitude in their edges.
template <class Scalar>
void run_all(const Product<Scalar>& product, int64_t num_rows) {
  share_parts(num_rows, kRowsOfPart, [&](SharedParts& parts) {
    int64_t begin = 0, end = 0;
    while (parts.take(begin, end)) run(product, begin, end);
  });
}

void check_vector(const torch::Tensor& tensor, const char* name, int64_t size,
                  torch::ScalarType type) {
  TORCH_CHECK(!tensor.defined() || (tensor.dim() == 1 && (size < 0 || tensor.size(0) == size) &&
                                    tensor.scalar_type() == type),
              "spmm: expected ", name, size < 0 ? " of one dimension" : " for each node", ", ",
              type, ", got ", tensor.sizes(), " ", tensor.scalar_type());
}

// What the loops read: contiguous, and of the type of x.
torch::Tensor ready(const torch::Tensor& tensor, torch::ScalarType type) {
  return tensor.defined() ? tensor.to(type).contiguous() : tensor;
}

template <class Scalar>
torch::Tensor spmm_cpu(const UndirectedGraph& graph, const torch::Tensor& x,
                       const SpmmOptions& options) {
  const auto type = x.scalar_type();
  const auto from = x.contiguous();                              // [., D]
  const auto weights = ready(graph.weights, type);               // [E]
  const auto rows = ready(options.rows, torch::kLong);           // [R]
  const auto row_scale = ready(options.row_scale, type);         // [N]
  const auto add = ready(options.add, type);                     // [., D]
  const auto add_scale = ready(options.add_scale, type);         // [N]
  const auto x_index = ready(options.x_index, torch::kInt);      // [N]
  const auto add_index = ready(options.add_index, torch::kInt);  // [N]
  const int64_t num_rows = rows.defined() ? rows.size(0) : graph.num_nodes();
  auto out = torch::empty({num_rows, x.size(1)}, x.options().requires_grad(false));  // [R, D]
  if (out.numel() == 0) return out;
  const Product<Scalar> product{.offsets = graph.offsets.const_data_ptr<int64_t>(),
                                .columns = graph.ends.const_data_ptr<int32_t>(),
                                .values = pointer<Scalar>(weights),
                                .x = from.template const_data_ptr<Scalar>(),
                                .x_index = pointer<int32_t>(x_index),
                                .rows = pointer<int64_t>(rows),
                                .row_scale = pointer<Scalar>(row_scale),
                                .add = pointer<Scalar>(add),
                                .add_scale = pointer<Scalar>(add_scale),
                                .add_index = pointer<int32_t>(add_index),
                                .add_factor = static_cast<Scalar>(options.add_factor),
                                .width = x.size(1),
                                .out = out.template data_ptr<Scalar>()};
  run_all(product, num_rows);
  return out;
}

class NormalizedSpmm : public torch::autograd::Function<NormalizedSpmm> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const UndirectedGraph& graph, const torch::Tensor& x,
                               const std::optional<torch::Tensor>& some_rows) {
    const auto rows = some_rows.value_or(torch::Tensor());  // [R]
    context->save_for_backward(
        {graph.offsets, graph.ends, graph.weights, graph.inverse_root_degree, rows});
    const auto root = graph.inverse_root_degree.to(x.scalar_type());  // [N]
    return spmm(graph, x * root.unsqueeze(1), {.rows = rows, .row_scale = root});
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list grads) {
    const auto saved = context->get_saved_variables();
    const UndirectedGraph graph{.offsets = saved[0], .ends = saved[1], .weights = saved[2]};
    const auto root = saved[3].to(grads[0].scalar_type());  // [N]
    const auto& rows = saved[4];
    SpmmOptions options{.row_scale = root};
    auto gradient = grads[0];
    if (rows.defined()) {
      options.x_index = row_index(rows, graph.num_nodes());
      gradient = gradient * root.index_select(0, rows).unsqueeze(1);  // [R, D]
    } else {
      gradient = gradient * root.unsqueeze(1);  // [N, D]
    }
    return {torch::Tensor(), spmm(graph, gradient, options), torch::Tensor()};
  }
};

struct Edge {
  int32_t end;
  float weight;
};

// The graph of edges by source, which may hold an edge more than once.
UndirectedGraph merged(int64_t num_nodes, std::vector<int64_t>& offsets, Edge* edges,
                       bool is_weighted) {
  std::vector<int64_t> kept(num_nodes);
  at::parallel_for(0, num_nodes, 256, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      auto* first = edges + offsets[n];
      auto* last = edges + offsets[n + 1];
      // Stable, so that weights add up in the order in which they came.
      std::stable_sort(first, last, [](const Edge& a, const Edge& b) { return a.end < b.end; });
      auto* to = first;
      for (auto* edge = first; edge < last; ++edge) {
        if (to > first && to[-1].end == edge->end)
          to[-1].weight += edge->weight;
        else
          *to++ = *edge;
      }
      kept[n] = to - first;
    }
  });
  UndirectedGraph graph;
  graph.offsets = torch::zeros({num_nodes + 1}, torch::kLong);  // [N + 1]
  auto* offset = graph.offsets.data_ptr<int64_t>();
  for (int64_t n = 0; n < num_nodes; ++n) offset[n + 1] = offset[n] + kept[n];
  graph.ends = torch::empty({offset[num_nodes]}, torch::kInt);         // [E]
  if (is_weighted) graph.weights = torch::empty({offset[num_nodes]});  // [E]
  auto* end = graph.ends.data_ptr<int32_t>();
  auto* weight = is_weighted ? graph.weights.data_ptr<float>() : nullptr;
  for (int64_t n = 0; n < num_nodes; ++n)
    for (int64_t k = 0; k < kept[n]; ++k) {
      const auto& edge = edges[offsets[n] + k];
      end[offset[n] + k] = edge.end;
      if (weight != nullptr) weight[offset[n] + k] = edge.weight;
    }
  return graph;
}

void fill_degrees(UndirectedGraph& graph) {
  const int64_t num_nodes = graph.num_nodes();
  graph.inverse_degree = torch::empty({num_nodes});       // [N]
  graph.inverse_root_degree = torch::empty({num_nodes});  // [N]
  const auto* offset = graph.offsets.const_data_ptr<int64_t>();
  const auto* weight = pointer<float>(graph.weights);
  auto* inverse = graph.inverse_degree.data_ptr<float>();
  auto* root = graph.inverse_root_degree.data_ptr<float>();
  for (int64_t n = 0; n < num_nodes; ++n) {
    double degree = static_cast<double>(offset[n + 1] - offset[n]);
    if (weight != nullptr) {
      degree = 0.0;
      for (int64_t e = offset[n]; e < offset[n + 1]; ++e) degree += weight[e];
    }
    inverse[n] = degree > 0.0 ? static_cast<float>(1.0 / degree) : 0.0F;
    root[n] = degree > 0.0 ? static_cast<float>(1.0 / std::sqrt(degree)) : 0.0F;
  }
}

}  // namespace

UndirectedGraph UndirectedGraph::to(const torch::Device& device) const {
  return {.offsets = offsets.to(device),
          .ends = ends.to(device),
          .weights = weights.defined() ? weights.to(device) : weights,
          .inverse_degree = inverse_degree.to(device),
          .inverse_root_degree = inverse_root_degree.to(device)};
}

UndirectedGraph undirected_graph(int64_t num_nodes, const torch::Tensor& first,
                                 const torch::Tensor& second, const torch::Tensor& weights) {
  TORCH_CHECK(first.dim() == 1 && first.sizes() == second.sizes() &&
                  first.scalar_type() == torch::kLong && second.scalar_type() == torch::kLong &&
                  (!weights.defined() || weights.sizes() == first.sizes()),
              "undirected_graph: expected two ends [E] int64 and weights [E], got ", first.sizes(),
              " and ", second.sizes());
  if (num_nodes > std::numeric_limits<int32_t>::max())
    throw std::invalid_argument("a graph holds at most " +
                                std::to_string(std::numeric_limits<int32_t>::max()) +
                                " nodes, and this one has " + std::to_string(num_nodes));
  const auto a_ends = first.contiguous(), b_ends = second.contiguous();  // [E], [E]
  const auto given = weights.defined() ? weights.to(torch::kFloat).contiguous() : weights;  // [E]
  const auto* a = a_ends.const_data_ptr<int64_t>();
  const auto* b = b_ends.const_data_ptr<int64_t>();
  const auto* w = pointer<float>(given);
  const int64_t num_edges = first.size(0);
  std::vector<int64_t> offsets(num_nodes + 1);
  for (int64_t e = 0; e < num_edges; ++e) {
    for (const int64_t node : {a[e], b[e]})
      if (node < 0 || node >= num_nodes)
        throw std::invalid_argument("an edge ends at node " + std::to_string(node) +
                                    ", and the graph has nodes 0 to " +
                                    std::to_string(num_nodes - 1));
    if (w != nullptr && !(w[e] >= 0.0F && w[e] <= std::numeric_limits<float>::max()))
      throw std::invalid_argument("the edge from node " + std::to_string(a[e]) + " to node " +
                                  std::to_string(b[e]) + " weighs " + std::to_string(w[e]) +
                                  "; expected a finite number that is not negative");
  }
  struct Entry {
    int32_t key, other;
    float weight;
  };
  const auto ends = std::make_unique_for_overwrite<Edge[]>(static_cast<size_t>(2 * num_edges));
  group_by_key<Entry>(
      num_edges, num_nodes, offsets.data(), KernelThreads::current(),
      [&](int64_t begin, int64_t end, const auto& emit) {
        for (auto e = begin; e < end; ++e) {
          const auto from = static_cast<int32_t>(a[e]), to = static_cast<int32_t>(b[e]);
          const float weight = w == nullptr ? 1.0F : w[e];
          emit(Entry{from, to, weight});
          if (from != to) emit(Entry{to, from, weight});
        }
      },
      [&](int64_t place, const Entry& entry) {
        ends[static_cast<size_t>(place)] = {entry.other, entry.weight};
      });
  auto graph = merged(num_nodes, offsets, ends.get(), w != nullptr);
  fill_degrees(graph);
  return graph;
}

UndirectedGraph drop_edges(const UndirectedGraph& graph, double rate, uint64_t key) {
  TORCH_CHECK(rate >= 0.0 && rate < 1.0, "drop_edges: expected a rate in [0, 1), got ", rate);
  TORCH_CHECK(graph.ends.is_cpu(), "drop_edges: edges are left out on the CPU alone");
  const int64_t num_nodes = graph.num_nodes();
  const RandomKey random(key);
  // Compared as integers: the same on every machine.
  const auto threshold = static_cast<uint64_t>(rate * 0x1p53);
  const auto* offset = graph.offsets.const_data_ptr<int64_t>();
  const auto* end = graph.ends.const_data_ptr<int32_t>();
  const auto* weight = pointer<float>(graph.weights);
  const auto is_kept = [&](int64_t from, int64_t to) {
    const auto edge =
        static_cast<uint64_t>(std::min(from, to)) << 32 | static_cast<uint64_t>(std::max(from, to));
    return random_bits(random, edge) >> 11 >= threshold;
  };
  UndirectedGraph out;
  out.offsets = torch::zeros({num_nodes + 1}, torch::kLong);  // [N + 1]
  auto* to_offset = out.offsets.data_ptr<int64_t>();
  auto kept = torch::empty({graph.ends.size(0)}, torch::kBool);  // [E]
  auto* keeps = kept.data_ptr<bool>();
  kernel_parallel_for(num_nodes, 1024, [&](int64_t begin, int64_t stop) {
    for (int64_t n = begin; n < stop; ++n)
      for (int64_t e = offset[n]; e < offset[n + 1]; ++e) {
        keeps[e] = is_kept(n, end[e]);
        to_offset[n + 1] += keeps[e] ? 1 : 0;
      }
  });
  for (int64_t n = 0; n < num_nodes; ++n) to_offset[n + 1] += to_offset[n];
  out.ends = torch::empty({to_offset[num_nodes]}, torch::kInt);               // [E']
  if (weight != nullptr) out.weights = torch::empty({to_offset[num_nodes]});  // [E']
  auto* to_end = out.ends.data_ptr<int32_t>();
  auto* to_weight = weight == nullptr ? nullptr : out.weights.data_ptr<float>();
  kernel_parallel_for(num_nodes, 1024, [&](int64_t begin, int64_t stop) {
    for (int64_t n = begin; n < stop; ++n) {
      int64_t to = to_offset[n];
      for (int64_t e = offset[n]; e < offset[n + 1]; ++e) {
        if (!keeps[e]) continue;
        to_end[to] = end[e];
        if (to_weight != nullptr) to_weight[to] = weight[e];
        ++to;
      }
    }
  });
  fill_degrees(out);
  return out;
}

torch::Tensor row_index(const torch::Tensor& rows, int64_t num_nodes) {
  auto index = torch::full({num_nodes}, -1, rows.options().dtype(torch::kInt));  // [N]
  index.index_put_({rows}, torch::arange(rows.size(0), index.options()));
  return index;
}

torch::Tensor spmm(const UndirectedGraph& graph, const torch::Tensor& x,
                   const SpmmOptions& options) {
  const int64_t num_nodes = graph.num_nodes();
  TORCH_CHECK(x.dim() == 2 && (options.x_index.defined() || x.size(0) == num_nodes),
              "spmm: expected x [", num_nodes, ", D], got ", x.sizes());
  TORCH_CHECK(!options.add.defined() ||
                  (options.add.dim() == 2 && options.add.size(1) == x.size(1) &&
                   (options.add_index.defined() || options.add.size(0) == num_nodes)),
              "spmm: expected add [", num_nodes, ", ", x.size(1), "], got ", options.add.sizes());
  check_vector(options.rows, "rows", -1, torch::kLong);
  if (options.rows.defined() && options.rows.numel() > 0) {
    const auto [low, high] = at::aminmax(options.rows);  // [], []
    TORCH_CHECK(low.item<int64_t>() >= 0 && high.item<int64_t>() < num_nodes,
                "spmm: expected rows in [0, ", num_nodes, "), got rows in [", low.item<int64_t>(),
                ", ", high.item<int64_t>(), "]");
  }
  check_vector(options.x_index, "x_index", num_nodes, torch::kInt);
  check_vector(options.add_index, "add_index", num_nodes, torch::kInt);
  if (!has_loop(x)) return spmm_by_aten(graph, x, options);
  return x.scalar_type() == torch::kFloat ? spmm_cpu<float>(graph, x, options)
                                          : spmm_cpu<double>(graph, x, options);
}

torch::Tensor sums_of_lists(const torch::Tensor& offsets, const torch::Tensor& columns,
                            const torch::Tensor& weights, const torch::Tensor& x) {
  const int64_t num_lists = offsets.size(0) - 1;
  const auto from = x.contiguous();                                                   // [N, D]
  const auto values = ready(weights, x.scalar_type());                                // [E]
  auto out = torch::empty({num_lists, x.size(1)}, x.options().requires_grad(false));  // [L, D]
  if (out.numel() == 0) return out;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "sums_of_lists", [&] {
    run_all(Product<scalar_t>{.offsets = offsets.const_data_ptr<int64_t>(),
                              .columns = columns.const_data_ptr<int32_t>(),
                              .values = pointer<scalar_t>(values),
                              .x = from.const_data_ptr<scalar_t>(),
                              .width = x.size(1),
                              .out = out.mutable_data_ptr<scalar_t>()},
            num_lists);
  });
  return out;
}

torch::Tensor spmm_by_aten(const UndirectedGraph& graph, const torch::Tensor& x,
                           const SpmmOptions& options) {
  auto from = x;  // [N, D]
  if (options.x_index.defined()) {
    const auto index = options.x_index.to(torch::kLong);                      // [N]
    from = x.index_select(0, index.clamp_min(0)) * index.ge(0).unsqueeze(1);  // [N, D]
  }
  const int64_t num_nodes = graph.num_nodes();
  const auto values = graph.weights.defined()
                          ? graph.weights.to(x.options())
                          : torch::ones({graph.ends.size(0)}, x.options());  // [E]
  const auto matrix =
      torch::sparse_csr_tensor(graph.offsets, graph.ends.to(torch::kLong), values,
                               {num_nodes, num_nodes}, x.options().layout(torch::kSparseCsr));
  auto out = at::matmul(matrix, from);  // [N, D]
  if (options.row_scale.defined()) out = out * options.row_scale.to(x.options()).unsqueeze(1);
  if (options.add.defined()) {
    auto add = options.add;  // [., D]
    if (options.add_index.defined()) {
      const auto index = options.add_index.to(torch::kLong);                     // [N]
      add = add.index_select(0, index.clamp_min(0)) * index.ge(0).unsqueeze(1);  // [N, D]
    }
    if (options.add_scale.defined()) add = add * options.add_scale.to(x.options()).unsqueeze(1);
    out = out + options.add_factor * add;  // [N, D]
  }
  return options.rows.defined() ? out.index_select(0, options.rows) : out;  // [R, D]
}

torch::Tensor normalized_spmm(const UndirectedGraph& graph, const torch::Tensor& x,
                              const torch::Tensor& rows) {
  // An undefined tensor cannot be an argument there.
  return NormalizedSpmm::apply(graph, x, rows.defined() ? std::optional(rows) : std::nullopt);
}

torch::Tensor mean_of_neighbours(const UndirectedGraph& graph, const torch::Tensor& x,
                                 const torch::Tensor& rows) {
  // D^(-1) A = D^(-1/2) (D^(-1/2) A D^(-1/2)) D^(1/2)
  const auto inverse_root = graph.inverse_root_degree.to(x.scalar_type());                 // [N]
  const auto root = at::where(inverse_root > 0, inverse_root.reciprocal(), inverse_root);  // [N]
  const auto sums = normalized_spmm(graph, x * root.unsqueeze(1), rows);                   // [R, D]
  const auto scale = rows.defined() ? inverse_root.index_select(0, rows) : inverse_root;   // [R]
  return sums * scale.unsqueeze(1);                                                        // [R, D]
}

}  // namespace reckon
