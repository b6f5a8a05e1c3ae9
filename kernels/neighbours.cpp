#include "kernels/neighbours.h"

#include <torch/autograd.h>

#include <limits>
#include <optional>
#include <vector>

#include "core/grouping.h"
#include "kernels/cpu_features.h"
#include "kernels/has_loop.h"
#include "kernels/kernel_threads.h"
#include "kernels/neighbours_loop.h"
#include "kernels/shared_parts.h"
#include "kernels/tracing.h"

namespace reckon {

namespace {

using neighbours_detail::Edges;
using neighbours_detail::Loops;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Rows that a thread takes at once: few enough that rows of many edges spread.
constexpr int64_t kRowsOfPart = 128;

// Whose edges are gone over: those of each receiver, or of each sender.
enum class By { kReceiver, kSender };

template <class Scalar>
const Loops<Scalar>& active_loops() {
  if constexpr (std::is_same_v<Scalar, double>) {
    return neighbours_detail::loops_double();
  } else {
    return for_active_simd(neighbours_detail::loops_portable, neighbours_detail::loops_avx2,
                           neighbours_detail::loops_avx512)();
  }
}

bool takes_loops(const torch::Tensor& x) { return has_loop(x) && !is_tracing(); }

Edges edges_of(const NeighbourLists& lists, By by) {
  if (by == By::kReceiver)
    return {lists.offsets.const_data_ptr<int64_t>(), lists.senders.const_data_ptr<int32_t>(),
            nullptr};
  return {lists.back_offsets.const_data_ptr<int64_t>(),
          lists.back_receivers.const_data_ptr<int32_t>(),
          lists.back_edges.const_data_ptr<int64_t>()};
}

int64_t num_rows_of(const NeighbourLists& lists, By by) {
  return by == By::kReceiver ? lists.num_receivers() : lists.num_senders();
}

// Runs one of the loops over all rows. Parts and not one stretch for each thread: rows differ by
// orders of magnitude in their edges.
template <class Work>
void over_rows(int64_t num_rows, const Work& work) {
  share_parts(num_rows, kRowsOfPart, [&](SharedParts& parts) {
    int64_t begin = 0, end = 0;
    while (parts.take(begin, end)) work(begin, end);
  });
}

// Calls body(Scalar()) with the type of x.
template <class Body>
void of_type(const torch::Tensor& x, const Body& body) {
  if (x.scalar_type() == torch::kDouble)
    body(double());
  else
    body(float());
}

torch::Tensor empty_like_of(const torch::Tensor& x, at::IntArrayRef shape) {
  return torch::empty(shape, x.options().requires_grad(false));  // [...]
}

// Sums of x over the edges of each row; undefined weights are 1. With `adds_heads` what H heads give
// is added up, else they stand side by side.
// Shapes   weights [E, H], x [., H, F] or [., F] -> [., H, F] or [., F]
torch::Tensor summed(const NeighbourLists& lists, By by, const torch::Tensor& weights,
                     const torch::Tensor& values, bool adds_heads) {
  const auto x = values.contiguous();                                       // [., H, F]
  const auto factors = weights.defined() ? weights.contiguous() : weights;  // [E, H]
  const int64_t num_heads = weights.defined() ? weights.size(1) : 1, width = x.size(-1);
  const int64_t num_rows = num_rows_of(lists, by);
  const auto out = adds_heads ? empty_like_of(x, {num_rows, width})
                              : empty_like_of(x, {num_rows, num_heads, width});
  of_type(x, [&]<class Scalar>(Scalar) {
    const neighbours_detail::Sum<Scalar> sum{.edges = edges_of(lists, by),
                                             .weights = factors.defined()
                                                            ? factors.const_data_ptr<Scalar>()
                                                            : nullptr,
                                             .x = x.const_data_ptr<Scalar>(),
                                             .num_heads = num_heads,
                                             .width = width,
                                             .shares_x = x.dim() == 2,
                                             .adds_heads = adds_heads,
                                             .out = out.data_ptr<Scalar>()};
    const auto& loops = active_loops<Scalar>();
    over_rows(num_rows, [&](int64_t begin, int64_t end) { loops.sum(sum, begin, end); });
  });
  return out;
}

// Shapes   receivers [R, H, F], senders [S, H, F] or [S, F] -> [E, H]
torch::Tensor multiplied(const NeighbourLists& lists, const torch::Tensor& receivers,
                         const torch::Tensor& senders) {
  const auto rows = receivers.contiguous(), x = senders.contiguous();
  const auto out = empty_like_of(x, {lists.num_edges(), rows.size(1)});  // [E, H]
  of_type(x, [&]<class Scalar>(Scalar) {
    const neighbours_detail::Products<Scalar> products{.edges = edges_of(lists, By::kReceiver),
                                                       .rows = rows.const_data_ptr<Scalar>(),
                                                       .x = x.const_data_ptr<Scalar>(),
                                                       .num_heads = rows.size(1),
                                                       .width = rows.size(2),
                                                       .shares_x = x.dim() == 2,
                                                       .out = out.data_ptr<Scalar>()};
    const auto& loops = active_loops<Scalar>();
    over_rows(lists.num_receivers(),
              [&](int64_t begin, int64_t end) { loops.products(products, begin, end); });
  });
  return out;
}

// Shapes   values [E, H] -> [., H]
torch::Tensor totals(const NeighbourLists& lists, By by, const torch::Tensor& of_edges) {
  const auto values = of_edges.contiguous();  // [E, H]
  const int64_t num_rows = num_rows_of(lists, by);
  const auto out = empty_like_of(values, {num_rows, values.size(1)});  // [., H]
  of_type(values, [&]<class Scalar>(Scalar) {
    const neighbours_detail::Totals<Scalar> totals{.edges = edges_of(lists, by),
                                                   .values = values.const_data_ptr<Scalar>(),
                                                   .num_heads = values.size(1),
                                                   .out = out.data_ptr<Scalar>()};
    const auto& loops = active_loops<Scalar>();
    over_rows(num_rows, [&](int64_t begin, int64_t end) { loops.totals(totals, begin, end); });
  });
  return out;
}

// What a way back needs of the lists, in front of whatever else is saved.
variable_list saved(const NeighbourLists& lists, const std::vector<torch::Tensor>& more) {
  variable_list all{lists.offsets, lists.senders, lists.back_offsets, lists.back_receivers,
                    lists.back_edges};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}
constexpr size_t kFirstOfMore = 5;

NeighbourLists lists_of(const variable_list& saved) {
  return {.offsets = saved[0],
          .senders = saved[1],
          .back_offsets = saved[2],
          .back_receivers = saved[3],
          .back_edges = saved[4]};
}

class EdgeSums : public torch::autograd::Function<EdgeSums> {
 public:
  static torch::Tensor forward(AutogradContext* context, const NeighbourLists& lists,
                               const torch::Tensor& receivers, const torch::Tensor& senders) {
    context->save_for_backward(saved(lists, {}));
    const auto rows = receivers.contiguous(), x = senders.contiguous();    // [R, H], [S, H]
    const auto out = empty_like_of(x, {lists.num_edges(), rows.size(1)});  // [E, H]
    of_type(x, [&]<class Scalar>(Scalar) {
      const neighbours_detail::Pairs<Scalar> pairs{.edges = edges_of(lists, By::kReceiver),
                                                   .rows = rows.const_data_ptr<Scalar>(),
                                                   .x = x.const_data_ptr<Scalar>(),
                                                   .num_heads = rows.size(1),
                                                   .out = out.data_ptr<Scalar>()};
      const auto& loops = active_loops<Scalar>();
      over_rows(lists.num_receivers(),
                [&](int64_t begin, int64_t end) { loops.pairs(pairs, begin, end); });
    });
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto lists = lists_of(context->get_saved_variables());
    return {torch::Tensor(), totals(lists, By::kReceiver, grads[0]),
            totals(lists, By::kSender, grads[0])};
  }
};

class EdgeProducts : public torch::autograd::Function<EdgeProducts> {
 public:
  static torch::Tensor forward(AutogradContext* context, const NeighbourLists& lists,
                               const torch::Tensor& receivers, const torch::Tensor& senders) {
    context->save_for_backward(saved(lists, {receivers, senders}));
    return multiplied(lists, receivers, senders);  // [E, H]
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto all = context->get_saved_variables();
    const auto lists = lists_of(all);
    const auto &receivers = all[kFirstOfMore], &senders = all[kFirstOfMore + 1];
    return {torch::Tensor(), summed(lists, By::kReceiver, grads[0], senders, false),
            summed(lists, By::kSender, grads[0], receivers, false)};
  }
};

class EdgeSoftmax : public torch::autograd::Function<EdgeSoftmax> {
 public:
  static torch::Tensor forward(AutogradContext* context, const NeighbourLists& lists,
                               const torch::Tensor& scores) {
    const auto shares = scores.detach().clone(at::MemoryFormat::Contiguous);  // [E, H]
    of_type(shares, [&]<class Scalar>(Scalar) {
      const neighbours_detail::Softmax<Scalar> softmax{.offsets =
                                                           lists.offsets.const_data_ptr<int64_t>(),
                                                       .num_heads = shares.size(1),
                                                       .values = shares.data_ptr<Scalar>()};
      const auto& loops = active_loops<Scalar>();
      over_rows(lists.num_receivers(),
                [&](int64_t begin, int64_t end) { loops.softmax(softmax, begin, end); });
    });
    context->save_for_backward({lists.offsets, shares});
    return shares;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto all = context->get_saved_variables();
    const auto &offsets = all[0], &shares = all[1];
    const auto gradient = grads[0].contiguous();                 // [E, H]
    const auto out = empty_like_of(gradient, gradient.sizes());  // [E, H]
    of_type(gradient, [&]<class Scalar>(Scalar) {
      const neighbours_detail::SoftmaxGradient<Scalar> back{
          .offsets = offsets.const_data_ptr<int64_t>(),
          .num_heads = shares.size(1),
          .shares = shares.const_data_ptr<Scalar>(),
          .gradient = gradient.const_data_ptr<Scalar>(),
          .out = out.data_ptr<Scalar>()};
      const auto& loops = active_loops<Scalar>();
      over_rows(offsets.size(0) - 1,
                [&](int64_t begin, int64_t end) { loops.softmax_gradient(back, begin, end); });
    });
    return {torch::Tensor(), out};
  }
};

class WeightedNeighbours : public torch::autograd::Function<WeightedNeighbours> {
 public:
  static torch::Tensor forward(AutogradContext* context, const NeighbourLists& lists,
                               const std::optional<torch::Tensor>& some_weights,
                               const torch::Tensor& x) {
    const auto weights = some_weights.value_or(torch::Tensor());  // [E, H]
    context->save_for_backward(saved(lists, {weights, x}));
    context->saved_data["weights_learn"] = weights.defined() && weights.requires_grad();
    return summed(lists, By::kReceiver, weights, x, false);  // [R, H, F]
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto all = context->get_saved_variables();
    const auto lists = lists_of(all);
    const auto &weights = all[kFirstOfMore], &x = all[kFirstOfMore + 1];
    const auto to_weights = context->saved_data["weights_learn"].toBool()
                                ? multiplied(lists, grads[0], x)
                                : torch::Tensor();  // [E, H]
    return {torch::Tensor(), to_weights,
            summed(lists, By::kSender, weights, grads[0], x.dim() == 2)};
  }
};

class RowsOfTypes : public torch::autograd::Function<RowsOfTypes> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& table,
                               const torch::Tensor& types) {
    context->save_for_backward({types});
    context->saved_data["num_types"] = table.size(0);
    return table.detach().index_select(0, types);  // [E, H]
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto types = context->get_saved_variables()[0].contiguous();  // [E]
    const auto gradient = grads[0].contiguous();                        // [E, H]
    const int64_t num_columns = gradient.size(1);
    // In double, for a type may have all the edges there are.
    const auto sums = torch::zeros({context->saved_data["num_types"].toInt(), num_columns},
                                   torch::kDouble);  // [T, H]
    auto* sum = sums.data_ptr<double>();
    const auto* type = types.const_data_ptr<int32_t>();
    of_type(gradient, [&]<class Scalar>(Scalar) {
      const auto* from = gradient.const_data_ptr<Scalar>();
      for (int64_t e = 0; e < types.size(0); ++e)
        for (int64_t h = 0; h < num_columns; ++h)
          sum[type[e] * num_columns + h] += static_cast<double>(from[e * num_columns + h]);
    });
    return {sums.to(gradient.scalar_type()), torch::Tensor()};
  }
};

