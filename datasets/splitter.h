#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/catalog.h"
#include "datasets/interactions.h"

namespace reckon {

/// Divides interactions into training, validation and test.
class Splitter {
 public:
  using Kind = Splitter;
  static constexpr const char* kKind = "split";
  struct Deps {};

  /// A row that goes into no part; it is removed from the data, and counted.
  static constexpr uint8_t kLeftOut = 255;

  /// Interactions ordered by user, then time, ties in file order: row r of user u satisfies
  /// user_offsets[u] <= r < user_offsets[u + 1].
  struct Input {
    std::span<const int64_t> user_offsets;  ///< [U + 1]
    std::span<const int64_t> times;    ///< [E]; empty when the data has none, or none are needed.
    std::span<const uint8_t> origins;  ///< [E], the role of the file: 0, 1 or 2 like Split.
    int64_t time_scale = 1;            ///< How many of `times` make a unit of the limits.

    int64_t num_users() const { return static_cast<int64_t>(user_offsets.size()) - 1; }
    int64_t num_rows() const { return user_offsets.empty() ? 0 : user_offsets.back(); }
  };

  virtual ~Splitter() = default;

  /// A value of Split, or kLeftOut, for each row.
  /// Throws DataError when the data lacks what the split needs.
  virtual std::vector<uint8_t> assign(const Input& input) const = 0;

  /// Whether validation and test rows come from files of their own.
  virtual bool takes_files() const { return false; }

  /// Whether the split needs the time of each interaction.
  virtual bool needs_times() const { return false; }

  /// Whether a user's last interactions are held out, by their times or else by their order.
  virtual bool divides_by_order() const { return false; }

  /// Whether each user's interactions are divided by themselves, and not those of all together.
  virtual bool divides_each_user() const { return false; }

  /// Whether times are compared with dates, so that their unit must be known.
  virtual bool compares_dates() const { return false; }

  /// How many divisions are to be run one after another (fold 1 to this); 0 when it is one alone.
  virtual int64_t num_folds() const { return 0; }

  /// Whether the split draws validation rows from the training ones.
  virtual bool draws_validation() const { return false; }
};

/// The last interaction of each user is the test, the one before it the validation.
///
/// Users with fewer than three interactions stay in training whole. With `global_time`, two
/// instants are chosen so that about the given shares of all interactions lie behind them; a user's
/// first interaction behind an instant is held out and the later ones up to the next instant are
/// left out, so that nothing in training is younger than anything held out.
class LeaveOneOut : public Splitter {
 public:
  struct Options {
    bool global_time = false;
    double validation = 0.1;
    double test = 0.1;
    static void describe(Schema<Options>& schema);
  };

  LeaveOneOut(const Options& options, const Deps&) : options_(options) {}
  std::vector<uint8_t> assign(const Input& input) const override;
  bool divides_by_order() const override { return true; }
  bool divides_each_user() const override { return true; }
  bool needs_times() const override { return options_.global_time; }

 private:
  Options options_;
};

/// Given shares of the interactions, of each user or of all, at random or by time.
///
/// Shares are rounded to whole rows; at least one row of each user (or of all) stays in training.
/// Globally by time, rows of one instant stay together, in the later part.
class RatioSplit : public Splitter {
 public:
  struct Options {
    enum class Order { kRandom, kTemporal };
    enum class Scope { kUser, kGlobal };
    double validation = 0.1;
    double test = 0.1;
    Order order = Order::kRandom;
    Scope scope = Scope::kUser;
    int64_t seed = 0;
    static void describe(Schema<Options>& schema);
  };

  RatioSplit(const Options& options, const Deps&) : options_(options) {}
  std::vector<uint8_t> assign(const Input& input) const override;
  bool divides_by_order() const override { return options_.order == Options::Order::kTemporal; }
  bool divides_each_user() const override { return options_.scope == Options::Scope::kUser; }
  bool needs_times() const override;

 private:
  Options options_;
};

template <>
struct EnumNames<RatioSplit::Options::Order> {
  static std::vector<std::pair<std::string, RatioSplit::Options::Order>> all() {
    return {{"random", RatioSplit::Options::Order::kRandom},
            {"temporal", RatioSplit::Options::Order::kTemporal}};
  }
};

template <>
struct EnumNames<RatioSplit::Options::Scope> {
  static std::vector<std::pair<std::string, RatioSplit::Options::Scope>> all() {
    return {{"user", RatioSplit::Options::Scope::kUser},
            {"global", RatioSplit::Options::Scope::kGlobal}};
  }
};

/// Everything from one instant on is validation, from a later one on test.
class TimeSplit : public Splitter {
 public:
  struct Options {
    std::string validation_from;
    std::string test_from;
    static void describe(Schema<Options>& schema);
  };

  TimeSplit(const Options& options, const Deps&) : options_(options) {}
  std::vector<uint8_t> assign(const Input& input) const override;
  bool needs_times() const override { return true; }
  bool compares_dates() const override;

 private:
  Options options_;
};

/// The parts that the files `validation` and `test` are.
///
/// Where there is no validation file, a share of each user's training rows can be drawn for it.
/// With `global_time`, training rows that are not older than everything held out are left out.
class FilesSplit : public Splitter {
 public:
  struct Options {
    double validation = 0.0;
    int64_t seed = 0;
    bool global_time = false;
    static void describe(Schema<Options>& schema);
  };

  FilesSplit(const Options& options, const Deps&) : options_(options) {}
  std::vector<uint8_t> assign(const Input& input) const override;
  bool takes_files() const override { return true; }
  bool needs_times() const override { return options_.global_time; }
  bool draws_validation() const override { return options_.validation > 0; }
  bool divides_each_user() const override { return draws_validation(); }

 private:
  Options options_;
};

/// Cross-validation: every interaction is in the test of one fold, and in training of the others.
///
/// All interactions, or those of each user, are put into a random order and cut into `folds` parts
/// whose sizes differ by one at most; `repeats` does so anew with other orders. Folds are numbered
/// from 1 on, those of the second repetition from `folds` + 1 on. A user or item whose interactions
/// all lie in the fold is unknown to its training.
class KFoldSplit : public Splitter {
 public:
  struct Options {
    using Scope = RatioSplit::Options::Scope;
    static constexpr const char* kAllFolds = "all";

    int64_t folds = 5;
    int64_t repeats = 1;
    int64_t seed = 1;
    std::string fold = kAllFolds;
    Scope scope = Scope::kGlobal;
    double validation = 0.0;
    static void describe(Schema<Options>& schema);
  };

  KFoldSplit(const Options& options, const Deps&) : options_(options) {}

  /// Throws   DataError when no fold is chosen.
  std::vector<uint8_t> assign(const Input& input) const override;
  int64_t num_folds() const override;
  bool divides_each_user() const override { return options_.scope == Options::Scope::kUser; }

 private:
  Options options_;
};

/// Everything is training.
class NoSplit : public Splitter {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };

  NoSplit(const Options&, const Deps&) {}
  std::vector<uint8_t> assign(const Input& input) const override;
};

}  // namespace reckon
