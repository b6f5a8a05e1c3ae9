#include "evaluation/evaluator.h"

#include <ATen/Parallel.h>
#include <torch/utils.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <numeric>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>

#include "core/config_node.h"
#include "core/diagnostics.h"
#include "core/ids.h"
#include "core/memory.h"
#include "datasets/batch_builder.h"
#include "evaluation/metrics.h"
#include "evaluation/sampled_candidates.h"
#include "evaluation/tally.h"
#include "kernels/topk.h"
#include "kernels/vector_math.h"

namespace reckon {
namespace {

// Scores that one thread holds at once (16 MB), and pairs in one call of score(): a scorer may need
// hundreds of bytes for each pair.
constexpr int64_t kHeldScores = int64_t{1} << 22;
constexpr int64_t kPairsPerCall = int64_t{1} << 16;

/// Puts the model into evaluation mode while it lives. The threads of training and of evaluation take turns, and
/// so does their memory.
class EvaluationMode {
 public:
  explicit EvaluationMode(Model& model) : model_(model), was_training_(model.is_training()) {
    model_.eval();
    give_back_memory();
  }
  ~EvaluationMode() {
    model_.train(was_training_);
    give_back_memory();
  }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  Model& model_;
  bool was_training_;
};

/// Runs `work(i)` for each i in [0, count) on `num_threads` threads, each with one intra-op thread:
/// what a call computes then depends on i alone. Of several errors the one with the lowest i is
/// thrown on.
template <class Work>
void for_each_batch(int64_t count, int64_t num_threads, const Work& work) {
  std::atomic<int64_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<std::exception_ptr> errors(count);
  const auto worker = [&] {
    at::set_num_threads(1);
    const torch::NoGradGuard no_grad;
    for (int64_t i = next++; i < count && !failed; i = next++) {
      try {
        work(i);
      } catch (...) {
        errors[i] = std::current_exception();
        failed = true;
      }
    }
  };
  prepare_vector_math();
  const int intra_op_threads = at::get_num_threads();
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < std::min(num_threads, count); ++t) threads.emplace_back(worker);
  for (auto& thread : threads) thread.join();
  // The workers' setting is also what threads that start later would take over.
  at::set_num_threads(intra_op_threads);
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

torch::Device device_of(const Model& model) {
  for (const auto& parameter : model.parameters()) return parameter.device();
  for (const auto& buffer : model.buffers()) return buffer.device();
  return torch::kCPU;
}

State rows_of(const State& state, int64_t begin, int64_t count) {
  State rows;
  for (const auto& tensor : state.tensors) rows.tensors.push_back(tensor.narrow(0, begin, count));
  return rows;
}

/// One evaluation: the fixed inputs, and what is done with a batch of users.
class Run {
 public:
  Run(Model& model, const EvaluationInput& input, const EvaluationOptions& options)
      : model_(model),
        input_(input),
        options_(options),
        device_(device_of(model)),
        num_items_(model.num_items()),
        num_rows_(input.data.users.size(0)),
        relevant_(relevant_items(input.data, options.relevant_from)),
        factors_(model.factors()),
        categories_(item_categories(input, options)),
        tally_(input, options.metrics, diversity_vectors(), categories_) {
    if (options.reranking) make_reranker();
    if (factors_) take_factors();
    gets_fallback_.assign(static_cast<size_t>(num_rows_), 0);
    if (input.item_counts.defined()) popularity_ = input.item_counts.to(torch::kFloat);  // [I]
    if (options.protocol == EvaluationProtocol::kSampled) sampler_.emplace(sampler());
    list_length_ = std::min(options.top_k_lists, num_items_);
    longest_list_ = std::min(std::max(tally_.max_cutoff(), options.top_k_lists), num_items_);
    num_candidates_ = longest_list_;
    if (reranker_ != nullptr && longest_list_ > 0)
      num_candidates_ =
          std::clamp(options.reranking.common().candidates, longest_list_, num_items_);
    if (list_length_ > 0) {
      list_items_ = torch::full({num_rows_, list_length_}, kPaddingId, torch::kInt64);  // [V, L]
      list_scores_ = torch::zeros({num_rows_, list_length_});                           // [V, L]
    }
  }

