#include "evaluation/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <stdexcept>

#include "core/format.h"

namespace reckon {
namespace {

constexpr double kWidth = 640.0;
constexpr double kPlotHeight = 250.0;
constexpr double kTickSize = 12.0;  // of text, in px
constexpr double kTitleSize = 15.0;
constexpr double kRight = 18.0;
constexpr double kRowHeight = 30.0;
constexpr double kLegendRow = 20.0;
constexpr double kLegendMark = 34.0;
constexpr size_t kLongestName = 48;  // code points of a name in a legend or in front of a row
// Beyond so many points marks hide the line that they stand on.
constexpr size_t kMostMarks = 40;

// One mark for each colour, around (0, 0).
constexpr const char* kMarks[kNumPlotColours] = {"M-4 0A4 4 0 1 0 4 0A4 4 0 1 0 -4 0Z",
                                                 "M-3.6 -3.6H3.6V3.6H-3.6Z",
                                                 "M0 -4.8L4.6 3.4H-4.6Z",
                                                 "M0 -5L5 0L0 5L-5 0Z",
                                                 "M0 4.8L4.6 -3.4H-4.6Z",
                                                 "M-4.5 -1.5H4.5V1.5H-4.5Z"};

std::string px(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  return text;
}

// Bytes of the code point that begins here, or 0 when it is broken or none that XML may hold.
size_t code_point_length(const std::string& text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) return byte >= 0x20 || byte == '\t' || byte == '\n' || byte == '\r' ? 1 : 0;
  const size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc2 ? 2 : 0;
  if (length == 0 || byte > 0xf4 || at + length > text.size()) return 0;
  uint32_t code = byte & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[at + i]);
    if ((next & 0xc0) != 0x80) return 0;
    code = code << 6 | (next & 0x3f);
  }
  const bool is_short = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool is_outside =
      code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) || code == 0xfffe || code == 0xffff;
  return is_short || is_outside ? 0 : length;
}

// Texts are laid out without their font: a little wide, so that nothing touches. Scripts of Asia take
// the width of two letters.
double text_width(const std::string& text, double size) {
  double letters = 0.0;
  for (size_t at = 0; at < text.size();) {
    const auto length = std::max<size_t>(1, code_point_length(text, at));
    letters += length >= 3 ? 1.7 : 1.0;
    at += length;
  }
  return letters * size * 0.6;
}

std::string shortened(const std::string& text, double width, double size) {
  if (text_width(text, size) <= width) return text;
  std::string kept;
  for (size_t at = 0; at < text.size();) {
    const auto length = std::max<size_t>(1, code_point_length(text, at));
    const auto longer = kept + text.substr(at, length);
    if (text_width(longer + "…", size) > width) break;
    kept = longer;
    at += length;
  }
  return kept + "…";
}

std::string shortened_name(const std::string& name) {
  return shortened(name, static_cast<double>(kLongestName) * kTickSize * 0.6, kTickSize);
}

int digits_of(double step) {
  return std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 12);
}

std::string tick_text(double value, double step) {
  if (value == 0.0) return "0";
  const double size = std::max(std::abs(value), step);
  if (size >= 1e7 || size < 1e-4) return format_significant(value, 4);
  if (step >= 1.0) return format_count(static_cast<int64_t>(std::llround(value)));
  return format_fixed(value, digits_of(step));
}

std::string value_text(double value) { return format_significant(value, 4); }

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool is_empty() const { return low > high; }
};

/// A straight map from values to pixels, with ticks.
struct Scale {
  double low = 0.0, high = 1.0, from = 0.0, to = 1.0;
  std::vector<double> ticks;
  std::vector<std::string> labels;

