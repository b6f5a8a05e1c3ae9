#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace reckon {

/// `1234567` as "1,234,567".
std::string format_count(int64_t count);

/// A number of bytes in the unit that fits: "512 B", "1.5 KiB", "2.0 GiB".
std::string format_bytes(int64_t bytes);

/// "850 ms", "12.3 s", "4 min 05 s", "2 h 03 min", "3 d 04 h".
std::string format_duration(double seconds);

/// A share of one as "12.3%".
std::string format_percent(double share, int digits = 1);

/// A fixed number of digits behind the point: format_fixed(0.53214, 4) is "0.5321".
std::string format_fixed(double value, int digits);

/// Digits behind the point that tell numbers of a column apart whose largest magnitude is given: four, and
/// more where that is below .01.
int digits_of_column(double largest);

/// The shortest text with at most `digits` significant digits: "0.0531", "1e-05", "12".
std::string format_significant(double value, int digits = 4);

/// A table as text: columns as wide as their widest cell, a rule below the head.
class TextTable {
 public:
  enum class Align { kLeft, kRight };

  explicit TextTable(std::vector<std::string> head, std::vector<Align> align = {});

  /// Missing cells at the end are empty.   Throws   std::invalid_argument on more cells than the head.
  void add_row(std::vector<std::string> cells);
  std::string to_string() const;

 private:
  std::vector<std::string> head_;
  std::vector<Align> align_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace reckon
