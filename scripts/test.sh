#!/usr/bin/env bash
# Set-up, Release build of everything, all tests; then core, kernels and datasets once more, file by file, under
# ASan and UBSan, and each fuzzer for some seconds. Ends with how many passed; fails when anything does.
#
#   scripts/test.sh                all of it
#   FUZZ_SECONDS=60 scripts/test.sh    searches longer with each fuzzer (5 s without)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
say() { printf '\ntest: %s (%d min %02d s)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)); }

passed=0
failed=0

# run_ctest PRESET: adds what ctest counts to the totals. The counts come from its JUnit file, since the
# wording of the summary differs between versions of CMake.
run_ctest() {
  local report=build/$1/ctest.xml status=0 all=0 bad=0
  rm -f "$report"
  ctest --test-dir "build/$1" --output-on-failure -j2 --output-junit ctest.xml || status=$?
  if [ -f "$report" ]; then
    all=$(junit_count tests "$report")
    bad=$(junit_count failures "$report")
  fi
  # No report, no tests or an exit code of its own: something went wrong beside the tests.
  if [ "$all" -eq 0 ] || { [ $status -ne 0 ] && [ "$bad" -eq 0 ]; }; then bad=$((bad + 1)); all=$((all + 1)); fi
  passed=$((passed + all - bad))
  failed=$((failed + bad))
}

# junit_count ATTRIBUTE FILE: that number in the head of the report.
junit_count() { { grep -o -m1 -E "(^|[[:space:]])$1=\"[0-9]+\"" "$2" || echo 0; } | grep -o -m1 -E "[0-9]+"; }

build() {
  cmake --preset "$1"
  cmake --build --preset "$1"
}

scripts/setup.sh

say "Release build"
build release
say "tests"
run_ctest release

say "build of core, kernels and datasets under ASan and UBSan"
build sanitize
say "their tests under ASan and UBSan"
run_ctest sanitize

export ASAN_OPTIONS=detect_container_overflow=0 UBSAN_OPTIONS=print_stacktrace=1
for fuzzer in build/sanitize/bin/*_fuzz; do
  name=$(basename "$fuzzer" _fuzz)
  say "fuzzing $name for ${FUZZ_SECONDS:-5} s"
  found=build/sanitize/fuzz/$name
  mkdir -p "$found"
  # New inputs go to the first folder; the committed ones are only read.
  if "$fuzzer" -max_total_time="${FUZZ_SECONDS:-5}" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="$found-" "$found" "tests/fuzz/corpus/$name" > "$found.log" 2>&1; then
    grep -E 'number_of_executed_units' "$found.log"
    passed=$((passed + 1))
  else
    tail -n 60 "$found.log"
    failed=$((failed + 1))
  fi
done

say "done"
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