// The receiver of each edge.   Shapes   -> [E] int64
torch::Tensor receivers_of(const NeighbourLists& lists) {
  return torch::repeat_interleave(lists.offsets.diff());
}

void check_edges(const char* name, const NeighbourLists& lists, const torch::Tensor& values) {
  TORCH_CHECK(values.dim() == 2 && values.size(0) == lists.num_edges(), name,
              ": expected a row for each of ", lists.num_edges(), " edges, got ", values.sizes());
}

void check_ends(const char* name, const NeighbourLists& lists, const torch::Tensor& receivers,
                const torch::Tensor& senders, int64_t dim) {
  TORCH_CHECK(receivers.dim() == dim && senders.dim() == dim &&
                  receivers.size(0) == lists.num_receivers() &&
                  senders.size(0) == lists.num_senders() &&
                  receivers.sizes().slice(1) == senders.sizes().slice(1) &&
                  receivers.scalar_type() == senders.scalar_type(),
              name, ": expected rows for ", lists.num_receivers(), " receivers and ",
              lists.num_senders(), " senders, got ", receivers.sizes(), " and ", senders.sizes());
}

// The same edges by sender. Receivers of a sender ascend, as those that are gone over do.
void fill_way_back(NeighbourLists& lists, int64_t num_senders) {
  const int64_t num_edges = lists.num_edges();
  lists.back_offsets = torch::empty({num_senders + 1}, torch::kLong);  // [S + 1]
  lists.back_receivers = torch::empty({num_edges}, torch::kInt);       // [E]
  lists.back_edges = torch::empty({num_edges}, torch::kLong);          // [E]
  auto* receiver = lists.back_receivers.data_ptr<int32_t>();
  auto* edge = lists.back_edges.data_ptr<int64_t>();
  turn_lists(lists.num_receivers(), lists.offsets.const_data_ptr<int64_t>(),
             lists.senders.const_data_ptr<int32_t>(), num_senders,
             lists.back_offsets.data_ptr<int64_t>(), KernelThreads::current(),
             [&](int64_t place, int32_t r, int64_t e) {
               receiver[place] = r;
               edge[place] = e;
             });
}

}  // namespace

