# Apache Arrow C++ with Parquet and compute: a system installation, or the pyarrow wheel, which has the headers
# and libraries but no CMake files.   Targets: Arrow::arrow, Arrow::parquet
find_path(Arrow_INCLUDE_DIR arrow/api.h PATHS ${RECKON_DEPS}/pyarrow/pyarrow/include)
set(Arrow_LIBRARIES)
foreach(name arrow arrow_compute parquet)
  find_library(Arrow_${name}_LIBRARY ${name})
  if(NOT Arrow_${name}_LIBRARY)
    # Wheels carry only the versioned name.
    file(GLOB candidates ${RECKON_DEPS}/pyarrow/pyarrow/lib${name}.so.*)
    list(FILTER candidates INCLUDE REGEX "\\.so\\.[0-9]+$")
    if(candidates)
      list(GET candidates 0 candidate)
      set(Arrow_${name}_LIBRARY ${candidate} CACHE FILEPATH "" FORCE)
    endif()
  endif()
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Arrow REQUIRED_VARS Arrow_arrow_LIBRARY Arrow_parquet_LIBRARY Arrow_INCLUDE_DIR)
if(Arrow_FOUND AND NOT TARGET Arrow::arrow)
  add_library(Arrow::arrow UNKNOWN IMPORTED)
  set_target_properties(Arrow::arrow PROPERTIES IMPORTED_LOCATION ${Arrow_arrow_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${Arrow_INCLUDE_DIR}
                        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${Arrow_INCLUDE_DIR})
  # Since Arrow 21 the compute functions are a library of their own.
  if(Arrow_arrow_compute_LIBRARY)
    set_target_properties(Arrow::arrow PROPERTIES INTERFACE_LINK_LIBRARIES ${Arrow_arrow_compute_LIBRARY})
  endif()
  add_library(Arrow::parquet UNKNOWN IMPORTED)
  set_target_properties(Arrow::parquet PROPERTIES IMPORTED_LOCATION ${Arrow_parquet_LIBRARY}
                        INTERFACE_LINK_LIBRARIES Arrow::arrow)
endif()
