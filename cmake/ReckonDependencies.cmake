# Libraries: Debian packages, and LibTorch and Arrow from the system or from .deps/.
set(RECKON_DEPS ${CMAKE_CURRENT_SOURCE_DIR}/.deps CACHE PATH "Where scripts/setup.sh puts LibTorch and Arrow")

find_package(yaml-cpp REQUIRED)
find_package(glog REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Arrow REQUIRED)
include(ReckonTorch)