NeighbourLists NeighbourLists::to(const torch::Device& device) const {
  return {.offsets = offsets.to(device),
          .senders = senders.to(device),
          .back_offsets = back_offsets.to(device),
          .back_receivers = back_receivers.to(device),
          .back_edges = back_edges.to(device)};
}

NeighbourLists neighbour_lists(const torch::Tensor& offsets, const torch::Tensor& senders,
                               int64_t num_senders) {
  TORCH_CHECK(offsets.dim() == 1 && offsets.size(0) > 0 && offsets.scalar_type() == torch::kLong &&
                  senders.dim() == 1 && senders.scalar_type() == torch::kInt && offsets.is_cpu() &&
                  senders.is_cpu(),
              "neighbour_lists: expected offsets [R + 1] int64 and senders [E] int32 on the CPU, "
              "got ",
              offsets.sizes(), " and ", senders.sizes());
  NeighbourLists lists;
  lists.offsets = offsets.contiguous();  // [R + 1]
  lists.senders = senders.contiguous();  // [E]
  const auto* offset = lists.offsets.const_data_ptr<int64_t>();
  const int64_t num_receivers = lists.num_receivers();
  bool ascends = offset[0] == 0 && offset[num_receivers] == senders.size(0);
  for (int64_t r = 0; r < num_receivers; ++r) ascends = ascends && offset[r] <= offset[r + 1];
  TORCH_CHECK(ascends, "neighbour_lists: expected offsets that ascend from 0 to ", senders.size(0));
  if (senders.numel() > 0) {
    const auto [low, high] = at::aminmax(senders);  // [], []
    TORCH_CHECK(low.item<int32_t>() >= 0 && high.item<int32_t>() < num_senders,
                "neighbour_lists: expected senders in [0, ", num_senders, "), got senders in [",
                low.item<int32_t>(), ", ", high.item<int32_t>(), "]");
  }
  fill_way_back(lists, num_senders);
  return lists;
}

