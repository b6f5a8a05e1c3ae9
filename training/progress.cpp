#include "training/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/format.h"

namespace reckon {

namespace {

constexpr int kBarWidth = 20;
constexpr int kUsualWidth = 80;
constexpr auto kBetweenDrawings = std::chrono::milliseconds(100);

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return kUsualWidth;
}

double seconds_between(std::chrono::steady_clock::time_point a,
                       std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

// ", 1,200 targets/s, 3 min 05 s left", as far as it is known.
std::string pace_words(const Pace& pace) {
  std::string words;
  if (pace.targets_per_second > 0.0)
    words += ", " + format_count(static_cast<int64_t>(pace.targets_per_second)) + " targets/s";
  if (pace.seconds_left >= 0.0) words += ", " + format_duration(pace.seconds_left) + " left";
  return words;
}

}  // namespace

std::string progress_line(const StepReport& report, const Pace& pace, int width) {
  const double done = report.steps_per_epoch > 0 ? static_cast<double>(report.epoch_step) /
                                                       static_cast<double>(report.steps_per_epoch)
                                                 : 0.0;
  const int filled = std::clamp(static_cast<int>(done * kBarWidth), 0, kBarWidth);
  std::string line = "epoch " + std::to_string(report.epoch) + "/" +
                     std::to_string(report.num_epochs) + " [" + std::string(filled, '=') +
                     std::string(kBarWidth - filled, ' ') + "] loss " +
                     format_fixed(report.epoch_loss, 4);
  line += pace_words(pace);
  return line.substr(0, static_cast<size_t>(std::max(0, width)));
}

Progress::Progress(bool draws, std::chrono::milliseconds between_lines)
    : draws_(draws && isatty(STDERR_FILENO) != 0),
      between_lines_(between_lines),
      begin_(Clock::now()),
      last_step_(begin_),
      last_line_(begin_) {}

Progress::~Progress() { clear(); }

void Progress::pause() { last_step_ = Clock::now(); }

void Progress::on_step(const StepReport& report) {
  const auto now = Clock::now();
  training_seconds_ += seconds_between(last_step_, now);
  last_step_ = now;
  num_targets_ += report.num_targets;
  ++num_steps_;
  steps_left_ = report.total_steps - report.step;
  if (!draws_ || now - last_drawn_ < kBetweenDrawings) return;
  last_drawn_ = now;
  const auto line = progress_line(report, pace(), terminal_width() - 1);
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  is_drawn_ = true;
}

std::optional<std::string> Progress::due_line(const StepReport& report) {
  if (draws_ || Clock::now() - last_line_ < between_lines_) return std::nullopt;
  line_written();
  return "epoch " + std::to_string(report.epoch) + "/" + std::to_string(report.num_epochs) +
         ", step " + format_count(report.epoch_step) + " of " +
         format_count(report.steps_per_epoch) + ": loss " + format_fixed(report.epoch_loss, 4) +
         pace_words(pace());
}

void Progress::clear() {
  if (!is_drawn_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  is_drawn_ = false;
}

Pace Progress::pace() const {
  Pace pace{.targets_per_second = 0.0, .seconds_left = -1.0};
  if (training_seconds_ > 0.0)
    pace.targets_per_second = static_cast<double>(num_targets_) / training_seconds_;
  // Validation takes its part of the time, so all of the session counts.
  if (num_steps_ > 0)
    pace.seconds_left =
        seconds() / static_cast<double>(num_steps_) * static_cast<double>(steps_left_);
  return pace;
}

double Progress::seconds() const { return seconds_between(begin_, Clock::now()); }

}  // namespace reckon
