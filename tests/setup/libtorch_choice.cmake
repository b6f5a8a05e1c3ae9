# Which LibTorch CMake takes: one that the environment or the command line names, before the one in .deps/;
# one that is too old is passed over. The LibTorches are folders with nothing but what CMake reads.
#   cmake -D MODULES=cmake -D WORK=folder -P libtorch_choice.cmake
file(REMOVE_RECURSE ${WORK})

function(make_libtorch prefix version)
  file(WRITE ${prefix}/share/cmake/Torch/TorchConfig.cmake "
get_filename_component(TORCH_INSTALL_PREFIX \${CMAKE_CURRENT_LIST_DIR}/../../.. ABSOLUTE)
find_library(TORCH_LIBRARY torch PATHS \${TORCH_INSTALL_PREFIX}/lib)
set(TORCH_LIBRARIES \${TORCH_LIBRARY})
set(Torch_FOUND TRUE)
")
  file(WRITE ${prefix}/share/cmake/Torch/TorchConfigVersion.cmake "
set(PACKAGE_VERSION ${version})
if(NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
endif()
")
  file(WRITE ${prefix}/lib/libtorch.so "")
endfunction()

make_libtorch(${WORK}/deps/libtorch/torch 2.13)
make_libtorch(${WORK}/mine 2.12)
make_libtorch(${WORK}/old 2.11)
file(WRITE ${WORK}/source/CMakeLists.txt "
cmake_minimum_required(VERSION 3.22)
project(choice LANGUAGES CXX)
set(RECKON_DEPS ${WORK}/deps)
include(${MODULES}/ReckonTorch.cmake)
message(STATUS \"taken: \${TORCH_INSTALL_PREFIX} \${TORCH_LIBRARY}\")
")

# choice(FOLDER ENVIRONMENT [ARGUMENT...]) fails unless CMake takes what lies in FOLDER.
function(choice folder environment)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=CMAKE_PREFIX_PATH --unset=Torch_DIR ${environment}
                          ${CMAKE_COMMAND} -S ${WORK}/source -B ${WORK}/build ${ARGN}
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT output MATCHES "taken: ${WORK}/${folder} ${WORK}/${folder}/lib/libtorch.so")
    message(FATAL_ERROR "${environment} ${ARGN}: not the LibTorch in ${folder}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(deps deps/libtorch/torch)
set(mine ${WORK}/mine/share/cmake/Torch)
choice(${deps} A=1)
# The build folder remembers the one in .deps/; whoever is named later wins all the same.
choice(mine CMAKE_PREFIX_PATH=${WORK}/mine)
file(REMOVE_RECURSE ${WORK}/build)
choice(mine Torch_DIR=${mine})
file(REMOVE_RECURSE ${WORK}/build)
choice(${deps} A=1)
choice(mine A=1 -DCMAKE_PREFIX_PATH=${WORK}/mine)
file(REMOVE_RECURSE ${WORK}/build)
choice(${deps} A=1)
choice(mine A=1 -DTorch_DIR=${mine})
file(REMOVE_RECURSE ${WORK}/build)
choice(${deps} CMAKE_PREFIX_PATH=${WORK}/old)
if(NOT output MATCHES "${WORK}/old[^\n]* is not used: version 2.11")
  message(FATAL_ERROR "nothing is said of the LibTorch that is too old:\n${output}")
endif()
