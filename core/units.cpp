#include "core/units.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace reckon {

namespace {

struct TimeUnit {
  const char* name;
  double seconds;
};
struct SizeUnit {
  const char* name;
  int64_t bytes;
};

// The largest first: text is written with the first that divides the value.
constexpr TimeUnit kTimeUnits[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {"ms", 1e-3}};
constexpr SizeUnit kSizeUnits[] = {{"TiB", int64_t{1} << 40},
                                   {"TB", 1'000'000'000'000},
                                   {"GiB", int64_t{1} << 30},
                                   {"GB", 1'000'000'000},
                                   {"MiB", int64_t{1} << 20},
                                   {"MB", 1'000'000},
                                   {"KiB", int64_t{1} << 10},
                                   {"KB", 1'000},
                                   {"B", 1}};

// Splits "1.5h" into 1.5 and "h"; nothing when no finite number >= 0 stands in front.
std::optional<std::pair<double, std::string_view>> split_number(std::string_view text) {
  double number = 0.0;
  const auto* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || number < 0) return std::nullopt;
  auto unit = text.substr(static_cast<size_t>(stop - text.data()));
  while (!unit.empty() && unit[0] == ' ') unit.remove_prefix(1);
  return std::pair{number, unit};
}

std::string shortest(double value) {
  constexpr size_t kLongestFixed = 400;
  char buffer[kLongestFixed];
  const auto [end, error] =
      std::to_chars(buffer, buffer + kLongestFixed, value, std::chars_format::fixed);
  return std::string(buffer, error == std::errc() ? end : buffer);
}

bool is_quoted_number(const ConfigNode& node) {
  const auto& text = node.scalar_text();
  return node.is_quoted() && !text.empty() &&
         text.find_first_not_of("0123456789.") == std::string::npos;
}

template <class Unit, class Parse>
void read_unit(const Cursor& at, Unit& value, const std::string& expected, const Parse& parse) {
  const auto parsed = at.node().is_scalar() && !is_quoted_number(at.node())
                          ? parse(at.node().scalar_text())
                          : std::nullopt;
  if (parsed)
    value = *parsed;
  else
    at.fail("expected " + expected + ", got " + at.node().describe(),
            is_quoted_number(at.node()) ? "remove the quotes" : "");
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  const auto split = split_number(text);
  if (!split) return std::nullopt;
  const auto& [number, unit] = *split;
  if (unit.empty()) return Duration{number};
  for (const auto& candidate : kTimeUnits) {
    if (unit != candidate.name) continue;
    const double seconds = number * candidate.seconds;
    return std::isfinite(seconds) ? std::optional(Duration{seconds}) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<ByteSize> parse_byte_size(std::string_view text) {
  const auto split = split_number(text);
  if (!split) return std::nullopt;
  const auto& [number, unit] = *split;
  const auto scaled = [](double value) -> std::optional<ByteSize> {
    constexpr double kLargestExact = 9007199254740992.0;  // 2^53: 8 PiB
    if (value > kLargestExact || value != std::floor(value)) return std::nullopt;
    return ByteSize{static_cast<int64_t>(value)};
  };
  if (unit.empty()) return scaled(number);
  for (const auto& candidate : kSizeUnits)
    if (unit == candidate.name) return scaled(number * static_cast<double>(candidate.bytes));
  return std::nullopt;
}

std::string to_string(Duration duration) {
  for (const auto& unit : kTimeUnits) {
    const double number = duration.seconds / unit.seconds;
    const bool is_whole = unit.seconds >= 1 && number >= 1 && number == std::floor(number);
    if (is_whole && number * unit.seconds == duration.seconds && number < 1e6)
      return shortest(number) + unit.name;
  }
  return shortest(duration.seconds) + "s";
}

std::string to_string(ByteSize size) {
  for (const auto& unit : kSizeUnits)
    if (size.bytes != 0 && size.bytes % unit.bytes == 0)
      return std::to_string(size.bytes / unit.bytes) + unit.name;
  return std::to_string(size.bytes) + "B";
}

void Codec<Duration>::read(const Cursor& at, Duration& value) {
  read_unit(at, value, "a duration such as 10s, 5m or 2h", parse_duration);
}

void Codec<ByteSize>::read(const Cursor& at, ByteSize& value) {
  read_unit(at, value, "a size such as 512MiB or 1GB", parse_byte_size);
}

}  // namespace reckon
