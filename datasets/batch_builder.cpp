#include "datasets/batch_builder.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <string>

#include "core/diagnostics.h"
#include "core/format.h"
#include "core/ids.h"
#include "core/random.h"
#include "datasets/negative_sampler.h"

namespace reckon {
namespace {

// Examples of this many batches are sorted by length together: enough that lengths within a batch
// are alike, few enough that the order stays random.
constexpr int64_t kBatchesPerChunk = 32;

// Negatives of one step: their ids alone are 2 GB. More would end in the hands of the system, which
// kills without a word.
constexpr int64_t kMaxDraws = int64_t{1} << 28;

// Sub-streams of RandomStream::kShuffle.
constexpr uint64_t kExampleOrder = 0;
constexpr uint64_t kBatchOrder = 1;
constexpr uint64_t kDrawnUser = 2;
constexpr uint64_t kDrawnRow = 3;

/// A random permutation of 0 .. size - 1 that is computed entry by entry and stored nowhere: a
/// Feistel network on as many bits as the range has, walked until it falls into the range (Black and
/// Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).
class ImplicitPermutation {
 public:
  ImplicitPermutation(int64_t size, const RandomKey& key) : size_(static_cast<uint64_t>(size)) {
    const auto bits = static_cast<int>(std::bit_width(size_ > 0 ? size_ - 1 : 0));
    low_bits_ = bits / 2;
    low_mask_ = (uint64_t{1} << low_bits_) - 1;
    high_mask_ = (uint64_t{1} << (bits - low_bits_)) - 1;
    for (size_t round = 0; round < kRounds; ++round) keys_[round] = random_bits(key, round);
  }

  int64_t operator()(int64_t index) const {
    auto value = static_cast<uint64_t>(index);
    do {
      auto high = value >> low_bits_, low = value & low_mask_;
      for (size_t round = 0; round < kRounds; round += 2) {
        high ^= mix64(low + keys_[round]) & high_mask_;
        low ^= mix64(high + keys_[round + 1]) & low_mask_;
      }
      value = (high << low_bits_) | low;
    } while (value >= size_);
    return static_cast<int64_t>(value);
  }

 private:
  static constexpr size_t kRounds = 4;

  uint64_t size_;
  int low_bits_;
  uint64_t low_mask_;
  uint64_t high_mask_;
  uint64_t keys_[kRounds];
};

/// One example of a step, and how many history items it has. `place` names its draws: no other row of an
/// epoch has it, while an example may come again where they are drawn by user.
struct Row {
  int32_t example = 0;
  int32_t length = 0;
  int32_t place = 0;
};

// Sorts by length, equal ones in their order: lengths are small numbers, so they are counted.
void sort_by_length(std::vector<Row>& rows, int64_t max_length) {
  if (max_length == 0) return;
  std::vector<size_t> next(static_cast<size_t>(max_length) + 2, 0);
  for (const auto& row : rows) ++next[static_cast<size_t>(row.length) + 1];
  std::partial_sum(next.begin(), next.end(), next.begin());
  std::vector<Row> sorted(rows.size());
  for (const auto& row : rows) sorted[next[static_cast<size_t>(row.length)]++] = row;
  rows.swap(sorted);
}

// Where to cut rows of ascending length into parts, so that the largest padded part is as small as
// can be: `ends[k]` is the end of part k. No part is empty.
std::vector<size_t> balanced_ends(const std::vector<Row>& rows, size_t num_parts) {
  const auto num_rows = rows.size();
  num_parts = std::min(num_parts, num_rows);
  const auto width = [&](size_t row) { return std::max<int64_t>(rows[row].length, 1); };
  std::vector<size_t> ends(num_parts);
  // Fills parts from the front up to `limit` cells each; true when all rows find a place.
  const auto fits = [&](int64_t limit) {
    size_t begin = 0;
    for (size_t part = 0; part < num_parts; ++part) {
      const auto last_end = num_rows - (num_parts - 1 - part);
      auto end = begin + 1;
      while (end < last_end && static_cast<int64_t>(end + 1 - begin) * width(end) <= limit) ++end;
      if (static_cast<int64_t>(end - begin) * width(end - 1) > limit) return false;
      ends[part] = end;
      begin = end;
    }
    return begin == num_rows;
  };
  int64_t low = 1, high = static_cast<int64_t>(num_rows) * width(num_rows - 1);
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    if (fits(middle))
      high = middle;
    else
      low = middle + 1;
  }
  fits(low);
  return ends;
}

// values[id] of each id; zero of padding.
torch::Tensor looked_up(std::span<const float> values, const torch::Tensor& ids) {
  auto out = torch::empty(ids.sizes());  // like ids
  const auto* id = ids.data_ptr<int64_t>();
  auto* value = out.data_ptr<float>();
  for (int64_t i = 0; i < ids.numel(); ++i)
    value[i] = id[i] < 0 ? 0.0f : values[static_cast<size_t>(id[i])];
  return out;
}

}  // namespace

