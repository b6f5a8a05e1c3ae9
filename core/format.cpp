#include "core/format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

namespace reckon {

namespace {

// Characters rather than bytes: titles of films have accents. Continuation bytes have no width.
size_t display_width(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string padded(const std::string& text, size_t width, TextTable::Align align) {
  const auto spaces = std::string(width - std::min(width, display_width(text)), ' ');
  return align == TextTable::Align::kRight ? spaces + text : text + spaces;
}

}  // namespace

std::string format_count(int64_t count) {
  auto digits = fmt::format("{}", count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t i = digits.size(); i > first + 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string format_bytes(int64_t bytes) {
  constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB"};
  constexpr double kStep = 1024.0;
  auto value = static_cast<double>(bytes);
  if (std::abs(value) < kStep) return fmt::format("{} B", bytes);
  size_t unit = 0;
  value /= kStep;
  // A value that would be shown as 1024.0 belongs to the next unit.
  while (std::abs(value) >= kStep - 0.05 && unit + 1 < kUnits.size()) {
    value /= kStep;
    ++unit;
  }
  return fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds)) return "unknown";
  if (seconds < 0) return "-" + format_duration(-seconds);
  if (seconds < 0.9995) return fmt::format("{:.0f} ms", seconds * 1000);
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  const auto minutes = whole / 60;
  const auto hours = minutes / 60;
  if (hours == 0) return fmt::format("{} min {:02} s", minutes, whole % 60);
  if (hours < 24) return fmt::format("{} h {:02} min", hours, minutes % 60);
  return fmt::format("{} d {:02} h", hours / 24, hours % 24);
}

std::string format_percent(double share, int digits) {
  return fmt::format("{:.{}f}%", share * 100, digits);
}

std::string format_fixed(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }

int digits_of_column(double largest) {
  if (!(largest > 0.0) || largest >= 0.01 || !std::isfinite(largest)) return 4;
  return static_cast<int>(std::ceil(-std::log10(largest))) + 3;
}

std::string format_significant(double value, int digits) {
  return fmt::format("{:.{}g}", value, digits);
}

TextTable::TextTable(std::vector<std::string> head, std::vector<Align> align)
    : head_(std::move(head)), align_(std::move(align)) {
  align_.resize(head_.size(), Align::kLeft);
}

void TextTable::add_row(std::vector<std::string> cells) {
  if (cells.size() > head_.size())
    throw std::invalid_argument(
        fmt::format("TextTable: {} cells for {} columns", cells.size(), head_.size()));
  cells.resize(head_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::to_string() const {
  std::vector<size_t> widths;
  for (const auto& cell : head_) widths.push_back(display_width(cell));
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i]));

  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t i = 0; i < cells.size(); ++i)
      text += (i ? "  " : "") + padded(cells[i], widths[i], align_[i]);
    text.erase(text.find_last_not_of(' ') + 1);
    return text + '\n';
  };
  std::vector<std::string> rule;
  for (const auto width : widths) rule.emplace_back(width, '-');
  auto text = line(head_) + line(rule);
  for (const auto& row : rows_) text += line(row);
  return text;
}

}  // namespace reckon