  EvaluationResult finish();

  void evaluate_users(int64_t begin, int64_t end);

 private:
  // Undefined when there are none.   Shapes   [I, D]
  torch::Tensor unit_vectors() const;
  torch::Tensor diversity_vectors() const;
  void make_reranker();
  void take_factors();
  SampledCandidates sampler() const;

  bool wants_ranking() const { return longest_list_ > 0 || tally_.wants(Metric::kAuc); }
  bool wants_ratings() const { return tally_.wants(Metric::kRmse) || tally_.wants(Metric::kMae); }

  torch::Tensor checked_queries(const State& state, int64_t begin) const;
  torch::Tensor factor_scores(const torch::Tensor& queries) const;
  torch::Tensor model_scores(const State& state, int64_t rows) const;
  std::vector<std::vector<float>> scores_of(const State& state,
                                            const std::vector<std::vector<int64_t>>& candidates,
                                            int64_t begin) const;
  TopK with_fallback(TopK best, int64_t begin) const;
  SeenItems seen_items(int64_t begin, int64_t end) const;
  void find_fallback_rows(const Batch& request, int64_t begin, int64_t end);
  [[noreturn]] void fail_at(int64_t row, const std::string& what) const;

  // Rows [begin, end) of the split; `state` and `queries` are those of these rows.
  void rank_all(const State& state, const torch::Tensor& queries, int64_t begin, int64_t end);
  void rank_block(const torch::Tensor& scores, int64_t begin);
  void rank_sampled(const State& state, int64_t begin, int64_t end);
  void rank_candidates(int64_t row, std::span<const int64_t> candidates,
                       std::span<const float> scores, size_t num_others);
  void rate(const State& state, int64_t begin, int64_t end);

  void take_topk(const TopK& best, int64_t begin);
  void take_list(int64_t row, std::span<const int64_t> items, std::span<const float> scores);
  void take_auc(int64_t row, std::span<const float> scores);