  double at(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

Scale scale_of(Range range, const PlotAxis& axis, int count) {
  Scale scale;
  if (!axis.categories.empty()) {
    scale.low = -0.5;
    scale.high = static_cast<double>(axis.categories.size()) - 0.5;
    for (size_t i = 0; i < axis.categories.size(); ++i) {
      scale.ticks.push_back(static_cast<double>(i));
      scale.labels.push_back(axis.categories[i]);
    }
    return scale;
  }
  if (axis.has_zero) range.add(0.0);
  if (range.is_empty()) range = {0.0, 1.0};
  if (range.high - range.low < 1e-12 * std::max(std::abs(range.low), std::abs(range.high)) ||
      range.high == range.low) {
    const double around = axis.is_whole || range.low == 0.0 ? 1.0 : std::abs(range.low) * 0.1;
    range = {range.low - around, range.high + around};
  }
  scale.ticks = nice_ticks(range.low, range.high, count, axis.is_whole);
  const double step = scale.ticks[1] - scale.ticks[0];
  scale.low = scale.ticks.front();
  scale.high = scale.ticks.back();
  for (const double tick : scale.ticks) scale.labels.push_back(tick_text(tick, step));
  return scale;
}

std::string svg_text(double x, double y, const std::string& classes, const std::string& text,
                     const std::string& more = "") {
  return "<text class=\"" + classes + "\" x=\"" + px(x) + "\" y=\"" + px(y) + "\"" + more + ">" +
         escape_xml(text) + "</text>\n";
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& classes) {
  return "<line class=\"" + classes + "\" x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" +
         px(x2) + "\" y2=\"" + px(y2) + "\"/>\n";
}

std::string svg_mark(double x, double y, int colour, const std::string& about) {
  return "<path class=\"mark s" + std::to_string(colour) + "\" transform=\"translate(" + px(x) +
         " " + px(y) + ")\" d=\"" + kMarks[colour] + "\">" +
         (about.empty() ? "" : "<title>" + escape_xml(about) + "</title>") + "</path>\n";
}

std::string svg_open(double height, const std::string& title) {
  return "<svg viewBox=\"0 0 " + px(kWidth) + " " + px(height) + "\" role=\"img\" aria-label=\"" +
         escape_xml(title) + "\">\n";
}

void check_colour(int colour) {
  if (colour < 0 || colour >= kNumPlotColours)
    throw std::invalid_argument("plot: there are colours 0 to " +
                                std::to_string(kNumPlotColours - 1) + ", got " +
                                std::to_string(colour));
}

void check(const PlotSeries& series) {
  const auto size = series.x.size();
  const auto fits = [size](const std::vector<double>& interval) {
    return interval.empty() || interval.size() == size;
  };
  if (series.y.size() != size || !fits(series.low) || !fits(series.high) ||
      series.low.empty() != series.high.empty())
    throw std::invalid_argument("plot: the lengths in series '" + series.name + "' differ");
  check_colour(series.colour);
}

/// The legend above a plot, and how far down it reaches.
std::string legend(const std::vector<PlotSeries>& all, double left, double& y) {
  std::string out;
  double x = left;
  bool is_first = true;
  for (const auto& series : all) {
    if (!series.is_named) continue;
    const auto name = shortened_name(series.name);
    const double width = kLegendMark + text_width(name, kTickSize) + 14.0;
    if (is_first || x + width > kWidth - kRight) {
      x = left;
      y += kLegendRow;
    }
    is_first = false;
    const auto colour = " s" + std::to_string(series.colour);
    if (series.is_connected)
      out += svg_line(x, y - 4.0, x + 24.0, y - 4.0,
                      "line" + colour + (series.is_dashed ? " dashed" : ""));
    if (!series.is_dashed) out += svg_mark(x + 12.0, y - 4.0, series.colour, "");
    out += svg_text(x + kLegendMark - 4.0, y, "legend", name);
    x += width;
  }
  return out;
}

bool has_interval(const PlotSeries& series, size_t i) {
  return !series.low.empty() && std::isfinite(series.low[i]) && std::isfinite(series.high[i]);
}

bool is_drawn(const PlotSeries& series, size_t i) {
  return std::isfinite(series.x[i]) && std::isfinite(series.y[i]);
}

std::string draw(const PlotSeries& series, const Scale& x, const Scale& y, const PlotAxis& x_axis) {
  const auto colour = " s" + std::to_string(series.colour);
  std::string out, points;
  size_t num_points = 0, in_segment = 0;
  for (size_t i = 0; i < series.x.size(); ++i) num_points += is_drawn(series, i) ? 1 : 0;
  std::string band_above, band_below;
  std::string bands;
  const auto end_band = [&] {
    if (!band_above.empty())
      bands +=
          "<polygon class=\"band" + colour + "\" points=\"" + band_above + band_below + "\"/>\n";
    band_above.clear();
    band_below.clear();
  };
  const auto end_segment = [&] {
    if (in_segment > 1)
      out += "<polyline class=\"line" + colour + (series.is_dashed ? " dashed" : "") +
             "\" points=\"" + points + "\"/>\n";
    points.clear();
    in_segment = 0;
    end_band();
  };
  std::string marks;
  for (size_t i = 0; i < series.x.size(); ++i) {
    if (!is_drawn(series, i)) {
      end_segment();
      continue;
    }
    const double at_x = x.at(series.x[i]), at_y = y.at(series.y[i]);
    const bool is_alone = (i == 0 || !is_drawn(series, i - 1)) &&
                          (i + 1 == series.x.size() || !is_drawn(series, i + 1));
    if (series.is_connected) {
      points += (in_segment++ > 0 ? " " : "") + px(at_x) + "," + px(at_y);
      if (has_interval(series, i)) {
        band_above += (band_above.empty() ? "" : " ") + px(at_x) + "," + px(y.at(series.high[i]));
        band_below = " " + px(at_x) + "," + px(y.at(series.low[i])) + band_below;
      } else {
        end_band();
      }
    } else if (has_interval(series, i)) {
      const double low = y.at(series.low[i]), high = y.at(series.high[i]);
      marks += svg_line(at_x, low, at_x, high, "bar" + colour);
      for (const double end : {low, high})
        marks += svg_line(at_x - 3.0, end, at_x + 3.0, end, "bar" + colour);
    }
    const bool has_mark =
        !series.is_connected || is_alone || (!series.is_dashed && num_points <= kMostMarks);
    if (!has_mark) continue;
    const auto place = x_axis.categories.empty()
                           ? value_text(series.x[i])
                           : x_axis.categories.at(static_cast<size_t>(std::llround(series.x[i])));
    auto about = series.name + ", " + x_axis.label + " " + place + ": " + value_text(series.y[i]);
    if (has_interval(series, i))
      about += " [" + value_text(series.low[i]) + ", " + value_text(series.high[i]) + "]";
    marks += svg_mark(at_x, at_y, series.colour, about);
  }
  end_segment();
  return bands + out + marks;
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count, bool is_whole) {
  if (!std::isfinite(low) || !std::isfinite(high) || !(low < high) || count < 1)
    throw std::invalid_argument("nice_ticks: expected low < high");
  // Halves, so that the width of the range itself does not overflow.
  const double rough = (high / count - low / count);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10.0 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1.0 - 1e-9)) {
      step = factor * power;
      break;
    }
  }
  if (is_whole) step = std::max(1.0, step);
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  std::vector<double> ticks;
  for (double i = first; i <= last; i += 1.0) ticks.push_back(i * step);
  if (ticks.size() < 2) ticks.push_back((first + 1.0) * step);
  return ticks;
}

