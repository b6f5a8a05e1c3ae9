#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "training/procedure.h"

namespace reckon {

/// Speed of a session: targets learnt from in each second of training, and the time that is left.
struct Pace {
  double targets_per_second = 0.0;
  double seconds_left = 0.0;  ///< Negative while unknown.
};

/// One line on where a run is, cut to `width` columns.
std::string progress_line(const StepReport& report, const Pace& pace, int width);

/// Measures the pace of a session and, on a terminal, draws a line that follows it. Off a terminal, as
/// in a log of a cluster, it says when a line is due.
class Progress {
 public:
  static constexpr std::chrono::seconds kBetweenLines{30};

  /// `draws` is whether to draw at all; without a terminal on standard error nothing is drawn.
  explicit Progress(bool draws, std::chrono::milliseconds between_lines = kBetweenLines);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void on_step(const StepReport& report);
  /// The line to write now, when nothing is drawn and none was written for so long.
  std::optional<std::string> due_line(const StepReport& report);
  /// Somebody has written a line about where the run is.
  void line_written() { last_line_ = Clock::now(); }
  /// The line goes away, so that something else may be printed.
  void clear();
  /// What passes from here to the next step is no time of training (validation, checkpoints).
  void pause();

  Pace pace() const;
  double seconds() const;  ///< Since the session began.

 private:
  using Clock = std::chrono::steady_clock;

  bool draws_;
  bool is_drawn_ = false;
  std::chrono::milliseconds between_lines_;
  Clock::time_point begin_, last_step_, last_drawn_, last_line_;
  double training_seconds_ = 0.0;
  int64_t num_targets_ = 0, num_steps_ = 0, steps_left_ = 0;
};

}  // namespace reckon