NeighbourLists neighbour_lists(const UndirectedGraph& graph, bool self_loops) {
  const auto device = graph.ends.device();
  const int64_t num_nodes = graph.num_nodes();
  const auto graph_offsets = graph.offsets.cpu(), graph_ends = graph.ends.cpu();  // [N + 1], [E]
  if (!self_loops) return neighbour_lists(graph_offsets, graph_ends, num_nodes).to(device);
  const auto* offset = graph_offsets.const_data_ptr<int64_t>();
  const auto* end = graph_ends.const_data_ptr<int32_t>();
  auto offsets = torch::empty({num_nodes + 1}, torch::kLong);                  // [N + 1]
  auto senders = torch::empty({graph_ends.size(0) + num_nodes}, torch::kInt);  // [E + N], or fewer
  auto* to_offset = offsets.data_ptr<int64_t>();
  auto* to = senders.data_ptr<int32_t>();
  int64_t place = 0;
  for (int64_t n = 0; n < num_nodes; ++n) {
    to_offset[n] = place;
    bool has_own_edge = false;
    for (int64_t e = offset[n]; e < offset[n + 1]; ++e) {
      // Where it stands in the order of ends.
      if (!has_own_edge && end[e] > n) to[place++] = static_cast<int32_t>(n);
      has_own_edge = has_own_edge || end[e] >= n;
      to[place++] = end[e];
    }
    if (!has_own_edge) to[place++] = static_cast<int32_t>(n);
  }
  to_offset[num_nodes] = place;
  return neighbour_lists(offsets, senders.slice(0, 0, place), num_nodes).to(device);
}