struct BatchBuilder::Impl {
  /// A part of a user's history that is an example: its newest target is `back` interactions from the end;
  /// of sets with one target that is the only one.
  struct Window {
    int32_t user = 0;
    int32_t back = 0;
  };

  Interactions train;
  Needs needs;
  Options options;
  bool is_sequences = false;  // or sets: one row for many interactions
  bool is_sets = false;
  std::vector<Window> windows;            // sequences: the examples
  std::vector<int32_t> user_of_row;       // interactions: the user of each row
  std::vector<int32_t> users_with_rows;   // Sampling::kUsers: who is drawn
  std::vector<NegativeSampler> samplers;  // one for each stream of negatives
  std::vector<float> log_frequency;       // [I], when it is needed

  const int64_t* offsets = nullptr;
  const int32_t* items = nullptr;
  const float* labels = nullptr;
  const float* weights = nullptr;

  int64_t num_examples() const {
    return is_sequences ? static_cast<int64_t>(windows.size()) : train.size();
  }
  int64_t num_steps() const {
    return (num_examples() + options.batch_size - 1) / options.batch_size;
  }

  // How far a target lies ahead of the history item at its step.
  int64_t step_ahead() const { return is_sets ? 0 : 1; }
  int32_t length_of(int64_t example) const;
  int64_t drawn_example(const RandomKey& key, int64_t place) const;
  std::vector<Row> rows_of(int64_t epoch, int64_t step) const;
  Batch build_shard(std::span<const Row> rows, int64_t epoch, int64_t step, int64_t& targets) const;
  void add_sequences(std::span<const Row> rows, Batch& batch, int64_t& num_targets) const;
  void add_interactions(std::span<const Row> rows, Batch& batch) const;
  void add_negatives(size_t stream, std::span<const Row> rows, int64_t epoch, int64_t step,
                     Batch& batch) const;
  // Which of the negatives the user of each row has.   Shapes   -> [B, N] bool
  torch::Tensor hits_of(std::span<const Row> rows, std::span<const int64_t> negatives) const;
  void require_room(const NegativeNeeds& negatives) const;

  int64_t user_of(const Row& row) const {
    const auto example = static_cast<size_t>(row.example);
    return is_sequences ? windows[example].user : user_of_row[example];
  }
  std::span<const int32_t> items_of(int64_t user) const {
    return {items + offsets[user], static_cast<size_t>(offsets[user + 1] - offsets[user])};
  }
};

