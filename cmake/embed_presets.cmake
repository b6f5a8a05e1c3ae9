# cmake -D OUTPUT=presets.cpp -D FILES="a.yaml;b.yaml" -P embed_presets.cmake
set(text "// Generated from models/presets/*.yaml.\n#include \"models/presets.h\"\n\nnamespace reckon {\nnamespace {\nconstexpr PresetText kPresets[] = {\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} content)
  string(APPEND text "    {\"${name}\", R\"preset(${content})preset\"},\n")
endforeach()
string(APPEND text "};\n}  // namespace\n\nstd::span<const PresetText> embedded_presets() { return kPresets; }\n\n}  // namespace reckon\n")
file(WRITE ${OUTPUT} "${text}")
