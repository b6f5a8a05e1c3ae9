# Lists the suites of a GoogleTest program for ctest: one ctest test each, and of a suite with very many sentences
# one for every fifty, so that none of them keeps a core busy alone at the end. A process for each sentence, as
# gtest_discover_tests does it, would load LibTorch a thousand times.
#
#   cmake -D PROGRAM=path -D OUTPUT=file -D ENVIRONMENT=list -D TIMEOUT=seconds -P test_suites.cmake
execute_process(COMMAND ${CMAKE_COMMAND} -E env ${ENVIRONMENT} ${PROGRAM} --gtest_list_tests
                OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" lines "${listing}")
set(text "")

# list_part(NAME ENVIRONMENT): one test of ctest over `suite`.
function(list_part name environment)
  set(text "${text}add_test([=[${name}]=] [=[${PROGRAM}]=] [=[--gtest_filter=${suite}.*]=] --gtest_brief=1)\n\
set_tests_properties([=[${name}]=] PROPERTIES TIMEOUT ${TIMEOUT} ENVIRONMENT [=[${environment}]=])\n" PARENT_SCOPE)
endfunction()

# list_suite(): what was read of `suite`, which has `sentences` tests.
macro(list_suite)
  math(EXPR parts "(${sentences} + 49) / 50")
  if(parts EQUAL 1)
    list_part("${suite}" "${ENVIRONMENT}")
  elseif(parts GREATER 1)
    math(EXPR last "${parts} - 1")
    foreach(part RANGE ${last})
      math(EXPR number "${part} + 1")
      set(variables ${ENVIRONMENT} GTEST_TOTAL_SHARDS=${parts} GTEST_SHARD_INDEX=${part})
      list_part("${suite}:${number}of${parts}" "${variables}")
    endforeach()
  endif()
endmacro()

set(suite "")
set(sentences 0)
foreach(line IN LISTS lines)
  # `Suite.` or `Made/Suite/0.  # TypeParam = ...`; the tests below it are indented.
  if(line MATCHES "^([A-Za-z0-9_/]+)\\.( |$)")
    set(found "${CMAKE_MATCH_1}")
    list_suite()
    set(suite "${found}")
    set(sentences 0)
  elseif(line MATCHES "^  [A-Za-z0-9_]")
    math(EXPR sentences "${sentences} + 1")
  endif()
endforeach()
list_suite()
if(text STREQUAL "")
  message(FATAL_ERROR "${PROGRAM} lists no tests")
endif()
file(WRITE ${OUTPUT} "${text}")
