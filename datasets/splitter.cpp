#include "datasets/splitter.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/diagnostics.h"
#include "core/random.h"
#include "datasets/table_reader.h"

namespace reckon {
namespace {

constexpr auto kTrain = static_cast<uint8_t>(Split::kTrain);
constexpr auto kValidation = static_cast<uint8_t>(Split::kValidation);
constexpr auto kTest = static_cast<uint8_t>(Split::kTest);

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct Shares {
  int64_t validation = 0;
  int64_t test = 0;
};

// Whole rows nearest to the shares of `num_rows`; one row stays behind for training.
Shares shares_of(int64_t num_rows, double validation, double test) {
  Shares shares;
  const auto spare = std::max<int64_t>(num_rows - 1, 0);
  const auto rows = static_cast<double>(num_rows);
  shares.test = std::min<int64_t>(std::llround(test * rows), spare);
  shares.validation = std::min<int64_t>(std::llround(validation * rows), spare - shares.test);
  return shares;
}

// The parts of `rows`, in the order in which they are to be held out: the last are the test.
template <class Rows>
void hold_out_last(const Rows& rows, const Shares& shares, std::vector<uint8_t>& parts) {
  const auto num_rows = static_cast<int64_t>(rows.size());
  for (int64_t i = 0; i < shares.test + shares.validation; ++i)
    parts[static_cast<size_t>(rows[static_cast<size_t>(num_rows - 1 - i)])] =
        i < shares.test ? kTest : kValidation;
}

/// Two instants: rows from the first on are validation, from the second on test.
struct Instants {
  int64_t validation = kNever;
  int64_t test = kNever;

  uint8_t part_of(int64_t time) const {
    return time >= test ? kTest : time >= validation ? kValidation : kTrain;
  }
};

Instants instants_of(std::span<const int64_t> times, double validation, double test) {
  Instants instants;
  const auto num_rows = static_cast<int64_t>(times.size());
  const auto shares = shares_of(num_rows, validation, test);
  std::vector<int64_t> sorted(times.begin(), times.end());
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&](int64_t from_end) {
    return sorted[static_cast<size_t>(num_rows - from_end)];
  };
  if (shares.test > 0) instants.test = at(shares.test);
  instants.validation = shares.validation > 0 ? at(shares.test + shares.validation) : instants.test;
  return instants;
}

// The first scaled time that is not before a limit, which was checked when the options were read.
int64_t first_at(const std::string& limit, int64_t scale) {
  if (limit.empty()) return kNever;
  Instant instant;
  parse_time(limit, true, true, instant);
  if (instant.whole >= kNever / scale) return kNever;
  if (instant.whole <= -(kNever / scale)) return std::numeric_limits<int64_t>::min();
  const auto billionths_per_tick = 1000000000 / scale;
  return instant.whole * scale +
         (instant.billionths + billionths_per_tick - 1) / billionths_per_tick;
}

void require_times(const Splitter::Input& input, const char* what) {
  if (input.times.empty() && input.num_rows() > 0)
    throw DataError("data", 0,
                    std::string("split: ") + what +
                        " needs the time of each interaction, and the files give none");
}

}  // namespace

std::vector<uint8_t> LeaveOneOut::assign(const Input& input) const {
  std::vector<uint8_t> parts(static_cast<size_t>(input.num_rows()), kTrain);
  if (!options_.global_time) {
    for (int64_t user = 0; user < input.num_users(); ++user) {
      const auto begin = input.user_offsets[static_cast<size_t>(user)];
      const auto end = input.user_offsets[static_cast<size_t>(user) + 1];
      if (end - begin < 3) continue;
      parts[static_cast<size_t>(end - 1)] = kTest;
      parts[static_cast<size_t>(end - 2)] = kValidation;
    }
    return parts;
  }
  require_times(input, "'leave_one_out' with 'global_time'");
  const auto instants = instants_of(input.times, options_.validation, options_.test);
  for (int64_t user = 0; user < input.num_users(); ++user) {
    uint8_t held = kTrain;
    for (auto row = static_cast<size_t>(input.user_offsets[static_cast<size_t>(user)]);
         row < static_cast<size_t>(input.user_offsets[static_cast<size_t>(user) + 1]); ++row) {
      const auto part = instants.part_of(input.times[row]);
      // Rows come in time order: only the first one of a part is held out.
      parts[row] = part == kTrain || part != held ? part : kLeftOut;
      held = part;
    }
  }
  return parts;
}

bool RatioSplit::needs_times() const {
  return options_.order == Options::Order::kTemporal && options_.scope == Options::Scope::kGlobal;
}

std::vector<uint8_t> RatioSplit::assign(const Input& input) const {
  const auto num_rows = input.num_rows();
  std::vector<uint8_t> parts(static_cast<size_t>(num_rows), kTrain);
  const bool is_random = options_.order == Options::Order::kRandom;
  const RandomKey key(static_cast<uint64_t>(options_.seed), RandomStream::kSplit);
  if (options_.scope == Options::Scope::kGlobal) {
    if (!is_random) {
      require_times(input, "'ratio' by time over all users");
      const auto instants = instants_of(input.times, options_.validation, options_.test);
      for (size_t row = 0; row < parts.size(); ++row)
        parts[row] = instants.part_of(input.times[row]);
      return parts;
    }
    auto rows = permutation(num_rows, key);
    hold_out_last(rows, shares_of(num_rows, options_.validation, options_.test), parts);
    return parts;
  }
  std::vector<int64_t> rows;
  for (int64_t user = 0; user < input.num_users(); ++user) {
    const auto begin = input.user_offsets[static_cast<size_t>(user)];
    const auto end = input.user_offsets[static_cast<size_t>(user) + 1];
    rows.resize(static_cast<size_t>(end - begin));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = begin + static_cast<int64_t>(i);
    if (is_random) shuffle(std::span<int64_t>(rows), key.child(static_cast<uint64_t>(user)));
    hold_out_last(rows, shares_of(end - begin, options_.validation, options_.test), parts);
  }
  return parts;
}

