# cmake --install: the program, the libraries, headers below include/reckon, and find_package(reckon).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/reckon)
set(installed)
foreach(room core kernels layers datasets models evaluation training export serving cli)
  if(TARGET reckon_${room})
    list(APPEND installed reckon_${room})
    install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/${room} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/reckon
            FILES_MATCHING PATTERN "*.h" PATTERN presets EXCLUDE)
  endif()
endforeach()
install(TARGETS ${installed} EXPORT reckon ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/reckon)
install(EXPORT reckon NAMESPACE reckon:: DESTINATION ${package} FILE reckonTargets.cmake)
if(TARGET reckon)
  install(TARGETS reckon RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(cmake/reckonConfig.cmake.in ${CMAKE_BINARY_DIR}/reckonConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/reckonConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/reckonConfig.cmake ${CMAKE_BINARY_DIR}/reckonConfigVersion.cmake
              cmake/ReckonTorch.cmake cmake/FindArrow.cmake
        DESTINATION ${package})