BatchBuilder::BatchBuilder(const Interactions& train, const Needs& needs, const Options& options)
    : impl_(std::make_unique<Impl>()) {
  TORCH_CHECK(options.batch_size > 0 && options.num_shards > 0,
              "batch builder: batch_size and num_shards must be positive, got ", options.batch_size,
              " and ", options.num_shards);
  auto& impl = *impl_;
  impl.train = train;
  impl.needs = needs;
  impl.options = options;
  impl.is_sets = needs.examples == Needs::Examples::kSets;
  impl.is_sequences = impl.is_sets || needs.examples == Needs::Examples::kSequences;
  TORCH_CHECK(!impl.is_sequences || needs.max_length > 0,
              "batch builder: sequences need a max_length, got ", needs.max_length);
  TORCH_CHECK(!needs.one_target || impl.is_sets, "batch builder: one_target is for sets");
  TORCH_CHECK(!impl.is_sequences || options.sampling == Sampling::kExamples,
              "batch builder: users are drawn where an example is an interaction");
  if (train.size() == 0) throw DataError("data", 0, "the training split is empty");
  impl.offsets = train.user_offsets.data_ptr<int64_t>();
  impl.items = train.items.data_ptr<int32_t>();
  if (train.labels.defined()) impl.labels = train.labels.data_ptr<float>();
  if (train.weights.defined()) impl.weights = train.weights.data_ptr<float>();
  TORCH_CHECK(!needs.labels || impl.labels != nullptr,
              "batch builder: labels are needed and the data has none");
  if (impl.is_sequences) {
    for (int64_t user = 0; user < train.num_users; ++user) {
      const auto num_targets = impl.offsets[user + 1] - impl.offsets[user] - impl.step_ahead();
      int64_t step = needs.max_length, end = std::min<int64_t>(num_targets, 1);
      if (needs.windows && !impl.is_sets) end = num_targets;
      if (needs.one_target) {
        step = 1;
        end = std::min(num_targets, needs.max_length);
      }
      for (int64_t back = 0; back < end; back += step)
        impl.windows.push_back({static_cast<int32_t>(user), static_cast<int32_t>(back)});
    }
    if (impl.windows.empty())
      throw DataError("data", 0, "no user has two interactions in the training split",
                      "a sequence model learns the next item from the ones before");
  } else {
    TORCH_CHECK(train.size() <= std::numeric_limits<int32_t>::max(),
                "batch builder: at most 2^31 - 1 interactions, got ", train.size());
    impl.user_of_row.resize(static_cast<size_t>(train.size()));
    for (int64_t user = 0; user < train.num_users; ++user)
      std::fill(impl.user_of_row.begin() + impl.offsets[user],
                impl.user_of_row.begin() + impl.offsets[user + 1], static_cast<int32_t>(user));
    if (options.sampling == Sampling::kUsers)
      for (int64_t user = 0; user < train.num_users; ++user)
        if (impl.offsets[user + 1] > impl.offsets[user])
          impl.users_with_rows.push_back(static_cast<int32_t>(user));
  }
  for (const auto& negatives : needs.negatives) {
    TORCH_CHECK(negatives.count > 0, "batch builder: negatives must be positive, got ",
                negatives.count);
    impl.require_room(negatives);
    impl.samplers.emplace_back(train, negatives);
  }
  if (!needs.log_frequency) return;
  const auto counts = item_counts(train);  // [I]
  const auto* count = counts.data_ptr<int64_t>();
  impl.log_frequency.resize(static_cast<size_t>(train.num_items));
  for (size_t item = 0; item < impl.log_frequency.size(); ++item)
    impl.log_frequency[item] = static_cast<float>(
        std::log(static_cast<double>(count[item]) / static_cast<double>(train.size())));
}

BatchBuilder::~BatchBuilder() = default;
BatchBuilder::BatchBuilder(BatchBuilder&&) noexcept = default;

int64_t BatchBuilder::num_examples() const { return impl_->num_examples(); }
int64_t BatchBuilder::steps_per_epoch() const { return impl_->num_steps(); }

void BatchBuilder::Impl::require_room(const NegativeNeeds& negatives) const {
  const auto num_rows = std::min(options.batch_size, num_examples());
  int64_t places = 1;
  const bool per_position = is_sequences && negatives.per == NegativeNeeds::Per::kPosition;
  if (negatives.per == NegativeNeeds::Per::kShard) places = std::min(num_rows, options.num_shards);
  if (!negatives.serves_many_users() || negatives.exclude_positives) places = num_rows;
  if (per_position) {
    int64_t longest = 0;
    for (int64_t example = 0; example < num_examples(); ++example)
      longest = std::max<int64_t>(longest, length_of(example));
    places *= longest;
  }
  if (negatives.count <= kMaxDraws / places) return;
  throw ConfigError(
      "model.objectives: " + format_count(negatives.count) + " negatives in each of " +
          format_count(places) + (per_position ? " positions" : " examples") +
          " of a step are more than the " + format_count(kMaxDraws) + " that one step may draw",
      "lower `negatives` or training.batch_size, or let the step share its draws with "
      "`sharing: step`");
}

