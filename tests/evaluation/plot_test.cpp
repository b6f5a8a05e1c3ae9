#include "evaluation/plot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <regex>
#include <sstream>

namespace reckon::plot_test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

struct Point {
  double x = 0.0, y = 0.0;
};

double number_of(std::string text) {
  text.erase(std::remove(text.begin(), text.end(), ','), text.end());
  return std::stod(text);
}

/// The straight map from pixels back to values that the labelled ticks of an axis say.
struct Ruler {
  double pixel0, value0, per_pixel;
  double at(double pixel) const { return value0 + (pixel - pixel0) * per_pixel; }
};

std::vector<std::smatch> matches(const std::string& text, const std::regex& pattern) {
  return {std::sregex_iterator(text.begin(), text.end(), pattern), std::sregex_iterator()};
}

Ruler ruler(const std::string& svg, char axis) {
  const std::regex tick(std::string("<text class=\"tick ") + axis +
                        "\" x=\"([-0-9.]+)\" y=\"([-0-9.]+)\">([^<]*)</text>");
  const auto all = matches(svg, tick);
  const auto pixel = [&](const std::smatch& match) {
    // The text of a tick on the left stands a little below its line.
    return axis == 'x' ? std::stod(match[1]) : std::stod(match[2]) - 4.0;
  };
  const auto& first = all.front();
  const auto& second = all.at(1);
  const double value = number_of(first[3]), next = number_of(second[3]);
  return {pixel(first), value, (next - value) / (pixel(second) - pixel(first))};
}

std::vector<Point> marks(const std::string& svg, int colour) {
  const std::regex mark("<path class=\"mark s" + std::to_string(colour) +
                        "\" transform=\"translate\\(([-0-9.]+) ([-0-9.]+)\\)\"[^>]*><title>");
  std::vector<Point> points;
  for (const auto& match : matches(svg, mark))
    points.push_back({std::stod(match[1]), std::stod(match[2])});
  return points;
}

std::vector<std::vector<Point>> shapes(const std::string& svg, const std::string& kind) {
  const std::regex shape("<" + kind + " class=\"[^\"]*\" points=\"([^\"]*)\"/>");
  std::vector<std::vector<Point>> out;
  for (const auto& match : matches(svg, shape)) {
    std::istringstream text(match[1].str());
    auto& points = out.emplace_back();
    Point point;
    char comma;
    while (text >> point.x >> comma >> point.y) points.push_back(point);
  }
  return out;
}

Chart chart_of(const std::vector<double>& x, const std::vector<double>& y) {
  Chart chart;
  chart.title = "Loss";
  chart.x.label = "epoch";
  chart.y.label = "loss";
  PlotSeries series;
  series.name = "run";
  series.x = x;
  series.y = y;
  chart.series = {series};
  return chart;
}

TEST(Plot, PointsReadAgainstTheTicksAreTheData) {
  const std::vector<std::pair<std::vector<double>, std::vector<double>>> cases = {
      {{1, 2, 3, 4}, {0.69, 0.5, 0.25, 0.31}},
      {{1, 50, 150}, {12345, 900, -20}},
      {{1, 2}, {0.00012, 0.00019}},
      {{3, 4}, {-0.5, 0.5}}};
  for (const auto& [x, y] : cases) {
    const auto svg = to_svg(chart_of(x, y));
    const auto across = ruler(svg, 'x'), up = ruler(svg, 'y');
    const auto points = marks(svg, 0);
    const auto lines = shapes(svg, "polyline");
    ASSERT_EQ(points.size(), x.size());
    ASSERT_EQ(lines.size(), 1U);
    ASSERT_EQ(lines[0].size(), x.size());
    for (size_t i = 0; i < x.size(); ++i)
      for (const auto& point : {points[i], lines[0][i]}) {
        // Two digits of a pixel are written.
        EXPECT_NEAR(across.at(point.x), x[i], std::abs(across.per_pixel) * 0.02);
        EXPECT_NEAR(up.at(point.y), y[i], std::abs(up.per_pixel) * 0.02);
      }
  }
}

TEST(Plot, BandsAndBarsReachFromLowToHigh) {
  auto chart = chart_of({1, 2, 3}, {0.2, 0.4, 0.3});
  chart.series[0].low = {0.1, 0.3, 0.25};
  chart.series[0].high = {0.3, 0.6, 0.45};
  auto svg = to_svg(chart);
  const auto up = ruler(svg, 'y');
  const auto bands = shapes(svg, "polygon");
  ASSERT_EQ(bands.size(), 1U);
  ASSERT_EQ(bands[0].size(), 6U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(up.at(bands[0][i].y), chart.series[0].high[i], 1e-3);
    EXPECT_NEAR(up.at(bands[0][5 - i].y), chart.series[0].low[i], 1e-3);
    EXPECT_EQ(bands[0][i].x, bands[0][5 - i].x);
  }
  chart.series[0].is_connected = false;
  svg = to_svg(chart);
  EXPECT_TRUE(shapes(svg, "polyline").empty());
  const auto bars =
      matches(svg, std::regex("class=\"bar s0\" x1=\"([-0-9.]+)\" y1=\"([-0-9.]+)\" x2=\"\\1\" "
                              "y2=\"([-0-9.]+)\""));
  ASSERT_EQ(bars.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(up.at(std::stod(bars[i][2])), chart.series[0].low[i], 1e-3);
    EXPECT_NEAR(up.at(std::stod(bars[i][3])), chart.series[0].high[i], 1e-3);
  }
}

