# Compiler settings for our own code.
include(CheckLinkerFlag)

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
# -O3 costs build time and gains nothing outside of the kernels, which ask for it themselves.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
# An installed program finds LibTorch and Arrow where the build found them.
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(RECKON_CCACHE ccache)
if(RECKON_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${RECKON_CCACHE})
endif()
check_linker_flag(CXX -fuse-ld=mold RECKON_HAS_MOLD)
if(RECKON_HAS_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_library(reckon_settings INTERFACE)
target_compile_options(reckon_settings INTERFACE -Wall -Wextra -Wpedantic)
if(RECKON_WARNINGS_AS_ERRORS)
  target_compile_options(reckon_settings INTERFACE -Werror)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports libstdc++'s own code under -O2 (bug 105651 and relatives).
  target_compile_options(reckon_settings INTERFACE -Wno-restrict -Wno-maybe-uninitialized
                                                   -Wno-missing-field-initializers
                                                   -Wno-stringop-overflow -Wno-array-bounds)
else()
  target_compile_options(reckon_settings INTERFACE -Wno-missing-field-initializers
                                                   -Wno-missing-designated-field-initializers
                                                   -Wno-unknown-pragmas)
endif()
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Without the time inside, ccache takes the same header for the same.
  target_compile_options(reckon_settings INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
endif()
if(RECKON_SANITIZE)
  target_compile_options(reckon_settings INTERFACE -fsanitize=address,undefined,fuzzer-no-link
                                                   -fno-sanitize-recover=undefined
                                                   -fno-omit-frame-pointer)
  target_link_options(reckon_settings INTERFACE -fsanitize=address,undefined)
endif()