std::string escape_xml(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const auto length = code_point_length(text, at);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++at;
      continue;
    }
    switch (text[at]) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out.append(text, at, length);
    }
    at += length;
  }
  return out;
}

std::string to_svg(const Chart& chart) {
  Range x_range, y_range;
  for (const auto& series : chart.series) {
    check(series);
    for (size_t i = 0; i < series.x.size(); ++i) {
      if (!is_drawn(series, i)) continue;
      x_range.add(series.x[i]);
      y_range.add(series.y[i]);
      if (!has_interval(series, i)) continue;
      y_range.add(series.low[i]);
      y_range.add(series.high[i]);
    }
  }
  const bool is_empty = y_range.is_empty();
  auto y = scale_of(y_range, chart.y, 5);
  auto x = scale_of(x_range, chart.x, 8);
  double widest = 0.0;
  for (const auto& label : y.labels) widest = std::max(widest, text_width(label, kTickSize));
  const double left = 34.0 + widest;
  double top = 22.0;
  const auto legend_text = legend(chart.series, left, top);
  top += 18.0;
  const double bottom = top + kPlotHeight;
  const double height = bottom + 48.0;
  x.from = left;
  x.to = kWidth - kRight;
  y.from = bottom;
  y.to = top;

  std::string out = svg_open(height, chart.title);
  out += svg_text(left, 18.0, "title", shortened(chart.title, kWidth - kRight - left, kTitleSize));
  if (is_empty) {
    out += svg_text((x.from + x.to) / 2.0, (top + bottom) / 2.0, "nothing",
                    "nothing to draw: there are no numbers");
    return out + "</svg>\n";
  }
  out += legend_text;
  for (size_t i = 0; i < y.ticks.size(); ++i) {
    out += svg_line(x.from, y.at(y.ticks[i]), x.to, y.at(y.ticks[i]), "grid");
    out += svg_text(left - 8.0, y.at(y.ticks[i]) + 4.0, "tick y", y.labels[i]);
  }
  // Labels that would touch their neighbours stand at every second place, or every third, ...
  const double room = (x.to - x.from) / std::max(1.0, (x.high - x.low)) *
                      (x.ticks.size() > 1 ? x.ticks[1] - x.ticks[0] : 1.0);
  double widest_x = 0.0;
  for (const auto& label : x.labels) widest_x = std::max(widest_x, text_width(label, kTickSize));
  const bool has_categories = !chart.x.categories.empty();
  const auto every =
      has_categories ? size_t{1} : static_cast<size_t>(std::ceil((widest_x + 8.0) / room));
  for (size_t i = 0; i < x.ticks.size(); ++i) {
    const double at = x.at(x.ticks[i]);
    out += svg_line(at, bottom, at, bottom + 5.0, "axis");
    if (i % every != 0) continue;
    const auto label = has_categories ? shortened(x.labels[i], room - 4.0, kTickSize) : x.labels[i];
    // The last label ends with the picture at the latest.
    const double half = text_width(label, kTickSize) / 2.0;
    const auto shifted = std::min(at, kWidth - half);
    out += svg_text(shifted, bottom + 19.0, "tick x", label);
  }
  out += svg_line(x.from, bottom, x.to, bottom, "axis");
  out += svg_text((x.from + x.to) / 2.0, bottom + 40.0, "label x", chart.x.label);
  const auto middle = px((top + bottom) / 2.0);
  out += svg_text(14.0, (top + bottom) / 2.0, "label y",
                  shortened(chart.y.label, kPlotHeight, kTickSize + 1.0),
                  " transform=\"rotate(-90 14.00 " + middle + ")\"");
  for (const auto& series : chart.series) out += draw(series, x, y, chart.x);
  return out + "</svg>\n";
}