TEST(Plot, ValuesThatAreNoNumbersPartTheLine) {
  const auto svg = to_svg(chart_of({1, 2, 3, 4, 5, 6}, {1, 2, kNan, 4, 5, kInf}));
  const auto lines = shapes(svg, "polyline");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].size(), 2U);
  EXPECT_EQ(lines[1].size(), 2U);
  EXPECT_EQ(marks(svg, 0).size(), 4U);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(Plot, APointAloneIsMarkedAlsoWhereLinesHaveNoMarks) {
  std::vector<double> x, y;
  for (int i = 0; i < 200; ++i) {
    x.push_back(i);
    y.push_back(i == 99 || i == 101 ? kNan : i);
  }
  const auto svg = to_svg(chart_of(x, y));
  const auto points = marks(svg, 0);
  ASSERT_EQ(points.size(), 1U);
  EXPECT_NEAR(ruler(svg, 'x').at(points[0].x), 100.0, 0.1);
}

TEST(Plot, ChartsWithoutNumbersSaySo) {
  for (const auto& chart : {chart_of({}, {}), chart_of({1, 2}, {kNan, kNan}), Chart{}}) {
    const auto svg = to_svg(chart);
    EXPECT_THAT(svg, HasSubstr("nothing to draw"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
  }
  EXPECT_THAT(to_svg(IntervalChart{}), HasSubstr("nothing to draw"));
}

TEST(Plot, OneValueAloneStandsInsideItsAxes) {
  for (const double value : {0.0, 0.3, -7.0, 1e-9, 1e12}) {
    const auto svg = to_svg(chart_of({1}, {value}));
    const auto points = marks(svg, 0);
    ASSERT_EQ(points.size(), 1U) << value;
    EXPECT_NEAR(ruler(svg, 'y').at(points[0].y), value, std::abs(value) * 1e-2 + 1e-12);
    const auto grid = matches(svg, std::regex("class=\"grid\" x1=\"[-0-9.]+\" y1=\"([-0-9.]+)\""));
    EXPECT_LE(points[0].y, std::stod(grid.front()[1])) << value;
    EXPECT_GE(points[0].y, std::stod(grid.back()[1])) << value;
  }
}

TEST(Plot, RowsOfIntervalsReadAgainstTheTicksAreTheData) {
  IntervalChart chart{
      "ndcg@10",
      "",
      "ndcg@10",
      /*has_zero=*/true,
      {{"a", 0.02, 0.01, 0.035, 0}, {"b", kNan, kNan, kNan, 1}, {"c", -0.01, -0.02, 0.0, 2}}};
  const auto svg = to_svg(chart);
  const auto across = ruler(svg, 'x');
  for (const int row : {0, 2}) {
    const auto points = marks(svg, row);
    ASSERT_EQ(points.size(), 1U);
    EXPECT_NEAR(across.at(points[0].x), chart.rows[row].value, 1e-4);
    const auto bar = matches(svg, std::regex("class=\"bar s" + std::to_string(row) +
                                             "\" x1=\"([-0-9.]+)\" y1=\"[-0-9.]+\" "
                                             "x2=\"([-0-9.]+)\""));
    ASSERT_EQ(bar.size(), 3U);
    EXPECT_NEAR(across.at(std::stod(bar[0][1])), chart.rows[row].low, 1e-4);
    EXPECT_NEAR(across.at(std::stod(bar[0][2])), chart.rows[row].high, 1e-4);
  }
  EXPECT_TRUE(marks(svg, 1).empty());
  EXPECT_THAT(svg, HasSubstr("no value"));
}

TEST(Plot, NamesAreTextAndNeverMarkup) {
  EXPECT_EQ(escape_xml("<b>&\"'"), "&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(escape_xml("é 東 🎬"), "é 東 🎬");
  const std::string replaced = "\xef\xbf\xbd";
  EXPECT_EQ(escape_xml("a\x01z"), "a" + replaced + "z");
  EXPECT_EQ(escape_xml("\xff\xc3"), replaced + replaced);
  EXPECT_EQ(escape_xml("\xed\xa0\x80"), replaced + replaced + replaced) << "a surrogate";
  EXPECT_EQ(escape_xml("\xc0\xaf"), replaced + replaced) << "a slash, written too long";
  const std::string name = "<script>alert('x')</script>";
  auto chart = chart_of({1, 2}, {1, 2});
  chart.series[0].name = chart.title = chart.x.label = chart.y.label = chart.caption = name;
  IntervalChart rows{name, name, name, false, {{name, 1, 0, 2, 0}}};
  const auto page = plot_page(name, {{name, name, {to_figure(chart), to_figure(rows)}}});
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;"));
}

TEST(Plot, APageAsksForNothingFromElsewhere) {
  const auto page = plot_page("t", {{"h", "", {to_figure(chart_of({1, 2}, {1, 2}))}}});
  for (const char* outside : {"http", "src=", "@import", "url(", "<link"})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme: dark"));
}

TEST(Plot, TicksEncloseTheRangeInEvenSteps) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {0, 1}, {0.1, 0.9}, {-3, 17}, {1, 200}, {1e-7, 3e-7}, {-1e9, 1e9}, {0.3, 0.30001}})
    for (const int count : {1, 5, 8})
      for (const bool is_whole : {false, true}) {
        const auto ticks = nice_ticks(low, high, count, is_whole);
        ASSERT_GE(ticks.size(), 2U);
        EXPECT_LE(ticks.front(), low + (high - low) * 1e-6);
        EXPECT_GE(ticks.back(), high - (high - low) * 1e-6);
        EXPECT_LE(ticks.size(), static_cast<size_t>(count) + 3);
        const double step = ticks[1] - ticks[0];
        for (size_t i = 1; i < ticks.size(); ++i)
          EXPECT_NEAR(ticks[i] - ticks[i - 1], step, step * 1e-6);
        if (is_whole) {
          for (const double tick : ticks) EXPECT_EQ(tick, std::round(tick));
        }
      }
  EXPECT_THROW(nice_ticks(1, 1, 5), std::invalid_argument);
  EXPECT_THROW(nice_ticks(kNan, 1, 5), std::invalid_argument);
}