  Model& model_;
  const EvaluationInput& input_;
  const EvaluationOptions& options_;
  torch::Device device_;
  int64_t num_items_;
  int64_t num_rows_;
  RelevantItems relevant_;
  std::optional<Factors> factors_;
  std::shared_ptr<const ItemCategories> categories_;  // null: none
  MetricTally tally_;
  std::optional<SampledCandidates> sampler_;
  std::atomic<int64_t> num_short_samples_{0};  // users with fewer items left than are to be drawn
  std::atomic<int64_t> num_shortened_{0};      // lists that a re-ranker ended early
  std::vector<uint8_t> gets_fallback_;         // [V], rows whose request has nothing usable
  torch::Tensor popularity_;                   // [I] float32, what they are ranked by
  int64_t list_length_ = 0;                    // of the lists that are kept
  int64_t longest_list_ = 0;                   // that anything looks at
  int64_t num_candidates_ = 0;                 // that lists are chosen from
  std::shared_ptr<Reranker> reranker_;         // null: lists are as the model ranks
  torch::Tensor list_items_, list_scores_;
};

torch::Tensor Run::diversity_vectors() const {
  const auto is_diversity = [](const MetricName& name) {
    return name.metric == Metric::kDiversity;
  };
  if (std::none_of(options_.metrics.begin(), options_.metrics.end(), is_diversity)) return {};
  if (auto vectors = unit_vectors(); vectors.defined()) return vectors;
  throw ConfigError({{{"evaluation"},
                      "metrics: diversity compares item vectors, and this model has none",
                      "leave diversity out"}});
}

torch::Tensor Run::unit_vectors() const {
  return input_.item_vectors.defined() ? unit_rows(input_.item_vectors) : unit_item_vectors(model_);
}

void Run::make_reranker() {
  reranker_ = build_reranker(options_.reranking, {.num_items = num_items_,
                                                  .item_counts = input_.item_counts,
                                                  .unit_vectors = [this] { return unit_vectors(); },
                                                  .categories = categories_});
}

void Run::take_factors() {
  factors_->items = factors_->items.detach().to(torch::kCPU, torch::kFloat).contiguous();  // [I, D]
  if (factors_->item_bias.defined()) {
    factors_->item_bias =
        factors_->item_bias.detach().to(torch::kCPU, torch::kFloat).contiguous();  // [I]
  }
  auto finite = factors_->items.isfinite().all(/*dim=*/1);  // [I]
  if (factors_->item_bias.defined()) finite = finite.logical_and(factors_->item_bias.isfinite());
  if (finite.all().item<bool>()) return;
  const int64_t item = finite.logical_not().nonzero()[0].item<int64_t>();
  const auto name = input_.items ? std::string(input_.items->raw(item)) : std::to_string(item);
  fail_at(0, "the model's vector of item '" + name + "' holds NaN or infinity");
}

void Run::fail_at(int64_t row, const std::string& what) const {
  const int64_t user = input_.data.users[row].item<int64_t>();
  const auto name = input_.users && user < input_.users->size()
                        ? std::string(input_.users->raw(user))
                        : std::to_string(user);
  throw DataError("model", 0, "cannot score items for user '" + name + "': " + what);
}

SampledCandidates Run::sampler() const {
  return SampledCandidates(num_items_, input_.item_counts,
                           options_.negatives.value_or(NegativeSampling{}));
}

/// Queries of a batch on the CPU.   Shapes  -> [B, M, D] float32
torch::Tensor Run::checked_queries(const State& state, int64_t begin) const {
  const auto queries =
      model_.queries(state).to(torch::kCPU, torch::kFloat).contiguous();  // [B, M, D]
  const auto finite = queries.isfinite().flatten(1).all(/*dim=*/1);       // [B]
  if (finite.all().item<bool>()) return queries;
  fail_at(begin + finite.logical_not().nonzero()[0].item<int64_t>(),
          "the model's query vector holds NaN or infinity");
}

/// Scores of all items.   Shapes  queries [B, M, D] -> [B, I] float32
torch::Tensor Run::factor_scores(const torch::Tensor& queries) const {
  const auto products = queries.matmul(factors_->items.t());  // [B, M, I]
  const auto scores = factors_->reduction == Factors::Reduction::kMax
                          ? products.amax(/*dim=*/1)
                          : products.sum(/*dim=*/1);  // [B, I]
  return factors_->item_bias.defined() ? scores + factors_->item_bias : scores;
}

/// Scores of all items, asked for in blocks.   Shapes  state of B rows -> [B, I] float32
torch::Tensor Run::model_scores(const State& state, int64_t rows) const {
  if (model_.can_score_all())
    return model_.score_all(state).to(torch::kCPU, torch::kFloat).contiguous();  // [B, I]
  const int64_t step = std::max<int64_t>(1, kPairsPerCall / rows);
  auto scores = torch::empty({rows, num_items_});  // [B, I]
  for (int64_t item = 0; item < num_items_; item += step) {
    const int64_t end = std::min(item + step, num_items_);
    const auto candidates = torch::arange(item, end, torch::device(device_).dtype(torch::kInt64))
                                .unsqueeze(0)
                                .expand({rows, end - item});  // [B, C]
    scores.narrow(1, item, end - item).copy_(model_.score(state, candidates));
  }
  return scores;
}

/// Scores of each user's own candidates; users of like position share calls, padded.
std::vector<std::vector<float>> Run::scores_of(const State& state,
                                               const std::vector<std::vector<int64_t>>& candidates,
                                               int64_t begin) const {
  const auto rows = static_cast<int64_t>(candidates.size());
  std::vector<std::vector<float>> scores(rows);
  for (int64_t row = 0; row < rows;) {
    int64_t stop = row;
    int64_t width = 1;
    for (; stop < rows; ++stop) {
      const auto wider = std::max(width, static_cast<int64_t>(candidates[stop].size()));
      if (stop > row && wider * (stop - row + 1) > kPairsPerCall) break;
      width = wider;
    }
    auto ids = torch::zeros({stop - row, width}, torch::kInt64);  // [B, C]
    for (int64_t r = row; r < stop; ++r) {
      std::copy(candidates[r].begin(), candidates[r].end(),
                ids.mutable_data_ptr<int64_t>() + (r - row) * width);
    }
    const auto block = model_.score(rows_of(state, row, stop - row), ids.to(device_))
                           .to(torch::kCPU, torch::kFloat)
                           .contiguous();  // [B, C]
    for (int64_t r = row; r < stop; ++r) {
      const float* first = block.const_data_ptr<float>() + (r - row) * width;
      scores[r].assign(first, first + candidates[r].size());
      if (std::any_of(scores[r].begin(), scores[r].end(), [](float s) { return std::isnan(s); })) {
        fail_at(begin + r, "the model's scores are NaN");
      }
    }
    row = stop;
  }
  return scores;
}

SeenItems Run::seen_items(int64_t begin, int64_t end) const {
  if (!options_.mask_seen) return {};
  const auto offsets = input_.data.history_offsets.slice(0, begin, end + 1);  // [B + 1]
  const int64_t first = offsets[0].item<int64_t>();
  const int64_t last = offsets[end - begin].item<int64_t>();
  return {.offsets = offsets - first,                                 // [B + 1]
          .items = input_.data.history_items.slice(0, first, last)};  // [H]
}

void Run::find_fallback_rows(const Batch& request, int64_t begin, int64_t end) {
  if (!wants_ranking() || model_.ranks_for_everybody()) return;
  const auto usable = model_.usable(request).to(torch::kCPU).contiguous();  // [B]
  const bool* is_usable = usable.const_data_ptr<bool>();
  for (int64_t row = begin; row < end; ++row) gets_fallback_[row] = is_usable[row - begin] ? 0 : 1;
  TORCH_CHECK(
      popularity_.defined() || usable.all().item<bool>(),
      "evaluation: requests with nothing usable are ranked by item counts, and there are none");
}

/// The lists of rows [begin, begin + B) as they are served: by popularity where nothing is usable.
TopK Run::with_fallback(TopK best, int64_t begin) const {
  for (int64_t b = 0; b < best.items.size(0); ++b) {
    if (!gets_fallback_[begin + b]) continue;
    const auto own = topk_of_scores(popularity_.unsqueeze(0), seen_items(begin + b, begin + b + 1),
                                    best.items.size(1));
    best.items[b].copy_(own.items[0]);
    best.scores[b].copy_(own.scores[0]);
  }
  return best;
}

void Run::evaluate_users(int64_t begin, int64_t end) {
  const auto request = build_requests(input_.data, begin, end, model_.request_needs()).to(device_);
  find_fallback_rows(request, begin, end);
  const auto state = model_.encode(request);
  if (wants_ratings()) rate(state, begin, end);
  if (!wants_ranking()) return;
  if (sampler_) return rank_sampled(state, begin, end);
  if (!factors_) return rank_all(state, {}, begin, end);
  const auto queries = checked_queries(state, begin);  // [B, M, D]
  // The area under the curve looks at every score; all else is served by the best few.
  if (tally_.wants(Metric::kAuc)) {
    rank_all(state, queries, begin, end);
  } else {
    const auto best = topk(queries, factors_->items, factors_->item_bias,
                           factors_->reduction == Factors::Reduction::kMax, seen_items(begin, end),
                           num_candidates_);
    take_topk(with_fallback(best, begin), begin);
  }
  // It changes no order, and no metric of one; the scores of lists are those of score().
  const auto bias = model_.query_bias(state);  // [B]
  if (bias.defined() && list_length_ > 0 && reranker_ == nullptr) {
    const auto counted =
        torch::from_blob(gets_fallback_.data() + begin, {end - begin}, torch::kByte);
    const auto own = bias.to(torch::kCPU, torch::kFloat).masked_fill(counted.gt(0), 0.0);  // [B]
    list_scores_.slice(0, begin, end).add_(own.unsqueeze(1));
  }
}

void Run::rank_all(const State& state, const torch::Tensor& queries, int64_t begin, int64_t end) {
  const int64_t scores_per_user = num_items_ * (queries.defined() ? queries.size(1) : 1);
  const int64_t step = std::clamp<int64_t>(kHeldScores / scores_per_user, 1, end - begin);
  for (int64_t row = begin; row < end; row += step) {
    const int64_t rows = std::min(step, end - row);
    const auto scores = queries.defined()
                            ? factor_scores(queries.narrow(0, row - begin, rows))
                            : model_scores(rows_of(state, row - begin, rows), rows);  // [B, I]
    for (int64_t r = row; r < row + rows; ++r)
      if (gets_fallback_[r]) scores[r - row].copy_(popularity_);
    rank_block(scores, row);
  }
}

void Run::rank_block(const torch::Tensor& scores, int64_t begin) {
  const auto has_nan = scores.isnan().any(/*dim=*/1);  // [B]
  if (has_nan.any().item<bool>()) {
    fail_at(begin + has_nan.nonzero()[0].item<int64_t>(), "the model's scores are NaN");
  }
  const int64_t end = begin + scores.size(0);
  if (tally_.wants(Metric::kAuc)) {
    const float* data = scores.const_data_ptr<float>();
    for (int64_t row = begin; row < end; ++row) {
      take_auc(row, {data + (row - begin) * num_items_, static_cast<size_t>(num_items_)});
    }
  }
  if (longest_list_ > 0) {
    take_topk(topk_of_scores(scores, seen_items(begin, end), num_candidates_), begin);
  }
}

void Run::take_topk(const TopK& best, int64_t begin) {
  const int64_t width = best.items.size(1);
  const auto items = best.items.contiguous();    // [B, K]
  const auto scores = best.scores.contiguous();  // [B, K]
  const int64_t* item = items.const_data_ptr<int64_t>();
  const float* score = scores.const_data_ptr<float>();
  for (int64_t b = 0; b < items.size(0); ++b, item += width, score += width) {
    // What is left when all items are seen stands at the end as padding.
    const auto length = static_cast<size_t>(std::find(item, item + width, kPaddingId) - item);
    take_list(begin + b, {item, length}, {score, length});
  }
}

void Run::take_list(int64_t row, std::span<const int64_t> items, std::span<const float> scores) {
  const auto relevant = relevant_.of(row);
  if (relevant.empty()) return;
  std::vector<int64_t> chosen;
  std::vector<float> places;
  if (reranker_ != nullptr) {
    const auto relevance = relevance_of(scores);
    const auto wanted = std::min(items.size(), static_cast<size_t>(longest_list_));
    const auto list = reranker_->choose(
        {.items = items, .relevance = relevance, .history = history_of(input_.data, row)}, wanted);
    if (list.size() < wanted) ++num_shortened_;
    for (const auto place : list) {
      chosen.push_back(items[place]);
      places.push_back(static_cast<float>(list.size() - places.size()));
    }
    items = chosen;
    scores = places;
  }
  tally_.add_list(row, items, relevant);
  if (list_length_ == 0) return;
  const auto length = std::min<size_t>(items.size(), static_cast<size_t>(list_length_));
  std::copy_n(items.data(), length, list_items_.mutable_data_ptr<int64_t>() + row * list_length_);
  std::copy_n(scores.data(), length, list_scores_.mutable_data_ptr<float>() + row * list_length_);
}

void Run::take_auc(int64_t row, std::span<const float> scores) {
  const auto relevant = relevant_.of(row);
  if (relevant.empty()) return;
  enum : uint8_t { kOther, kRelevant, kMasked };
  std::vector<uint8_t> roles(scores.size(), kOther);
  for (const int64_t item : relevant) roles[item] = kRelevant;
  if (options_.mask_seen) {
    for (const int32_t item : history_of(input_.data, row)) roles[item] = kMasked;
  }
  std::vector<float> relevant_scores;
  std::vector<float> other_scores;
  other_scores.reserve(scores.size());
  for (size_t item = 0; item < scores.size(); ++item) {
    if (roles[item] == kRelevant) relevant_scores.push_back(scores[item]);
    if (roles[item] == kOther) other_scores.push_back(scores[item]);
  }
  tally_.add_auc(row, auc(relevant_scores, other_scores));
}

void Run::rank_sampled(const State& state, int64_t begin, int64_t end) {
  const int64_t* users = input_.data.users.const_data_ptr<int64_t>();
  std::vector<std::vector<int64_t>> candidates;
  std::vector<size_t> num_others;  // the drawn ones, in front of the relevant ones
  for (int64_t row = begin; row < end; ++row) {
    const auto relevant = relevant_.of(row);
    const auto history = history_of(input_.data, row);
    std::unordered_set<int64_t> masked;
    if (options_.mask_seen) masked.insert(history.begin(), history.end());
    auto excluded = masked;
    excluded.insert(relevant.begin(), relevant.end());
    auto& row_candidates = candidates.emplace_back();
    if (!relevant.empty()) {
      row_candidates = sampler_->draw(users[row], excluded);
      if (static_cast<int64_t>(row_candidates.size()) < sampler_->count()) ++num_short_samples_;
    }
    num_others.push_back(row_candidates.size());
    for (const int64_t item : relevant) {
      if (masked.count(item) == 0) row_candidates.push_back(item);
    }
  }
  auto scores = scores_of(state, candidates, begin);
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (!gets_fallback_[begin + static_cast<int64_t>(i)]) continue;
    const float* counts = popularity_.const_data_ptr<float>();
    std::transform(candidates[i].begin(), candidates[i].end(), scores[i].begin(),
                   [counts](int64_t item) { return counts[item]; });
  }
  for (size_t i = 0; i < candidates.size(); ++i) {
    rank_candidates(begin + static_cast<int64_t>(i), candidates[i], scores[i], num_others[i]);
  }
}

void Run::rank_candidates(int64_t row, std::span<const int64_t> candidates,
                          std::span<const float> scores, size_t num_others) {
  if (relevant_.of(row).empty()) return;
  if (tally_.wants(Metric::kAuc)) {
    tally_.add_auc(row, auc(scores.subspan(num_others), scores.first(num_others)));
  }
  if (longest_list_ == 0) return;
  std::vector<size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return scores[a] != scores[b] ? scores[a] > scores[b] : candidates[a] < candidates[b];
  });
  order.resize(std::min<size_t>(order.size(), static_cast<size_t>(num_candidates_)));
  std::vector<int64_t> items;
  std::vector<float> sorted_scores;
  for (const size_t place : order) {
    items.push_back(candidates[place]);
    sorted_scores.push_back(scores[place]);
  }
  take_list(row, items, sorted_scores);
}