int32_t BatchBuilder::Impl::length_of(int64_t example) const {
  if (needs.max_length <= 0) return 0;
  if (is_sequences) {
    const auto [user, back] = windows[static_cast<size_t>(example)];
    const auto left_out = needs.one_target ? 0 : step_ahead() + back;
    return static_cast<int32_t>(
        std::min(offsets[user + 1] - offsets[user] - left_out, needs.max_length));
  }
  const auto user = user_of_row[static_cast<size_t>(example)];
  return static_cast<int32_t>(std::min(example - offsets[user], needs.max_length));
}

int64_t BatchBuilder::Impl::drawn_example(const RandomKey& key, int64_t place) const {
  const auto counter = static_cast<uint64_t>(place);
  const auto user =
      users_with_rows[random_below(key.child(kDrawnUser), counter, users_with_rows.size())];
  const auto count = static_cast<uint64_t>(offsets[user + 1] - offsets[user]);
  return offsets[user] + static_cast<int64_t>(random_below(key.child(kDrawnRow), counter, count));
}

std::vector<Row> BatchBuilder::Impl::rows_of(int64_t epoch, int64_t step) const {
  const auto size = num_examples();
  const RandomKey key(options.seed, RandomStream::kShuffle, static_cast<uint64_t>(epoch));
  const ImplicitPermutation examples(size, key.child(kExampleOrder));
  const ImplicitPermutation batches(num_steps(), key.child(kBatchOrder));
  const bool buckets = options.bucket_by_length && needs.max_length > 0;
  const auto batch = buckets ? batches(step) : step;
  const auto first_batch = buckets ? batch / kBatchesPerChunk * kBatchesPerChunk : batch;
  const auto num_batches = buckets ? kBatchesPerChunk : 1;
  const auto begin = first_batch * options.batch_size;
  const auto end = std::min(size, begin + num_batches * options.batch_size);
  const bool is_drawn = options.sampling == Sampling::kUsers;
  std::vector<Row> rows(static_cast<size_t>(end - begin));
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto place = begin + static_cast<int64_t>(i);
    const auto example = is_drawn ? drawn_example(key, place) : examples(place);
    rows[i] = {static_cast<int32_t>(example), length_of(example),
               static_cast<int32_t>(is_drawn ? place : example)};
  }
  sort_by_length(rows, std::max<int64_t>(needs.max_length, 0));
  if (!buckets) return rows;
  const auto from = (batch - first_batch) * options.batch_size;
  const auto to = std::min(from + options.batch_size, end - begin);
  return {rows.begin() + from, rows.begin() + to};
}

StepBatch BatchBuilder::build(int64_t epoch, int64_t step) const {
  TORCH_CHECK(step >= 0 && step < steps_per_epoch(), "batch builder: step ", step, " of ",
              steps_per_epoch());
  const auto rows = impl_->rows_of(epoch, step);
  StepBatch out;
  out.num_examples = static_cast<int64_t>(rows.size());
  size_t begin = 0;
  for (const auto end : balanced_ends(rows, static_cast<size_t>(impl_->options.num_shards))) {
    const std::span<const Row> part(rows.data() + begin, end - begin);
    out.shards.push_back(impl_->build_shard(part, epoch, step, out.num_targets));
    begin = end;
  }
  return out;
}

Batch BatchBuilder::Impl::build_shard(std::span<const Row> rows, int64_t epoch, int64_t step,
                                      int64_t& num_targets) const {
  const auto num_rows = static_cast<int64_t>(rows.size());
  Batch batch(num_rows);
  if (needs.users) {
    auto ids = torch::empty({num_rows}, torch::kLong);  // [B]
    auto* id = ids.data_ptr<int64_t>();
    for (size_t row = 0; row < rows.size(); ++row) id[row] = user_of(rows[row]);
    batch.set(batch_key::kUsers, ids);
  }
  if (is_sequences) {
    add_sequences(rows, batch, num_targets);
  } else {
    add_interactions(rows, batch);
    num_targets += num_rows;
  }
  for (size_t stream = 0; stream < samplers.size(); ++stream)
    add_negatives(stream, rows, epoch, step, batch);
  if (needs.log_frequency)
    batch.set(batch_key::kTargetLogFrequency,
              looked_up(log_frequency, batch.at(batch_key::kTargets)));
  return batch;
}