NeighbourLists with_self_loops(const NeighbourLists& lists) {
  const int64_t num_receivers = lists.num_receivers();
  TORCH_CHECK(num_receivers <= lists.num_senders(),
              "with_self_loops: expected a sender for each of ", num_receivers, " receivers, got ",
              lists.num_senders());
  const auto from_offsets = lists.offsets.cpu(), from_senders = lists.senders.cpu();
  const auto* offset = from_offsets.const_data_ptr<int64_t>();
  const auto* sender = from_senders.const_data_ptr<int32_t>();
  auto offsets = torch::zeros({num_receivers + 1}, torch::kLong);  // [R + 1]
  auto senders =
      torch::empty({lists.num_edges() + num_receivers}, torch::kInt);  // [E + R], or fewer
  auto* to_offset = offsets.data_ptr<int64_t>();
  auto* to = senders.data_ptr<int32_t>();
  int64_t place = 0;
  for (int64_t r = 0; r < num_receivers; ++r) {
    for (int64_t e = offset[r]; e < offset[r + 1]; ++e)
      if (sender[e] != r) to[place++] = sender[e];
    to[place++] = static_cast<int32_t>(r);
    to_offset[r + 1] = place;
  }
  return neighbour_lists(offsets, senders.slice(0, 0, place), lists.num_senders())
      .to(lists.senders.device());
}