bool TimeSplit::compares_dates() const {
  return is_date(options_.validation_from) || is_date(options_.test_from);
}

std::vector<uint8_t> TimeSplit::assign(const Input& input) const {
  require_times(input, "'time'");
  Instants instants;
  instants.test = first_at(options_.test_from, input.time_scale);
  instants.validation = options_.validation_from.empty()
                            ? instants.test
                            : first_at(options_.validation_from, input.time_scale);
  std::vector<uint8_t> parts(static_cast<size_t>(input.num_rows()));
  for (size_t row = 0; row < parts.size(); ++row) parts[row] = instants.part_of(input.times[row]);
  return parts;
}

std::vector<uint8_t> FilesSplit::assign(const Input& input) const {
  std::vector<uint8_t> parts(input.origins.begin(), input.origins.end());
  if (options_.validation > 0) {
    const RandomKey key(static_cast<uint64_t>(options_.seed), RandomStream::kSplit);
    std::vector<int64_t> rows;
    for (int64_t user = 0; user < input.num_users(); ++user) {
      rows.clear();
      for (auto row = input.user_offsets[static_cast<size_t>(user)];
           row < input.user_offsets[static_cast<size_t>(user) + 1]; ++row)
        if (parts[static_cast<size_t>(row)] == kTrain) rows.push_back(row);
      shuffle(std::span<int64_t>(rows), key.child(static_cast<uint64_t>(user)));
      const auto num_rows = static_cast<int64_t>(rows.size());
      hold_out_last(rows, shares_of(num_rows, options_.validation, 0.0), parts);
    }
  }
  if (!options_.global_time) return parts;

  require_times(input, "'files' with 'global_time'");
  // Nothing in training may be as young as what is held out, nothing in validation as the test.
  Instants first;
  for (size_t row = 0; row < parts.size(); ++row) {
    if (parts[row] == kTest) first.test = std::min(first.test, input.times[row]);
    if (parts[row] == kValidation) first.validation = std::min(first.validation, input.times[row]);
  }
  for (size_t row = 0; row < parts.size(); ++row) {
    const auto time = input.times[row];
    const bool is_late = parts[row] == kTrain ? time >= std::min(first.test, first.validation)
                                              : parts[row] == kValidation && time >= first.test;
    if (is_late) parts[row] = kLeftOut;
  }
  return parts;
}

int64_t KFoldSplit::num_folds() const {
  return options_.fold == Options::kAllFolds ? options_.folds * options_.repeats : 0;
}

std::vector<uint8_t> KFoldSplit::assign(const Input& input) const {
  if (options_.fold == Options::kAllFolds)
    throw DataError(
        "data", 0, "split: this looks at one fold, and data.split.fold is 'all'",
        "say which one, with --set data.split.fold=1 for instance; `reckon train` runs all");
  const int64_t number = std::stoll(options_.fold) - 1;
  const auto repeat = static_cast<uint64_t>(number / options_.folds);
  const int64_t fold = number % options_.folds;
  const RandomKey key =
      RandomKey(static_cast<uint64_t>(options_.seed), RandomStream::kSplit).child(repeat);
  std::vector<uint8_t> parts(static_cast<size_t>(input.num_rows()), kTrain);
  std::vector<int64_t> rows, kept;
  const auto divide = [&](int64_t begin, int64_t end, const RandomKey& order) {
    const int64_t count = end - begin;
    rows.resize(static_cast<size_t>(count));
    for (int64_t i = 0; i < count; ++i) rows[static_cast<size_t>(i)] = begin + i;
    shuffle(std::span<int64_t>(rows), order);
    kept.clear();
    const int64_t first = count * fold / options_.folds;
    const int64_t last = count * (fold + 1) / options_.folds;
    for (int64_t i = 0; i < count; ++i) {
      const int64_t row = rows[static_cast<size_t>(i)];
      if (i >= first && i < last)
        parts[static_cast<size_t>(row)] = kTest;
      else
        kept.push_back(row);
    }
    hold_out_last(kept, shares_of(static_cast<int64_t>(kept.size()), options_.validation, 0.0),
                  parts);
  };
  if (options_.scope == Options::Scope::kGlobal) {
    divide(0, input.num_rows(), key);
  } else {
    for (int64_t user = 0; user < input.num_users(); ++user)
      divide(input.user_offsets[static_cast<size_t>(user)],
             input.user_offsets[static_cast<size_t>(user) + 1],
             key.child(static_cast<uint64_t>(user)));
  }
  return parts;
}

std::vector<uint8_t> NoSplit::assign(const Input& input) const {
  return std::vector<uint8_t>(static_cast<size_t>(input.num_rows()), kTrain);
}

}  // namespace reckon