void BatchBuilder::Impl::add_sequences(std::span<const Row> rows, Batch& batch,
                                       int64_t& num_targets) const {
  const auto num_rows = static_cast<int64_t>(rows.size());
  const int64_t length = rows.back().length;                      // rows come sorted
  auto history = torch::empty({num_rows, length}, torch::kLong);  // [B, T]
  auto targets = torch::empty({num_rows, length}, torch::kLong);  // [B, T]
  torch::Tensor label_rows, weight_rows;
  if (needs.labels) label_rows = torch::zeros({num_rows, length});         // [B, T]
  if (weights != nullptr) weight_rows = torch::zeros({num_rows, length});  // [B, T]
  auto* past = history.data_ptr<int64_t>();
  auto* next = targets.data_ptr<int64_t>();
  for (size_t row = 0; row < rows.size(); ++row) {
    const auto [user, back] = windows[static_cast<size_t>(rows[row].example)];
    const int64_t count = rows[row].length;
    const auto begin = static_cast<int64_t>(row) * length;
    const auto* oldest =
        items + offsets[user + 1] - (needs.one_target ? 0 : back) - count - step_ahead();
    std::fill(past + begin, past + begin + length - count, kPaddingId);
    std::copy(oldest, oldest + count, past + begin + length - count);
    // The targets are the last of the row, but for a single one in the place of its item.
    const int64_t targets_here = needs.one_target ? 1 : count;
    const auto first = offsets[user + 1] - back - targets_here;
    const auto place = begin + length - (needs.one_target ? back : 0) - targets_here;
    std::fill(next + begin, next + begin + length, kPaddingId);
    std::copy(items + first, items + first + targets_here, next + place);
    if (label_rows.defined())
      std::copy(labels + first, labels + first + targets_here,
                label_rows.data_ptr<float>() + place);
    if (weight_rows.defined())
      std::copy(weights + first, weights + first + targets_here,
                weight_rows.data_ptr<float>() + place);
    num_targets += targets_here;
  }
  batch.set(batch_key::kHistory, history);
  batch.set(batch_key::kTargets, targets);
  if (label_rows.defined()) batch.set(batch_key::kLabels, label_rows);
  if (weight_rows.defined()) batch.set(batch_key::kWeights, weight_rows);
}

void BatchBuilder::Impl::add_interactions(std::span<const Row> rows, Batch& batch) const {
  const auto num_rows = static_cast<int64_t>(rows.size());
  auto targets = torch::empty({num_rows}, torch::kLong);  // [B]
  auto* target = targets.data_ptr<int64_t>();
  for (size_t row = 0; row < rows.size(); ++row) target[row] = items[rows[row].example];
  batch.set(batch_key::kTargets, targets);
  const auto add = [&](const char* name, const float* values) {
    auto column = torch::empty({num_rows});  // [B]
    auto* value = column.data_ptr<float>();
    for (size_t row = 0; row < rows.size(); ++row) value[row] = values[rows[row].example];
    batch.set(name, column);
  };
  if (needs.labels) add(batch_key::kLabels, labels);
  if (weights != nullptr) add(batch_key::kWeights, weights);
  if (needs.max_length <= 0) return;

  // A first interaction has no history: one step of padding stands for it.
  const int64_t length = std::max(rows.back().length, 1);
  auto history = torch::full({num_rows, length}, kPaddingId, torch::kLong);  // [B, T]
  auto* past = history.data_ptr<int64_t>();
  for (size_t row = 0; row < rows.size(); ++row) {
    const int64_t count = rows[row].length;
    const auto* end = items + rows[row].example;
    std::copy(end - count, end, past + (static_cast<int64_t>(row) + 1) * length - count);
  }
  batch.set(batch_key::kHistory, history);
}

