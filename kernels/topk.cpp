#include "kernels/topk.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "core/ids.h"
#include "kernels/cpu_features.h"
#include "kernels/topk_scan.h"

namespace reckon {

namespace {

// A block of scores stays in a core's second cache between the product and the scan.
constexpr int64_t kBlockQueries = 64;
constexpr int64_t kBlockItems = 1024;
// The threshold moves while a block is scanned; so often it is looked at again.
constexpr int64_t kScanItems = 512;
// Plain ATen path: scores that are held and sorted at once.
constexpr int64_t kPlainScores = 1 << 24;

int64_t scan(const float* scores, const float* bias, int64_t count, float threshold,
             int32_t* found) {
  return for_active_simd(topk_detail::scan_portable, topk_detail::scan_avx2,
                         topk_detail::scan_avx512)(scores, bias, count, threshold, found);
}

void maximum(float* into, const float* from, int64_t count) {
  return for_active_simd(topk_detail::maximum_portable, topk_detail::maximum_avx2,
                         topk_detail::maximum_avx512)(into, from, count);
}

// Score and item as one number that is greater for what ranks higher: the high half orders floats
// (not a number lowest), the low half prefers the lower index.
uint64_t to_key(float score, int64_t item) {
  const auto bits = std::bit_cast<uint32_t>(score + 0.0f);  // + 0 makes both zeros one
  uint32_t order = 0;
  if (!std::isnan(score)) order = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
  return static_cast<uint64_t>(order) << 32 | static_cast<uint32_t>(~static_cast<uint32_t>(item));
}

float score_of(uint64_t key) {
  const auto order = static_cast<uint32_t>(key >> 32);
  if (order == 0) return std::numeric_limits<float>::quiet_NaN();
  return std::bit_cast<float>((order & 0x80000000u) != 0 ? order & 0x7fffffffu : ~order);
}

int64_t item_of(uint64_t key) { return static_cast<uint32_t>(~static_cast<uint32_t>(key)); }

// The best k of what one query was shown, as a heap whose front is the worst of them.
class Best {
 public:
  void reset(int64_t k) {
    k_ = static_cast<size_t>(k);
    keys_.clear();
  }

  // Not a number, which every comparison lets through, until k are found.
  float threshold() const {
    return keys_.size() < k_ ? std::numeric_limits<float>::quiet_NaN() : score_of(keys_.front());
  }

  void offer(uint64_t key) {
    if (keys_.size() == k_) {
      if (key < keys_.front()) return;
      std::pop_heap(keys_.begin(), keys_.end(), std::greater<>());
      keys_.back() = key;
    } else {
      keys_.push_back(key);
    }
    std::push_heap(keys_.begin(), keys_.end(), std::greater<>());
  }

  const std::vector<uint64_t>& keys() const { return keys_; }

 private:
  size_t k_ = 0;
  std::vector<uint64_t> keys_;
};

// The seen items of one query in ascending order, and how far a scan has come among them.
class SeenCursor {
 public:
  void reset(const int32_t* begin, const int32_t* end, int64_t first_item) {
    items_.assign(begin, end);
    if (!std::is_sorted(items_.begin(), items_.end())) std::sort(items_.begin(), items_.end());
    next_ = static_cast<size_t>(std::lower_bound(items_.begin(), items_.end(), first_item) -
                                items_.begin());
  }

  // Whether `item` was seen; to be asked in ascending order.
  bool contains(int64_t item) {
    while (next_ < items_.size() && items_[next_] < item) ++next_;
    return next_ < items_.size() && items_[next_] == item;
  }

 private:
  std::vector<int32_t> items_;
  size_t next_ = 0;
};

// SeenItems on the CPU, checked.
struct SeenRows {
  torch::Tensor offsets, items;

  SeenRows(const SeenItems& seen, int64_t num_queries, int64_t num_items) {
    if (!seen.offsets.defined()) return;
    TORCH_CHECK(seen.offsets.dim() == 1 && seen.offsets.scalar_type() == torch::kLong &&
                    seen.offsets.size(0) == num_queries + 1,
                "topk: expected seen offsets [", num_queries + 1, "] int64, got ",
                seen.offsets.sizes(), " ", seen.offsets.scalar_type());
    TORCH_CHECK(seen.items.defined() && seen.items.dim() == 1 &&
                    seen.items.scalar_type() == torch::kInt,
                "topk: expected seen items [E] int32");
    offsets = seen.offsets.cpu().contiguous();  // [B + 1]
    items = seen.items.cpu().contiguous();      // [E]
    const auto* offset = offsets.const_data_ptr<int64_t>();
    TORCH_CHECK(offset[0] >= 0 && offset[num_queries] <= items.size(0) &&
                    std::is_sorted(offset, offset + num_queries + 1),
                "topk: expected ascending seen offsets in [0, ", items.size(0), "]");
    if (items.numel() == 0) return;
    const auto [lowest, highest] = at::aminmax(items);  // [], []
    TORCH_CHECK(lowest.item<int32_t>() >= 0 && highest.item<int32_t>() < num_items,
                "topk: expected seen items in [0, ", num_items, "), got some in [",
                lowest.item<int32_t>(), ", ", highest.item<int32_t>(), "]");
  }

