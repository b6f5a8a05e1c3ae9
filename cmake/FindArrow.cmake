# Apache Arrow C++ with Parquet: one that CMake finds by itself (Arrow_ROOT or CMAKE_PREFIX_PATH may name it),
# else the pyarrow wheel below RECKON_DEPS, which has headers and libraries but no CMake files.
#   Targets   Arrow::arrow, Arrow::parquet        Variable   Arrow_VERSION
set(arrow_lowest 24.0)  # The first that reads Parquet into a result.

function(arrow_version_of include_dir variable)
  set(version)
  if(EXISTS ${include_dir}/arrow/util/config.h)
    file(STRINGS ${include_dir}/arrow/util/config.h line REGEX "#define ARROW_VERSION_STRING ")
    string(REGEX REPLACE ".*\"([0-9.]+).*" "\\1" version "${line}")
  endif()
  set(${variable} "${version}" PARENT_SCOPE)
endfunction()

find_path(Arrow_INCLUDE_DIR arrow/api.h)
find_library(Arrow_LIBRARY arrow)
find_library(Arrow_PARQUET_LIBRARY parquet)
# Since Arrow 21 the compute functions are a library of their own.
find_library(Arrow_COMPUTE_LIBRARY arrow_compute)
mark_as_advanced(Arrow_INCLUDE_DIR Arrow_LIBRARY Arrow_PARQUET_LIBRARY Arrow_COMPUTE_LIBRARY)
arrow_version_of("${Arrow_INCLUDE_DIR}" Arrow_VERSION)
set(arrow_refused)
if(Arrow_INCLUDE_DIR AND Arrow_VERSION VERSION_LESS arrow_lowest)
  set(arrow_refused "${Arrow_INCLUDE_DIR} (version ${Arrow_VERSION})")
elseif(Arrow_INCLUDE_DIR AND NOT (Arrow_LIBRARY AND Arrow_PARQUET_LIBRARY))
  set(arrow_refused "${Arrow_INCLUDE_DIR} (without libarrow or libparquet)")
endif()

if(NOT Arrow_INCLUDE_DIR OR arrow_refused)
  # Variables beside the cache: the next configuration searches anew.
  set(arrow_wheel ${RECKON_DEPS}/pyarrow/pyarrow)
  set(Arrow_INCLUDE_DIR ${arrow_wheel}/include)
  arrow_version_of(${Arrow_INCLUDE_DIR} Arrow_VERSION)
  if(NOT EXISTS ${Arrow_INCLUDE_DIR}/arrow/api.h)
    set(Arrow_INCLUDE_DIR Arrow_INCLUDE_DIR-NOTFOUND)
  elseif(arrow_refused AND NOT Arrow_FIND_QUIETLY)
    message(STATUS "Arrow at ${arrow_refused} is not used: ${arrow_lowest} is the lowest that serves")
  endif()
  foreach(pair "LIBRARY:arrow" "PARQUET_LIBRARY:parquet" "COMPUTE_LIBRARY:arrow_compute")
    string(REPLACE ":" ";" pair ${pair})
    list(GET pair 0 variable)
    list(GET pair 1 name)
    # Wheels carry only the versioned name.
    file(GLOB libraries ${arrow_wheel}/lib${name}.so.*)
    list(FILTER libraries INCLUDE REGEX "\\.so\\.[0-9]+$")
    list(APPEND libraries Arrow_${variable}-NOTFOUND)
    list(GET libraries 0 Arrow_${variable})
  endforeach()
endif()

include(FindPackageHandleStandardArgs)
if(arrow_refused)
  set(arrow_hint "${arrow_refused} is too old or not whole: ")
endif()
find_package_handle_standard_args(Arrow
  REQUIRED_VARS Arrow_LIBRARY Arrow_PARQUET_LIBRARY Arrow_INCLUDE_DIR
  VERSION_VAR Arrow_VERSION
  REASON_FAILURE_MESSAGE "${arrow_hint}run scripts/setup.sh, which fetches the pyarrow wheel, or install \
Arrow C++ ${arrow_lowest} or newer with Parquet")

if(Arrow_FOUND AND NOT TARGET Arrow::arrow)
  add_library(Arrow::arrow UNKNOWN IMPORTED)
  set_target_properties(Arrow::arrow PROPERTIES IMPORTED_LOCATION ${Arrow_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${Arrow_INCLUDE_DIR})
  if(Arrow_COMPUTE_LIBRARY)
    set_target_properties(Arrow::arrow PROPERTIES INTERFACE_LINK_LIBRARIES ${Arrow_COMPUTE_LIBRARY})
  endif()
  add_library(Arrow::parquet UNKNOWN IMPORTED)
  set_target_properties(Arrow::parquet PROPERTIES IMPORTED_LOCATION ${Arrow_PARQUET_LIBRARY}
                        INTERFACE_LINK_LIBRARIES Arrow::arrow)
endif()
