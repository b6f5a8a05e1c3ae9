# Installs reckon, builds the consumer against it, and trains and exports a model with its own encoder.
#   cmake -D BINARY=build/release -D SOURCE=tests/consumer -D PREFIXES=... -D WORK=folder -P consumer.cmake
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})
function(run)
  execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE result
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGV " " command)
    message(FATAL_ERROR "${command}\nexit ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()
run(${CMAKE_COMMAND} --install ${BINARY} --prefix ${WORK}/prefix)
run(${WORK}/prefix/bin/reckon --version)
string(REPLACE "|" ";" prefixes "${PREFIXES}")
run(${CMAKE_COMMAND} -G Ninja -S ${SOURCE} -B ${WORK}/build -DCMAKE_BUILD_TYPE=Release
    "-DCMAKE_PREFIX_PATH=${WORK}/prefix;${prefixes}")
run(${CMAKE_COMMAND} --build ${WORK}/build)

set(lines "")
foreach(user RANGE 1 60)
  set(line "u${user}")
  foreach(step RANGE 1 8)
    math(EXPR item "(${user} * 3 + ${step} * 5) % 20")
    string(APPEND line " i${item}")
  endforeach()
  string(APPEND lines "${line}\n")
endforeach()
file(WRITE ${WORK}/sequences.txt "${lines}")
file(WRITE ${WORK}/experiment.yaml "
data:
  files: {interactions: {path: sequences.txt, format: sequences}}
  split: {type: leave_one_out}
model: {preset: sasrec, dim: 16, user: {history: {encoder: {type: decay, decay: 0.5}}}}
training: {epochs: 2}
")
run(${WORK}/build/consumer describe decay)
if(NOT output MATCHES "older items fade")
  message(FATAL_ERROR "describe does not know the encoder:\n${output}")
endif()
run(${WORK}/build/consumer train experiment.yaml --quiet --run run)
run(${WORK}/build/consumer export run --output model.pt)
run(${WORK}/prefix/bin/reckon recommend model.pt --history i1,i6 -k 3)
message(STATUS "built, trained, exported; the file is served by the installed reckon")