  void place(SeenCursor& cursor, int64_t query, int64_t first_item) const {
    if (!offsets.defined()) return cursor.reset(nullptr, nullptr, first_item);
    const auto* offset = offsets.const_data_ptr<int64_t>();
    const auto* item = items.const_data_ptr<int32_t>();
    cursor.reset(item + offset[query], item + offset[query + 1], first_item);
  }
};

// Shows one query the scores of items first_item .. first_item + count.
void offer_scores(const float* scores, const float* bias, int64_t count, int64_t first_item,
                  SeenCursor& seen, Best& best, int32_t* found) {
  for (int64_t begin = 0; begin < count; begin += kScanItems) {
    const int64_t length = std::min(kScanItems, count - begin);
    const float* block_bias = bias == nullptr ? nullptr : bias + begin;
    const int64_t num_found = scan(scores + begin, block_bias, length, best.threshold(), found);
    for (int64_t f = 0; f < num_found; ++f) {
      const int64_t j = begin + found[f];
      if (seen.contains(first_item + j)) continue;
      best.offer(to_key(bias == nullptr ? scores[j] : scores[j] + bias[j], first_item + j));
    }
  }
}

TopK empty_result(int64_t num_queries, int64_t k) {
  return {torch::full({num_queries, k}, kPaddingId, torch::kLong),
          torch::full({num_queries, k}, -std::numeric_limits<float>::infinity(), torch::kFloat)};
}

// Sorts `keys` and writes as many as there are into row `query`.
void write_row(std::vector<uint64_t>& keys, int64_t query, int64_t k, TopK& out) {
  const auto count = std::min<int64_t>(k, static_cast<int64_t>(keys.size()));
  std::partial_sort(keys.begin(), keys.begin() + count, keys.end(), std::greater<>());
  auto* items = out.items.data_ptr<int64_t>() + query * k;
  auto* scores = out.scores.data_ptr<float>() + query * k;
  for (int64_t i = 0; i < count; ++i) {
    items[i] = item_of(keys[i]);
    scores[i] = score_of(keys[i]);
  }
}

// The plain ATen path: any device and type, and the slow obvious order.
TopK rank_scores(const torch::Tensor& scores, const torch::Tensor& is_seen, int64_t k) {
  const auto is_nan = scores.isnan();  // [B, I]
  const auto clean = scores.masked_fill(is_nan.logical_or(is_seen),
                                        -std::numeric_limits<double>::infinity());  // [B, I]
  const auto by_score = std::get<1>(at::sort(clean, /*stable=*/true, 1, /*descending=*/true));
  const auto rank = is_nan.to(torch::kInt) + 2 * is_seen.to(torch::kInt);  // [B, I]
  const auto by_rank = std::get<1>(
      at::sort(rank.gather(1, by_score), /*stable=*/true, 1, /*descending=*/false));  // [B, I]
  const auto order = by_score.gather(1, by_rank).slice(1, 0, k);                      // [B, <= k]
  const auto left_out = is_seen.gather(1, order);                                     // [B, <= k]
  const auto items = order.masked_fill(left_out, kPaddingId);                         // [B, <= k]
  const auto values = scores.gather(1, order)
                          .masked_fill(left_out, -std::numeric_limits<double>::infinity())
                          .to(torch::kFloat);  // [B, <= k]
  auto out = empty_result(scores.size(0), k);
  out.items = out.items.to(scores.device());
  out.scores = out.scores.to(scores.device());
  out.items.slice(1, 0, items.size(1)).copy_(items);
  out.scores.slice(1, 0, values.size(1)).copy_(values);
  return out;
}

// Which items of queries begin .. end were seen.   Shapes   -> [end - begin, I] bool
torch::Tensor seen_mask(const SeenRows& seen, int64_t begin, int64_t end, int64_t num_items,
                        const torch::Device& device) {
  auto mask = torch::zeros({end - begin, num_items}, torch::kBool);  // [B, I]
  if (seen.offsets.defined()) {
    const auto offsets = seen.offsets.slice(0, begin, end + 1);              // [B + 1]
    const auto counts = offsets.diff();                                      // [B]
    const auto rows = torch::arange(end - begin).repeat_interleave(counts);  // [E]
    const auto items = seen.items.slice(0, offsets[0].item<int64_t>(),
                                        offsets[end - begin].item<int64_t>());  // [E]
    mask.index_put_({rows, items.to(torch::kLong)}, torch::ones({}, torch::kBool));
  }
  return mask.to(device);
}

template <class Scores>
TopK plain_topk(int64_t num_queries, int64_t num_items, const SeenRows& seen, int64_t k,
                const torch::Device& device, const Scores& scores_of) {
  const int64_t rows = std::max<int64_t>(1, kPlainScores / std::max<int64_t>(1, num_items));
  std::vector<torch::Tensor> items, scores;
  for (int64_t begin = 0; begin < num_queries; begin += rows) {
    const int64_t end = std::min(num_queries, begin + rows);
    auto block =
        rank_scores(scores_of(begin, end), seen_mask(seen, begin, end, num_items, device), k);
    items.push_back(block.items);
    scores.push_back(block.scores);
  }
  if (items.empty()) {
    auto none = empty_result(0, k);
    return {none.items.to(device), none.scores.to(device)};
  }
  return {torch::cat(items), torch::cat(scores)};  // [B, k], [B, k]
}

bool is_plain_float(const torch::Tensor& t) {
  return t.is_cpu() && t.scalar_type() == torch::kFloat;
}

// What one thread works with.
struct Workspace {
  torch::Tensor scores;  // [kBlockQueries or more, kBlockItems]
  std::vector<Best> best;
  std::vector<SeenCursor> seen;
  std::vector<int32_t> found;
};

struct Problem {
  torch::Tensor queries;  // [B, M, D] contiguous
  torch::Tensor items;    // [I, D] contiguous
  const float* bias;
  const SeenRows* seen;
  int64_t k;

