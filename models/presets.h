#pragma once

#include <span>
#include <string_view>

namespace reckon {

/// One file of models/presets/: its name without `.yaml`, and its text.
struct PresetText {
  std::string_view name;
  std::string_view text;
};

/// The presets that were embedded when the library was built, by name.
std::span<const PresetText> embedded_presets();

}  // namespace reckon