// A rating is in its own unit, which counts are not: here biases alone speak for unknown users.
void Run::rate(const State& state, int64_t begin, int64_t end) {
  const int64_t* offsets = input_.data.target_offsets.const_data_ptr<int64_t>();
  const int32_t* items = input_.data.target_items.const_data_ptr<int32_t>();
  const float* labels = input_.data.target_labels.const_data_ptr<float>();
  std::vector<std::vector<int64_t>> candidates;
  for (int64_t row = begin; row < end; ++row) {
    candidates.emplace_back(items + offsets[row], items + offsets[row + 1]);
  }
  const auto predictions = scores_of(state, candidates, begin);
  for (int64_t row = begin; row < end; ++row) {
    const auto count = static_cast<size_t>(offsets[row + 1] - offsets[row]);
    if (count == 0) continue;
    tally_.add_ratings(row, predictions[row - begin], {labels + offsets[row], count});
  }
}

EvaluationResult Run::finish() {
  EvaluationResult result = empty_result(input_, options_, relevant_);
  if (reranker_ != nullptr && longest_list_ > 0) {
    result.reranking = emit_flow(options_.reranking.emit());
    result.notes.push_back("lists are chosen from the " + std::to_string(num_candidates_) +
                           " best ranked items by `" + options_.reranking.type() + "`");
  }
  add_note(result, num_shortened_, "list ends early: its candidates hold nothing more to choose",
           "lists end early: their candidates hold nothing more to choose");
  add_note(result, num_short_samples_,
           "user has fewer items left than are to be drawn, and all of them compete",
           "users have fewer items left than are to be drawn, and all of those compete");
  for (int64_t row = 0; row < num_rows_; ++row)
    result.num_fallback_users += gets_fallback_[row] != 0 && !relevant_.of(row).empty() ? 1 : 0;
  add_note(result, result.num_fallback_users,
           "user has nothing that the model can use (no rows in training, no history) and gets " +
               model_.contract().fallback,
           "users have nothing that the model can use (no rows in training, no history) and get " +
               model_.contract().fallback);
  tally_.finish(result, options_.per_user);
  if (list_length_ == 0) return result;
  std::vector<int64_t> users;
  std::vector<int64_t> offsets = {0};
  std::vector<int64_t> places;
  for (int64_t row = 0; row < num_rows_; ++row) {
    if (relevant_.of(row).empty()) continue;
    users.push_back(input_.data.users.const_data_ptr<int64_t>()[row]);
    for (int64_t place = row * list_length_; place < (row + 1) * list_length_; ++place) {
      if (list_items_.const_data_ptr<int64_t>()[place] != kPaddingId) places.push_back(place);
    }
    offsets.push_back(static_cast<int64_t>(places.size()));
  }
  const auto index = torch::tensor(places, torch::kInt64);                              // [N]
  result.lists = RankedLists{.users = torch::tensor(users, torch::kInt64),              // [V]
                             .offsets = torch::tensor(offsets, torch::kInt64),          // [V + 1]
                             .items = list_items_.flatten().index_select(0, index),     // [N]
                             .scores = list_scores_.flatten().index_select(0, index)};  // [N]
  return result;
}