  // Fills work.best for queries [q_begin, q_end) over items [i_begin, i_end).
  void solve(int64_t q_begin, int64_t q_end, int64_t i_begin, int64_t i_end,
             Workspace& work) const {
    const int64_t count = q_end - q_begin, num_vectors = queries.size(1);
    const auto q = queries.slice(0, q_begin, q_end).flatten(0, 1);  // [Q * M, D]
    work.best.resize(count);
    work.seen.resize(count);
    work.found.resize(kScanItems);
    for (int64_t b = 0; b < count; ++b) {
      work.best[b].reset(k);
      seen->place(work.seen[b], q_begin + b, i_begin);
    }
    if (!work.scores.defined() || work.scores.size(0) < q.size(0))
      work.scores = torch::empty({q.size(0), kBlockItems});  // [Q * M, kBlockItems]
    for (int64_t i = i_begin; i < i_end; i += kBlockItems) {
      const int64_t length = std::min(kBlockItems, i_end - i);
      auto block = work.scores.narrow(0, 0, q.size(0)).narrow(1, 0, length);  // [Q * M, length]
      at::mm_out(block, q, items.slice(0, i, i + length).t());
      for (int64_t b = 0; b < count; ++b) {
        auto* row = work.scores.data_ptr<float>() + b * num_vectors * kBlockItems;
        for (int64_t m = 1; m < num_vectors; ++m) maximum(row, row + m * kBlockItems, length);
        offer_scores(row, bias == nullptr ? nullptr : bias + i, length, i, work.seen[b],
                     work.best[b], work.found.data());
      }
    }
  }
};

}  // namespace

TopK topk(const torch::Tensor& queries, const torch::Tensor& items, const torch::Tensor& bias,
          bool reduce_max, const SeenItems& seen, int64_t k) {
  TORCH_CHECK(queries.dim() == 3 && items.dim() == 2 && queries.size(2) == items.size(1) &&
                  queries.size(1) > 0,
              "topk: expected queries [B, M, D] and items [I, D], got ", queries.sizes(), " and ",
              items.sizes());
  TORCH_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == items.size(0)),
              "topk: expected bias [", items.size(0), "], got ", bias.sizes());
  TORCH_CHECK(k >= 1, "topk: expected k of 1 or more, got ", k);
  const int64_t num_queries = queries.size(0), num_items = items.size(0);
  TORCH_CHECK(num_items <= std::numeric_limits<int32_t>::max(),
              "topk: expected at most 2^31 - 1 "
              "items, got ",
              num_items);
  torch::NoGradGuard no_grad;
  const SeenRows seen_rows(seen, num_queries, num_items);
  // A sum over vectors is one vector's product already.
  const auto reduced = reduce_max ? queries : queries.sum(1, /*keepdim=*/true);  // [B, M or 1, D]
  if (!is_plain_float(queries) || !is_plain_float(items) ||
      (bias.defined() && !is_plain_float(bias)))
    return plain_topk(num_queries, num_items, seen_rows, k, queries.device(),
                      [&](int64_t begin, int64_t end) {
                        const auto scores =
                            at::matmul(reduced.slice(0, begin, end), items.t()).amax(1);  // [B, I]
                        return bias.defined() ? scores + bias : scores;                   // [B, I]
                      });

  auto out = empty_result(num_queries, k);
  if (num_queries == 0 || num_items == 0) return out;
  const auto contiguous_bias = bias.defined() ? bias.detach().contiguous() : bias;  // [I]
  const Problem problem{.queries = reduced.detach().contiguous(),
                        .items = items.detach().contiguous(),
                        .bias = bias.defined() ? contiguous_bias.const_data_ptr<float>() : nullptr,
                        .seen = &seen_rows,
                        .k = std::min(k, num_items)};

  // A few queries alone would leave threads idle, so their items are cut up too, always between
  // blocks: products have the same shapes, and so the same rounding, with any number of threads.
  const int64_t block = std::max<int64_t>(1, kBlockQueries / reduced.size(1));
  const int64_t query_blocks = (num_queries + block - 1) / block;
  const int64_t item_blocks = (num_items + kBlockItems - 1) / kBlockItems;
  const int64_t parts = std::clamp<int64_t>(at::get_num_threads() / query_blocks, 1, item_blocks);
  std::vector<std::vector<uint64_t>> partial(parts > 1 ? parts * num_queries : 0);
  at::parallel_for(0, query_blocks * parts, 1, [&](int64_t begin, int64_t end) {
    torch::NoGradGuard no_grad_here;
    Workspace work;
    for (int64_t task = begin; task < end; ++task) {
      const int64_t part = task % parts, q_begin = task / parts * block;
      const int64_t q_end = std::min(num_queries, q_begin + block);
      problem.solve(q_begin, q_end, item_blocks * part / parts * kBlockItems,
                    std::min(num_items, item_blocks * (part + 1) / parts * kBlockItems), work);
      for (int64_t q = q_begin; q < q_end; ++q) {
        auto keys = work.best[q - q_begin].keys();
        if (parts > 1)
          partial[part * num_queries + q] = std::move(keys);
        else
          write_row(keys, q, k, out);
      }
    }
  });
  if (parts == 1) return out;
  for (int64_t q = 0; q < num_queries; ++q) {
    std::vector<uint64_t> keys;
    for (int64_t part = 0; part < parts; ++part) {
      const auto& some = partial[part * num_queries + q];
      keys.insert(keys.end(), some.begin(), some.end());
    }
    write_row(keys, q, k, out);
  }
  return out;
}

