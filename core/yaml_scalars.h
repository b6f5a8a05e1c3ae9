#pragma once

#include <string_view>

namespace reckon {

/// Whether the plain scalar means nothing: empty, `~`, `null`.
bool is_null_word(std::string_view text);

/// Whether quotes change what the scalar means to us: without them it is nothing, a truth value or a
/// number.
bool is_typed(std::string_view text);

/// Whether the plain scalar may mean something else than its text to this or another YAML reader:
/// nothing, a truth value (also `yes` and its like), or a number.
bool is_ambiguous(std::string_view text);

/// Whether the text can stand plainly anywhere in a YAML text, in flow mappings too.
bool is_plain_safe(std::string_view text);

}  // namespace reckon