SomeLists lists_of_rows(const NeighbourLists& lists, const torch::Tensor& rows) {
  TORCH_CHECK(rows.dim() == 1 && rows.scalar_type() == torch::kLong,
              "lists_of_rows: expected rows [R] int64, got ", rows.sizes(), " ",
              rows.scalar_type());
  const auto device = lists.senders.device();
  const auto all_offsets = lists.offsets.cpu(), all_senders = lists.senders.cpu();  // [R + 1], [E]
  const auto chosen = rows.cpu().contiguous();                                      // [R']
  const int64_t num_rows = chosen.size(0);
  const auto* offset = all_offsets.const_data_ptr<int64_t>();
  const auto* sender = all_senders.const_data_ptr<int32_t>();
  const auto* row = chosen.const_data_ptr<int64_t>();
  SomeLists some;
  some.lists.offsets = torch::zeros({num_rows + 1}, torch::kLong);  // [R' + 1]
  auto* to_offset = some.lists.offsets.data_ptr<int64_t>();
  for (int64_t i = 0; i < num_rows; ++i) {
    TORCH_CHECK(row[i] >= 0 && row[i] < lists.num_receivers(),
                "lists_of_rows: expected rows in [0, ", lists.num_receivers(), "), got ", row[i]);
    to_offset[i + 1] = to_offset[i] + offset[row[i] + 1] - offset[row[i]];
  }
  some.lists.senders = torch::empty({to_offset[num_rows]}, torch::kInt);  // [E']
  some.edges = torch::empty({to_offset[num_rows]}, torch::kLong);         // [E']
  auto* to_sender = some.lists.senders.data_ptr<int32_t>();
  auto* edge = some.edges.data_ptr<int64_t>();
  for (int64_t i = 0; i < num_rows; ++i) {
    int64_t to = to_offset[i];
    for (int64_t e = offset[row[i]]; e < offset[row[i] + 1]; ++e, ++to) {
      to_sender[to] = sender[e];
      edge[to] = e;
    }
  }
  fill_way_back(some.lists, lists.num_senders());
  return {some.lists.to(device), some.edges.to(device)};
}

torch::Tensor edge_sums_by_aten(const NeighbourLists& lists, const torch::Tensor& receivers,
                                const torch::Tensor& senders) {
  return receivers.index_select(0, receivers_of(lists)) +
         senders.index_select(0, lists.senders);  // [E, H]
}

torch::Tensor edge_products_by_aten(const NeighbourLists& lists, const torch::Tensor& receivers,
                                    const torch::Tensor& senders) {
  return (receivers.index_select(0, receivers_of(lists)) * senders.index_select(0, lists.senders))
      .sum(-1);  // [E, H]
}

torch::Tensor edge_softmax_by_aten(const NeighbourLists& lists, const torch::Tensor& scores) {
  const auto receivers = receivers_of(lists);                    // [E]
  const auto places = receivers.unsqueeze(1).expand_as(scores);  // [E, H]
  auto tops =
      torch::full({lists.num_receivers(), scores.size(1)}, -std::numeric_limits<double>::infinity(),
                  scores.options().requires_grad(false));                        // [R, H]
  tops = tops.scatter_reduce(0, places, scores.detach(), "amax");                // [R, H]
  const auto exponentials = (scores - tops.index_select(0, receivers)).exp();    // [E, H]
  const auto sums = at::zeros_like(tops).index_add(0, receivers, exponentials);  // [R, H]
  return exponentials / sums.index_select(0, receivers);                         // [E, H]
}