void check_input(const EvaluationInput& input, const EvaluationOptions& options) {
  check_evaluation_data(input.data, input.num_items);
  if (!input.data.target_labels.defined()) {
    Problems problems;
    check_without_ratings(options, nullptr, problems);
    problems.throw_if_any();
  }
  for (const auto& name : options.metrics) {
    const bool needs_counts = name.metric == Metric::kPopularity || name.metric == Metric::kNovelty;
    TORCH_CHECK(!needs_counts ||
                    (input.item_counts.defined() && input.item_counts.numel() == input.num_items),
                "evaluation: ", name.to_string(), " needs item counts [", input.num_items, "]");
  }
  TORCH_CHECK(!input.item_vectors.defined() ||
                  (input.item_vectors.dim() == 2 && input.item_vectors.size(0) == input.num_items),
              "evaluation: expected item vectors [", input.num_items, ", D], got ",
              input.item_vectors.defined() ? input.item_vectors.sizes() : at::IntArrayRef());
}

}  // namespace

torch::Tensor unit_item_vectors(Model& model) {
  if (const auto vectors = model.item_vectors()) return unit_rows(*vectors);
  if (const auto factors = model.factors()) return unit_rows(factors->items);
  return {};
}

EvaluationInput evaluation_input(const Dataset& dataset, const EvaluationOptions& options) {
  return {.data = dataset.evaluation(options.split),
          .num_users = dataset.num_users(),
          .num_items = dataset.num_items(),
          .item_counts = item_counts(dataset.part(Split::kTrain)),
          .item_vectors = {},
          .item_columns = &dataset.item_columns(),
          .users = &dataset.users(),
          .items = &dataset.items(),
          .fingerprint = dataset.measured_fingerprint()};
}

