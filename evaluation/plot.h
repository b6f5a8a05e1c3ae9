#pragma once

#include <string>
#include <vector>

namespace reckon {

/// Colours and marks that a page can tell apart, also by people who see few colours.
inline constexpr int kNumPlotColours = 6;

/// One line, or one set of points, of a chart. NaN and infinity leave a gap.
struct PlotSeries {
  std::string name;
  int colour = 0;  ///< Below kNumPlotColours; it also chooses the mark.
  std::vector<double> x, y;
  std::vector<double> low, high;  ///< An interval around each y; empty: none.
  bool is_connected = true;       ///< By a line; else single points with bars.
  bool is_dashed = false;
  bool is_named = true;  ///< Whether the legend has it; several seeds of a run need one name.
};

/// What an axis says and how it divides its length.
struct PlotAxis {
  std::string label;                    ///< With its unit.
  bool is_whole = false;                ///< Ticks at whole numbers only.
  bool has_zero = false;                ///< Zero is always in sight.
  std::vector<std::string> categories;  ///< Then x is 0, 1, ... and these stand below.
};

/// Lines or points over two axes.
struct Chart {
  std::string title;
  std::string caption;  ///< A sentence below on what is shown.
  PlotAxis x, y;
  std::vector<PlotSeries> series;
};

/// A mean and its interval, as one row.
struct IntervalRow {
  std::string label;
  double value = 0.0, low = 0.0, high = 0.0;
  int colour = 0;
};

/// Intervals below each other over one axis.
struct IntervalChart {
  std::string title;
  std::string caption;
  std::string label;      ///< Of the axis, with its unit.
  bool has_zero = false;  ///< Draws a line at zero: differences.
  std::vector<IntervalRow> rows;
};

/// Ticks at 1, 2 or 5 times a power of ten, from the last at or below `low` to the first at or above
/// `high`, about `count` of them.
std::vector<double> nice_ticks(double low, double high, int count, bool is_whole = false);

/// The text as XML content or attribute: markup escaped, what XML cannot hold replaced by U+FFFD.
std::string escape_xml(const std::string& text);

/// A chart as an `<svg>` element, whose colours and fonts come from the styles of plot_page().
///
/// A chart without any finite point says so in words.
/// Throws   std::invalid_argument when lengths of a series differ, or a colour is unknown.
std::string to_svg(const Chart& chart);
std::string to_svg(const IntervalChart& chart);

/// Charts below a heading.
struct PlotSection {
  std::string heading;
  std::string text;  ///< Shown before the charts; may be empty.
  std::vector<std::string> figures;
};

/// A chart with its caption as a `<figure>`.
template <class AnyChart>
std::string to_figure(const AnyChart& chart) {
  return "<figure>\n" + to_svg(chart) + "<figcaption>" + escape_xml(chart.caption) +
         "</figcaption>\n</figure>\n";
}

/// A page of HTML that needs nothing else: no network, no script. Readable in light and dark.
std::string plot_page(const std::string& title, const std::vector<PlotSection>& sections);

}  // namespace reckon