torch::Tensor weighted_neighbours_by_aten(const NeighbourLists& lists, const torch::Tensor& weights,
                                          const torch::Tensor& x) {
  auto heard = x.index_select(0, lists.senders);                 // [E, H, F] or [E, F]
  if (heard.dim() == 2) heard = heard.unsqueeze(1);              // [E, 1, F]
  if (weights.defined()) heard = heard * weights.unsqueeze(-1);  // [E, H, F]
  const auto zeros = torch::zeros({lists.num_receivers(), heard.size(1), heard.size(2)},
                                  heard.options().requires_grad(false));  // [R, H, F]
  return zeros.index_add(0, receivers_of(lists), heard);                  // [R, H, F]
}

torch::Tensor edge_sums(const NeighbourLists& lists, const torch::Tensor& receivers,
                        const torch::Tensor& senders) {
  check_ends("edge_sums", lists, receivers, senders, 2);
  return takes_loops(senders) ? EdgeSums::apply(lists, receivers, senders)
                              : edge_sums_by_aten(lists, receivers, senders);  // [E, H]
}

torch::Tensor edge_products(const NeighbourLists& lists, const torch::Tensor& receivers,
                            const torch::Tensor& senders) {
  check_ends("edge_products", lists, receivers, senders, 3);
  return takes_loops(senders) ? EdgeProducts::apply(lists, receivers, senders)
                              : edge_products_by_aten(lists, receivers, senders);  // [E, H]
}

torch::Tensor edge_softmax(const NeighbourLists& lists, const torch::Tensor& scores) {
  check_edges("edge_softmax", lists, scores);
  return takes_loops(scores) ? EdgeSoftmax::apply(lists, scores)
                             : edge_softmax_by_aten(lists, scores);  // [E, H]
}

torch::Tensor weighted_neighbours(const NeighbourLists& lists, const torch::Tensor& weights,
                                  const torch::Tensor& x) {
  check_edges("weighted_neighbours", lists, weights);
  TORCH_CHECK((x.dim() == 2 || (x.dim() == 3 && x.size(1) == weights.size(1))) &&
                  x.size(0) == lists.num_senders() && x.scalar_type() == weights.scalar_type(),
              "weighted_neighbours: expected rows for ", lists.num_senders(), " senders and ",
              weights.size(1), " heads, got ", x.sizes());
  return takes_loops(x) ? WeightedNeighbours::apply(lists, std::optional(weights), x)
                        : weighted_neighbours_by_aten(lists, weights, x);  // [R, H, F]
}

torch::Tensor sums_of_neighbours(const NeighbourLists& lists, const torch::Tensor& x) {
  TORCH_CHECK(x.dim() == 2 && x.size(0) == lists.num_senders(),
              "sums_of_neighbours: expected a row for each of ", lists.num_senders(),
              " senders, got ", x.sizes());
  // An undefined tensor cannot be an argument there.
  const auto sums = takes_loops(x)
                        ? WeightedNeighbours::apply(lists, std::optional<torch::Tensor>(), x)
                        : weighted_neighbours_by_aten(lists, {}, x);  // [R, 1, F]
  return sums.squeeze(1);                                             // [R, F]
}

torch::Tensor rows_of_types(const torch::Tensor& table, const torch::Tensor& types) {
  TORCH_CHECK(table.dim() == 2 && types.dim() == 1 && types.scalar_type() == torch::kInt,
              "rows_of_types: expected a table [T, H] and types [E] int32, got ", table.sizes(),
              " and ", types.sizes(), " ", types.scalar_type());
  return takes_loops(table) ? RowsOfTypes::apply(table, types)
                            : table.index_select(0, types);  // [E, H]
}

}  // namespace reckon
