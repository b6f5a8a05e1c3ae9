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
  # CMAKE_INSTALL_RPATH_USE_LINK_PATH leaves out what lies in the source tree, as .deps/ does.
  get_filename_component(torch_folder ${TORCH_LIBRARY} DIRECTORY)
  get_target_property(arrow_library Arrow::arrow IMPORTED_LOCATION)
  get_filename_component(arrow_folder ${arrow_library} DIRECTORY)
  set_target_properties(reckon PROPERTIES INSTALL_RPATH "${torch_folder};${arrow_folder}")
  install(TARGETS reckon RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

configure_package_config_file(cmake/reckonConfig.cmake.in ${CMAKE_BINARY_DIR}/reckonConfig.cmake
                              INSTALL_DESTINATION ${package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/reckonConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/reckonConfig.cmake ${CMAKE_BINARY_DIR}/reckonConfigVersion.cmake
              cmake/ReckonTorch.cmake cmake/FindArrow.cmake
        DESTINATION ${package})