std::string to_svg(const IntervalChart& chart) {
  Range range;
  double widest = 0.0;
  for (const auto& row : chart.rows) {
    check_colour(row.colour);
    for (const double value : {row.value, row.low, row.high}) range.add(value);
    widest = std::max(widest, text_width(shortened_name(row.label), kTickSize));
  }
  const double left = std::min(widest + 24.0, kWidth * 0.55);
  const double top = 34.0;
  const double bottom =
      top + kRowHeight * static_cast<double>(std::max<size_t>(1, chart.rows.size()));
  std::string out = svg_open(bottom + 48.0, chart.title);
  out += svg_text(12.0, 18.0, "title", shortened(chart.title, kWidth - kRight - 12.0, kTitleSize));
  if (range.is_empty()) {
    out += svg_text(kWidth / 2.0, (top + bottom) / 2.0 + 4.0, "nothing",
                    "nothing to draw: there are no numbers");
    return out + "</svg>\n";
  }
  PlotAxis axis;
  axis.has_zero = chart.has_zero;
  auto x = scale_of(range, axis, 5);
  x.from = left;
  x.to = kWidth - kRight - 12.0;
  double widest_x = 0.0;
  for (const auto& label : x.labels) widest_x = std::max(widest_x, text_width(label, kTickSize));
  const double room = (x.to - x.from) / static_cast<double>(x.ticks.size() - 1);
  const auto every = static_cast<size_t>(std::ceil((widest_x + 8.0) / room));
  for (size_t i = 0; i < x.ticks.size(); ++i) {
    const double at = x.at(x.ticks[i]);
    const bool is_zero = chart.has_zero && x.ticks[i] == 0.0;
    out += svg_line(at, top, at, bottom, is_zero ? "axis" : "grid");
    if (i % every == 0)
      out += svg_text(std::min(at, kWidth - text_width(x.labels[i], kTickSize) / 2.0),
                      bottom + 17.0, "tick x", x.labels[i]);
  }
  out += svg_text((x.from + x.to) / 2.0, bottom + 38.0, "label x", chart.label);
  for (size_t i = 0; i < chart.rows.size(); ++i) {
    const auto& row = chart.rows[i];
    const double at = top + kRowHeight * (static_cast<double>(i) + 0.5);
    out += svg_text(left - 12.0, at + 4.0, "tick y",
                    shortened(shortened_name(row.label), left - 16.0, kTickSize));
    if (!std::isfinite(row.value)) {
      out += svg_text((x.from + x.to) / 2.0, at + 4.0, "nothing", "no value");
      continue;
    }
    auto about = row.label + ": " + value_text(row.value);
    if (std::isfinite(row.low) && std::isfinite(row.high)) {
      about += " [" + value_text(row.low) + ", " + value_text(row.high) + "]";
      const auto colour = "bar s" + std::to_string(row.colour);
      out += svg_line(x.at(row.low), at, x.at(row.high), at, colour);
      for (const double end : {row.low, row.high})
        out += svg_line(x.at(end), at - 4.0, x.at(end), at + 4.0, colour);
    }
    out += svg_mark(x.at(row.value), at, row.colour, about);
  }
  return out + "</svg>\n";
}

