# cmake --install: headers under include/reckon, libraries, the program, and find_package(reckon).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(rooms core kernels layers datasets models evaluation training export serving cli)
set(targets reckon_settings reckon_torch)
foreach(room ${rooms})
  if(TARGET reckon_${room})
    list(APPEND targets reckon_${room})
    install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/reckon
            FILES_MATCHING PATTERN "*.h")
  endif()
endforeach()
