# Target reckon::libtorch: LibTorch with exactly one OpenMP runtime, the one beside libtorch_cpu.
# Installed too, for find_package(reckon). RECKON_DEPS names the folder that scripts/setup.sh fills.

# A LibTorch that CMake finds by itself wins.
list(APPEND CMAKE_PREFIX_PATH ${RECKON_DEPS}/libtorch/torch)
set(CMAKE_MESSAGE_LOG_LEVEL ERROR)  # It warns of a profiler library that the wheel does not have.
find_package(Torch 2.12 QUIET)
unset(CMAKE_MESSAGE_LOG_LEVEL)
if(NOT Torch_FOUND)
  message(FATAL_ERROR "LibTorch 2.12 or newer is not found (looked at: ${Torch_CONSIDERED_CONFIGS}). "
                      "Run scripts/setup.sh, or let CMAKE_PREFIX_PATH name a LibTorch.")
endif()

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