std::string plot_page(const std::string& title, const std::vector<PlotSection>& sections) {
  // Okabe and Ito's colours for all kinds of sight, lighter where the paper is dark.
  std::string out = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>)" + escape_xml(title) +
                    R"(</title>
<style>
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --muted: #57606a; --grid: #dde1e6;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #cc79a7; --c4: #e69f00; --c5: #57606a; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171c; --ink: #e8ebef; --muted: #a7b0bb; --grid: #333a44;
    --c0: #56b4e9; --c1: #f08a4b; --c2: #2cc295; --c3: #e3a1c6; --c4: #f2c14e; --c5: #a7b0bb; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 1360px; background: var(--paper); color: var(--ink);
  font: 16px/1.45 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p, figcaption { color: var(--muted); font-size: .875rem; overflow-wrap: anywhere; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr)); gap: 1.5rem; }
figure { margin: 0; max-width: 720px; } svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, "DejaVu Sans", sans-serif; fill: var(--ink); }
svg .title { font-size: 15px; font-weight: 600; } svg .label { font-size: 13px; fill: var(--muted); }
svg .x, svg .label, svg .nothing { text-anchor: middle; } svg .tick.y { text-anchor: end; }
svg .nothing { fill: var(--muted); }
svg .grid { stroke: var(--grid); } svg .axis { stroke: var(--muted); }
svg .line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; }
svg .dashed { stroke-dasharray: 6 4; } svg .bar { stroke: currentColor; stroke-width: 1.5; }
svg .band { fill: currentColor; opacity: .16; } svg .mark { fill: currentColor; }
)";
  for (int i = 0; i < kNumPlotColours; ++i) {
    const auto number = std::to_string(i);
    out += "svg .s" + number + " { color: var(--c" + number + "); }\n";
  }
  out += "</style>\n</head>\n<body>\n<h1>" + escape_xml(title) + "</h1>\n";
  for (const auto& section : sections) {
    out += "<section>\n<h2>" + escape_xml(section.heading) + "</h2>\n";
    if (!section.text.empty()) out += "<p>" + escape_xml(section.text) + "</p>\n";
    if (!section.figures.empty()) {
      out += "<div class=\"figures\">\n";
      for (const auto& figure : section.figures) out += figure;
      out += "</div>\n";
    }
    out += "</section>\n";
  }
  return out + "</body>\n</html>\n";
}

}  // namespace reckon
