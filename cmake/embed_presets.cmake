# Writes a .cpp that holds YAML files as text: cmake -D OUTPUT=presets.cpp -D "FILES=a.yaml;b.yaml" -P embed_presets.cmake
set(text "// Generated from models/presets/*.yaml.
#include \"models/presets.h\"

namespace reckon {

namespace {

constexpr PresetText kPresets[] = {
")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} content)
  string(APPEND text "    {\"${name}\", R\"preset(${content})preset\"},\n")
endforeach()
string(APPEND text "};

}  // namespace

std::span<const PresetText> embedded_presets() { return kPresets; }

}  // namespace reckon
")
file(WRITE ${OUTPUT} "${text}")
