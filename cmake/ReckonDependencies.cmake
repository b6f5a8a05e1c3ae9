# Libraries: Debian packages, and LibTorch and Arrow from the system or from .deps/.
set(RECKON_DEPS ${CMAKE_CURRENT_SOURCE_DIR}/.deps)

find_package(yaml-cpp REQUIRED)
find_package(glog REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)

# A LibTorch that CMake finds by itself wins; .deps/ comes after CMAKE_PREFIX_PATH.
list(APPEND CMAKE_PREFIX_PATH ${RECKON_DEPS}/libtorch/torch)
find_package(Torch REQUIRED)
if(Torch_VERSION AND Torch_VERSION VERSION_LESS 2.12)
  message(FATAL_ERROR "LibTorch ${Torch_VERSION} found, 2.12 or newer is needed: run scripts/setup.sh "
                      "or point CMAKE_PREFIX_PATH at a newer one.")
endif()
find_package(Arrow REQUIRED)

# Exactly one OpenMP runtime per process: the one beside libtorch_cpu.
get_filename_component(RECKON_TORCH_LIB_DIR ${TORCH_LIBRARY} DIRECTORY)
file(GLOB RECKON_GOMP ${RECKON_TORCH_LIB_DIR}/libgomp*.so* ${RECKON_TORCH_LIB_DIR}/../../torch.libs/libgomp*.so*)
add_library(reckon_torch INTERFACE)
string(REPLACE " " ";" RECKON_TORCH_FLAGS "${TORCH_CXX_FLAGS}")
target_compile_options(reckon_torch INTERFACE ${RECKON_TORCH_FLAGS} -fopenmp)
target_include_directories(reckon_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
target_link_libraries(reckon_torch INTERFACE ${TORCH_LIBRARIES} Threads::Threads)
if(RECKON_GOMP)
  list(GET RECKON_GOMP 0 RECKON_GOMP)
  target_link_libraries(reckon_torch INTERFACE ${RECKON_GOMP})
endif()
