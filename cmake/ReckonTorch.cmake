# Target reckon::libtorch: LibTorch with exactly one OpenMP runtime, the one beside libtorch_cpu.
# Installed too, for find_package(reckon). RECKON_DEPS names the folder that scripts/setup.sh fills.
set(reckon_torch_lowest 2.12)

# What an earlier configuration found must not outlive the search that found it: CMAKE_PREFIX_PATH or
# Torch_DIR may name another LibTorch by now.
foreach(variable Torch_DIR Caffe2_DIR TORCH_LIBRARY c10_LIBRARY kineto_LIBRARY)
  if("$CACHE{${variable}}" MATCHES "^${RECKON_DEPS}/")
    unset(${variable} CACHE)
  endif()
endforeach()

# One that CMake finds by itself wins; the one in RECKON_DEPS is looked at where there is none.
set(CMAKE_MESSAGE_LOG_LEVEL ERROR)  # It warns of a profiler library that the wheel does not have.
find_package(Torch ${reckon_torch_lowest} QUIET)
set(reckon_torch_refused)
if(NOT Torch_FOUND)
  set(reckon_torch_refused ${Torch_CONSIDERED_CONFIGS})
  list(TRANSFORM Torch_CONSIDERED_VERSIONS PREPEND "version ")
  list(JOIN Torch_CONSIDERED_VERSIONS ", " reckon_torch_versions)
  # Its configuration looks for libraries too; Torch_ROOT puts those of its own folder first.
  set(Torch_ROOT ${RECKON_DEPS}/libtorch/torch)
  find_package(Torch ${reckon_torch_lowest} QUIET PATHS ${Torch_ROOT} NO_DEFAULT_PATH)
  unset(Torch_ROOT)
endif()
unset(CMAKE_MESSAGE_LOG_LEVEL)
if(reckon_torch_refused)
  message(STATUS "LibTorch at ${reckon_torch_refused} is not used: ${reckon_torch_versions}, "
                 "and ${reckon_torch_lowest} is the lowest that serves")
endif()
if(NOT Torch_FOUND)
  message(FATAL_ERROR "LibTorch ${reckon_torch_lowest} or newer is not found. "
                      "Run scripts/setup.sh, or let CMAKE_PREFIX_PATH name a LibTorch.")
endif()
message(STATUS "LibTorch ${Torch_VERSION}: ${TORCH_INSTALL_PREFIX}")

if(NOT TARGET reckon::libtorch)
  find_package(Threads REQUIRED)
  add_library(reckon::libtorch INTERFACE IMPORTED GLOBAL)
  target_include_directories(reckon::libtorch INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(reckon::libtorch INTERFACE ${TORCH_LIBRARIES} Threads::Threads)
  separate_arguments(reckon_torch_flags NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(reckon::libtorch INTERFACE ${reckon_torch_flags})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # Clang's -fopenmp means another runtime, libomp; there at::parallel_for runs on one thread.
    target_compile_options(reckon::libtorch INTERFACE -fopenmp)
    get_filename_component(reckon_torch_lib ${TORCH_LIBRARY} DIRECTORY)
    file(GLOB reckon_gomp ${reckon_torch_lib}/libgomp*.so*
                          ${reckon_torch_lib}/../../torch.libs/libgomp*.so*)
    list(APPEND reckon_gomp gomp)  # A LibTorch without one of its own uses the compiler's.
    list(GET reckon_gomp 0 reckon_gomp)
    target_link_libraries(reckon::libtorch INTERFACE ${reckon_gomp})
  endif()
endif()