TopK topk_of_scores(const torch::Tensor& scores, const SeenItems& seen, int64_t k) {
  TORCH_CHECK(scores.dim() == 2, "topk_of_scores: expected [B, I], got ", scores.sizes());
  TORCH_CHECK(k >= 1, "topk_of_scores: expected k of 1 or more, got ", k);
  const int64_t num_queries = scores.size(0), num_items = scores.size(1);
  torch::NoGradGuard no_grad;
  const SeenRows seen_rows(seen, num_queries, num_items);
  if (!is_plain_float(scores))
    return plain_topk(num_queries, num_items, seen_rows, k, scores.device(),
                      [&](int64_t begin, int64_t end) { return scores.slice(0, begin, end); });
  auto out = empty_result(num_queries, k);
  if (num_items == 0) return out;
  const auto rows = scores.detach().contiguous();  // [B, I]
  at::parallel_for(0, num_queries, 1, [&](int64_t begin, int64_t end) {
    Best best;
    SeenCursor cursor;
    std::vector<int32_t> found(kScanItems);
    for (int64_t q = begin; q < end; ++q) {
      best.reset(std::min(k, num_items));
      seen_rows.place(cursor, q, 0);
      offer_scores(rows.const_data_ptr<float>() + q * num_items, nullptr, num_items, 0, cursor,
                   best, found.data());
      auto keys = best.keys();
      write_row(keys, q, k, out);
    }
  });
  return out;
}

}  // namespace reckon
