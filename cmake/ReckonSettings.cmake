# Compiler settings for our own code.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(RECKON_CCACHE ccache)
if(RECKON_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${RECKON_CCACHE})
endif()
find_program(RECKON_MOLD mold)
if(RECKON_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(reckon_settings INTERFACE)
target_compile_options(reckon_settings INTERFACE -Wall -Wextra -Wpedantic -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports libstdc++'s own code under -O2 (bug 105651 and relatives).
  target_compile_options(reckon_settings INTERFACE -Wno-restrict -Wno-maybe-uninitialized
                                                   -Wno-missing-field-initializers
                                                   -Wno-stringop-overflow -Wno-array-bounds)
else()
  target_compile_options(reckon_settings INTERFACE -Wno-missing-field-initializers
                                                   -Wno-missing-designated-field-initializers)
endif()
if(RECKON_SANITIZE)
  target_compile_options(reckon_settings INTERFACE -fsanitize=address,undefined,fuzzer-no-link
                                                   -fno-sanitize-recover=undefined
                                                   -fno-omit-frame-pointer)
  target_link_options(reckon_settings INTERFACE -fsanitize=address,undefined)
endif()
