# Embeds models/presets/*.yaml in the models room; made anew when a file changes or one is added.
file(GLOB preset_files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/models/presets/*.yaml)
set(preset_source ${CMAKE_BINARY_DIR}/generated/presets.cpp)
add_custom_command(
  OUTPUT ${preset_source}
  COMMAND ${CMAKE_COMMAND} -D OUTPUT=${preset_source} -D "FILES=${preset_files}"
          -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_presets.cmake
  DEPENDS ${preset_files} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_presets.cmake
  VERBATIM)
set(RECKON_GENERATED_models ${preset_source})
