#include "core/yaml_scalars.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace reckon {

namespace {
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool equals_folded(std::string_view text, std::string_view lower) {
  return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == b;
  });
}
}  // namespace

bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

bool is_typed(std::string_view text) {
  if (is_null_word(text)) return true;
  for (const auto* word : {"true", "True", "TRUE", "false", "False", "FALSE"})
    if (text == word) return true;
  if (text[0] == '+') text.remove_prefix(1);
  double value = 0.0;
  const auto* end = text.data() + text.size();
  return !text.empty() && std::from_chars(text.data(), end, value).ptr == end;
}

bool is_ambiguous(std::string_view text) {
  if (is_null_word(text)) return true;
  constexpr std::array<std::string_view, 13> kWords = {"true", "false", "yes",     "no",   "on",
                                                       "off",  "y",     "n",       "null", ".nan",
                                                       "nan",  "inf",   "infinity"};
  for (const auto word : kWords)
    if (equals_folded(text, word)) return true;
  if (text[0] == '+' || text[0] == '-') text.remove_prefix(1);
  if (equals_folded(text, ".inf") || equals_folded(text, "inf")) return true;
  if (!text.empty() && text[0] == '.') text.remove_prefix(1);
  return !text.empty() && is_digit(text[0]);
}

bool is_plain_safe(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ' || text.back() == ':') return false;
  constexpr std::string_view kIndicators = "?:,[]{}#&*!|>'\"%@`=<";
  if (kIndicators.find(text[0]) != std::string_view::npos) return false;
  // A dash opens a list item or a document mark, unless a word or number follows at once.
  if (text[0] == '-' && (text.size() == 1 || text[1] == ' ' || text[1] == '-')) return false;
  if (text.starts_with("...")) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x20 || c == 0x7f) return false;
    if (std::string_view(",?[]{}").find(text[i]) != std::string_view::npos) return false;
    if (text[i] == ':' && text[i + 1] == ' ') return false;
    if (text[i] == '#' && text[i - 1] == ' ') return false;
  }
  return text.find("\xef\xbb\xbf") == std::string_view::npos;
}

}  // namespace reckon
