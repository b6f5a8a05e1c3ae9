# scripts/setup.sh where no source can be reached: it ends with what to do by hand, and does not ask again for
# the wheel of another Python, which only helps where a source answers.
#   cmake -D ROOT=project -D WORK=folder -P dead_source.cmake
file(REMOVE_RECURSE ${WORK})
file(COPY ${ROOT}/scripts ${ROOT}/cmake DESTINATION ${WORK}/project)
# Packages of the system are not what this is about.
file(WRITE ${WORK}/bin/dpkg-query "#!/bin/sh\nprintf installed\n")
file(CHMOD ${WORK}/bin/dpkg-query PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)

function(set_up)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env PATH=${WORK}/bin:$ENV{PATH} PIP_CONFIG_FILE=/dev/null
                          --unset=PIP_FIND_LINKS --unset=PIP_INDEX_URL --unset=PIP_EXTRA_INDEX_URL
                          --unset=PIP_NO_INDEX --unset=PIP_PROXY --unset=CMAKE_PREFIX_PATH --unset=Torch_DIR
                          --unset=NO_PROXY --unset=no_proxy ${ARGN} ${WORK}/project/scripts/setup.sh --program
                  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
  if(result EQUAL 0 OR NOT output MATCHES "LibTorch [0-9.+a-z]+ could not be fetched.*By hand")
    message(FATAL_ERROR "${ARGN}: exit ${result}, expected a failure and what to do by hand:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(another "perhaps there is none for this Python")
# Port 9 of this machine refuses; the other name does not resolve.
foreach(proxy http://127.0.0.1:9 http://no-such-host.invalid:3128)
  set_up(http_proxy=${proxy} https_proxy=${proxy} HTTP_PROXY=${proxy} HTTPS_PROXY=${proxy})
  if(NOT output MATCHES "does not answer" OR output MATCHES "${another}|No matching distribution")
    message(FATAL_ERROR "proxy ${proxy}: expected that no source answers:\n${output}")
  endif()
endforeach()
set_up(PIP_NO_INDEX=1)
if(NOT output MATCHES "${another}" OR output MATCHES "does not answer")
  message(FATAL_ERROR "without an index: expected a try for another Python:\n${output}")
endif()