torch::Tensor BatchBuilder::Impl::hits_of(std::span<const Row> rows,
                                          std::span<const int64_t> negatives) const {
  // Nearly no item of a user is among them: a table of bits says so of most.
  constexpr size_t kBits = 1 << 16;
  std::vector<bool> may_hit(kBits);
  std::vector<std::pair<int64_t, int64_t>> places;  // negative and where it stands, in order
  for (size_t n = 0; n < negatives.size(); ++n) {
    may_hit[static_cast<size_t>(negatives[n]) % kBits] = true;
    places.emplace_back(negatives[n], static_cast<int64_t>(n));
  }
  std::sort(places.begin(), places.end());
  const auto count = static_cast<int64_t>(negatives.size());
  auto hits = torch::zeros({static_cast<int64_t>(rows.size()), count}, torch::kBool);  // [B, N]
  auto* hit = hits.data_ptr<bool>();
  for (size_t row = 0; row < rows.size(); ++row, hit += count)
    for (const auto item : items_of(user_of(rows[row]))) {
      if (!may_hit[static_cast<size_t>(item) % kBits]) continue;
      const std::pair<int64_t, int64_t> first{item, 0};
      for (auto place = std::lower_bound(places.begin(), places.end(), first);
           place != places.end() && place->first == item; ++place)
        hit[place->second] = true;
    }
  return hits;
}

void BatchBuilder::Impl::add_negatives(size_t stream, std::span<const Row> rows, int64_t epoch,
                                       int64_t step, Batch& batch) const {
  const auto& wanted = needs.negatives[stream];
  const auto& sampler = samplers[stream];
  const auto num_rows = static_cast<int64_t>(rows.size());
  const auto count = wanted.count;
  const RandomKey key(options.seed, RandomStream::kNegatives, static_cast<uint64_t>(epoch), stream);
  const auto put = [&](const torch::Tensor& negatives) {
    batch.set(batch_key::of_stream(batch_key::kNegatives, stream), negatives);
    if (!wanted.log_q) return;
    batch.set(batch_key::of_stream(batch_key::kTargetLogQ, stream),
              looked_up(sampler.log_q(), batch.at(batch_key::kTargets)));
    batch.set(batch_key::of_stream(batch_key::kNegativeLogQ, stream),
              looked_up(sampler.log_q(), negatives));
  };
  if (wanted.serves_many_users()) {
    // Of a step the same for every shard; of a shard by its first row; apart from the keys of examples.
    const auto of_step = key.child(static_cast<uint64_t>(step));
    const auto draw = wanted.per == NegativeNeeds::Per::kShard
                          ? of_step.child(2).child(static_cast<uint64_t>(rows.front().place))
                          : of_step.child(1);
    auto negatives = torch::empty({count}, torch::kLong);  // [N]
    const std::span<int64_t> drawn{negatives.data_ptr<int64_t>(), static_cast<size_t>(count)};
    sampler.draw(draw, {}, drawn);
    if (wanted.exclude_positives)
      batch.set(batch_key::of_stream(batch_key::kNegativeHits, stream), hits_of(rows, drawn));
    return put(negatives);
  }
  const bool per_position = is_sequences && wanted.per == NegativeNeeds::Per::kPosition;
  const int64_t length = per_position ? rows.back().length : 1;
  auto negatives = per_position
                       ? torch::empty({num_rows, length, count}, torch::kLong)  // [B, T, N]
                       : torch::empty({num_rows, count}, torch::kLong);         // [B, N]
  auto* out = negatives.data_ptr<int64_t>();
  const auto fill_row = [&](size_t row, const NegativeSampler::Exclusion& exclusion) {
    const auto drawn = (per_position ? rows[row].length : 1) * count;
    auto* begin = out + static_cast<int64_t>(row) * length * count;
    auto* end = begin + length * count;
    std::fill(begin, end - drawn, kPaddingId);
    sampler.draw(key.child(static_cast<uint64_t>(rows[row].place)), exclusion,
                 {end - drawn, static_cast<size_t>(drawn)});
  };
  for (size_t row = 0; row < rows.size(); ++row) {
    const auto num_draws = static_cast<size_t>(per_position ? rows[row].length * count : count);
    if (wanted.exclude_positives)
      fill_row(row, {sampler, items_of(user_of(rows[row])), num_draws});
    else
      fill_row(row, {});
  }
  put(negatives);
}

}  // namespace reckon