EvaluationResult evaluate(Model& model, const EvaluationInput& input,
                          const EvaluationOptions& options) {
  TORCH_CHECK(model.num_items() == input.num_items, "evaluation: the model knows ",
              model.num_items(), " items, the data has ", input.num_items);
  check_input(input, options);
  const torch::NoGradGuard no_grad;
  const EvaluationMode mode(model);
  Run run(model, input, options);
  const int64_t num_rows = input.data.users.size(0);
  const int64_t threads = options.threads > 0 ? options.threads : at::get_num_threads();
  const int64_t batches = (num_rows + options.batch_size - 1) / options.batch_size;
  for_each_batch(batches, threads, [&](int64_t batch) {
    const int64_t begin = batch * options.batch_size;
    run.evaluate_users(begin, std::min(begin + options.batch_size, num_rows));
  });
  return run.finish();
}

EvaluationResult evaluate(Model& model, const Dataset& dataset, const EvaluationOptions& options) {
  return evaluate(model, evaluation_input(dataset, options), options);
}

EvaluationResult evaluate_lists(const RankedLists& lists, const EvaluationInput& input,
                                const EvaluationOptions& options) {
  std::vector<MetricName> metrics;
  std::string left_out;
  for (const auto& name : options.metrics) {
    const bool has_vectors = name.metric != Metric::kDiversity || input.item_vectors.defined();
    if (name.needs_list() && has_vectors) {
      metrics.push_back(name);
    } else {
      left_out += (left_out.empty() ? "" : ", ") + name.to_string();
    }
  }
  if (metrics.empty()) {
    throw ConfigError({{{"evaluation"},
                        "metrics: lists alone do not give " + left_out,
                        "ask for metrics with a cut-off, such as ndcg@10"}});
  }
  auto listed = options;
  listed.metrics = metrics;
  listed.protocol = EvaluationProtocol::kFull;
  check_input(input, listed);
  const auto relevant = relevant_items(input.data, options.relevant_from);
  const bool wants_diversity =
      std::any_of(metrics.begin(), metrics.end(),
                  [](const MetricName& name) { return name.metric == Metric::kDiversity; });
  MetricTally tally(input, metrics,
                    wants_diversity ? unit_rows(input.item_vectors) : torch::Tensor(),
                    item_categories(input, listed));

  const int64_t* offsets = lists.offsets.const_data_ptr<int64_t>();
  const int64_t* items = lists.items.const_data_ptr<int64_t>();
  std::unordered_map<int64_t, int64_t> list_of;
  for (int64_t i = 0; i < lists.num_users(); ++i) {
    list_of.emplace(lists.users.const_data_ptr<int64_t>()[i], i);
  }
  int64_t without_list = 0;
  int64_t shorter = 0;
  int64_t seen_places = 0;
  for (int64_t row = 0; row < input.data.users.size(0); ++row) {
    if (relevant.of(row).empty()) continue;
    const auto found = list_of.find(input.data.users.const_data_ptr<int64_t>()[row]);
    std::vector<int64_t> list;
    if (found == list_of.end()) {
      ++without_list;
    } else {
      list.assign(items + offsets[found->second], items + offsets[found->second + 1]);
      shorter += static_cast<int64_t>(list.size()) < tally.max_cutoff();
    }
    list.resize(std::min<size_t>(list.size(), static_cast<size_t>(tally.max_cutoff())));
    if (options.mask_seen) {
      const auto history = history_of(input.data, row);
      const std::unordered_set<int64_t> seen(history.begin(), history.end());
      for (auto& item : list) {
        if (seen.count(item) == 0) continue;
        item = kUnknownId;
        ++seen_places;
      }
    }
    tally.add_list(row, list, relevant.of(row));
  }
  EvaluationResult result = empty_result(input, listed, relevant);
  tally.finish(result, options.per_user);
  if (!left_out.empty()) {
    result.notes.push_back("left out, since lists alone do not give them: " + left_out);
  }
  if (options.reranking)
    result.notes.emplace_back("lists made elsewhere are measured as they are, without reranking");
  add_note(result, without_list, "user of the split has no list and counts with an empty one",
           "users of the split have no list and count with an empty one");
  const auto cutoff = std::to_string(tally.max_cutoff());
  add_note(result, shorter, "list is shorter than the largest cut-off, " + cutoff,
           "lists are shorter than the largest cut-off, " + cutoff);
  add_note(result, seen_places, "recommended item had been seen by the user and counts as a miss",
           "recommended items had been seen by the user and count as misses");
  return result;
}

}  // namespace reckon
