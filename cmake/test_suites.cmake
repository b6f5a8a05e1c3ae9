# Lists the suites of a GoogleTest program for ctest: one ctest test each. A process for each sentence, as
# gtest_discover_tests does it, would load LibTorch a thousand times.
#
#   cmake -D PROGRAM=path -D OUTPUT=file -D ENVIRONMENT=list -D TIMEOUT=seconds -P test_suites.cmake
execute_process(COMMAND ${CMAKE_COMMAND} -E env ${ENVIRONMENT} ${PROGRAM} --gtest_list_tests
                OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" lines "${listing}")
set(text "")
foreach(line IN LISTS lines)
  # `Suite.` or `Made/Suite/0.  # TypeParam = ...`; the tests below it are indented.
  if(line MATCHES "^([A-Za-z0-9_/]+)\\.( |$)")
    set(suite "${CMAKE_MATCH_1}")
    string(APPEND text "add_test([=[${suite}]=] [=[${PROGRAM}]=] [=[--gtest_filter=${suite}.*]=] --gtest_brief=1)\n"
                       "set_tests_properties([=[${suite}]=] PROPERTIES TIMEOUT ${TIMEOUT} "
                       "ENVIRONMENT [=[${ENVIRONMENT}]=])\n")
  endif()
endforeach()
if(text STREQUAL "")
  message(FATAL_ERROR "${PROGRAM} lists no tests")
endif()
file(WRITE ${OUTPUT} "${text}")
