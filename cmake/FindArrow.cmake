# Apache Arrow C++ with Parquet: a system installation, else the pyarrow wheel below RECKON_DEPS, which
# has headers and libraries but no CMake files.   Targets   Arrow::arrow, Arrow::parquet
find_path(Arrow_INCLUDE_DIR arrow/api.h)
find_library(Arrow_LIBRARY arrow)
find_library(Arrow_PARQUET_LIBRARY parquet)
if(Arrow_INCLUDE_DIR AND Arrow_LIBRARY AND Arrow_PARQUET_LIBRARY)
  # Since Arrow 21 the compute functions are a library of their own.
  find_library(Arrow_COMPUTE_LIBRARY arrow_compute)
else()
  set(arrow_wheel ${RECKON_DEPS}/pyarrow/pyarrow)
  if(EXISTS ${arrow_wheel}/include/arrow/api.h)
    set(Arrow_INCLUDE_DIR ${arrow_wheel}/include)
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
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Arrow
  REQUIRED_VARS Arrow_LIBRARY Arrow_PARQUET_LIBRARY Arrow_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "run scripts/setup.sh, which fetches the pyarrow wheel, or install Arrow C++")

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
