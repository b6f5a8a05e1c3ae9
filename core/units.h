#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/schema.h"

namespace reckon {

/// A length of time, written `500ms`, `10s`, `5m`, `2h`, `1d`, or plainly in seconds.
struct Duration {
  double seconds = 0.0;
  auto operator<=>(const Duration&) const = default;
};

/// A number of bytes, written `512MiB` (powers of 1024), `1GB` (powers of 1000), or plainly.
struct ByteSize {
  int64_t bytes = 0;
  auto operator<=>(const ByteSize&) const = default;
};

/// Nothing when the text is no duration, is negative, or is too large.
std::optional<Duration> parse_duration(std::string_view text);
std::optional<ByteSize> parse_byte_size(std::string_view text);

/// The shortest text that parses to the same value.
std::string to_string(Duration duration);
std::string to_string(ByteSize size);

template <>
struct Codec<Duration> {
  static std::string name() { return "duration"; }
  static void read(const Cursor& at, Duration& value);
  static ConfigNode emit(const Duration& value, const Catalog*) {
    return ConfigNode::plain(to_string(value));
  }
  static ConfigNode wrong() { return ConfigNode::plain("5 apples"); }
  static Duration less(const Duration& value) { return {value.seconds - 1.0}; }
  static Duration more(const Duration& value) { return {value.seconds + 1.0}; }
};

template <>
struct Codec<ByteSize> {
  static std::string name() { return "size"; }
  static void read(const Cursor& at, ByteSize& value);
  static ConfigNode emit(const ByteSize& value, const Catalog*) {
    return ConfigNode::plain(to_string(value));
  }
  static ConfigNode wrong() { return ConfigNode::plain("5 apples"); }
  static ByteSize less(const ByteSize& value) { return {value.bytes - 1}; }
  static ByteSize more(const ByteSize& value) { return {value.bytes + 1}; }
};

}  // namespace reckon