TEST(Plot, LabelsBelowDoNotTouchEachOther) {
  std::vector<Chart> charts = {chart_of({1, 2}, {1, 2}), chart_of({1, 123456789}, {1, 2}),
                               chart_of({0.00001, 0.00002}, {1, 2})};
  auto categories = chart_of({0, 1, 2, 3, 4, 5}, {1, 2, 3, 4, 5, 6});
  for (int i = 0; i < 6; ++i)
    categories.x.categories.push_back("1,000,000,000–2,000,000,00" + std::to_string(i));
  charts.push_back(categories);
  for (const auto& chart : charts) {
    double end = -1.0;
    const auto svg = to_svg(chart);
    for (const auto& match :
         matches(svg,
                 std::regex("<text class=\"tick x\" x=\"([-0-9.]+)\" y=\"[-0-9.]+\">([^<]*)<"))) {
      const auto text = match[2].str();
      // Letters of the default fonts are about 0.53 em wide; continuation bytes are no letters.
      const auto letters =
          std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
      const double half = static_cast<double>(letters) * 12.0 * 0.53 / 2.0;
      const double x = std::stod(match[1]);
      EXPECT_GT(x - half, end) << text;
      EXPECT_LE(x + half, 640.0) << text;
      end = x + half;
    }
    EXPECT_GT(end, 0.0);
  }
}

TEST(Plot, ALegendOfLongNamesTakesMoreLines) {
  auto chart = chart_of({1, 2}, {1, 2});
  chart.series.resize(5, chart.series[0]);
  for (auto& series : chart.series) series.name = std::string(200, 'w');
  const auto svg = to_svg(chart);
  const auto rows =
      matches(svg, std::regex("class=\"legend\" x=\"([-0-9.]+)\" y=\"([-0-9.]+)\">([^<]*)<"));
  ASSERT_EQ(rows.size(), 5U);
  for (size_t i = 1; i < rows.size(); ++i)
    EXPECT_GT(std::stod(rows[i][2]), std::stod(rows[i - 1][2]) + 12.0);
  EXPECT_THAT(rows[0][3].str(), HasSubstr("…"));
}

TEST(Plot, SeriesThatDoNotFitAreRefused) {
  auto chart = chart_of({1, 2}, {1});
  EXPECT_THROW(to_svg(chart), std::invalid_argument);
  chart = chart_of({1, 2}, {1, 2});
  chart.series[0].low = {1, 2};
  EXPECT_THROW(to_svg(chart), std::invalid_argument);
  chart = chart_of({1}, {1});
  chart.series[0].colour = kNumPlotColours;
  EXPECT_THROW(to_svg(chart), std::invalid_argument);
}

}  // namespace
}  // namespace reckon::plot_test
