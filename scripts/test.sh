#!/usr/bin/env bash
# Set-up, Release build of everything, all tests.
#
#   scripts/test.sh                all of it
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
say() { printf '\ntest: %s (%d min %02d s)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)); }

passed=0
failed=0

# run_ctest PRESET: adds what ctest counts to the totals.
run_ctest() {
  local log=build/$1/ctest.log status=0
  ctest --test-dir "build/$1" --output-on-failure -j2 2>&1 | tee "$log" || status=$?
  local line bad=0 all=0
  line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests? failed out of [0-9]+' "$log" | tail -n 1 || true)
  if [[ $line =~ passed,\ ([0-9]+)\ tests?\ failed\ out\ of\ ([0-9]+) ]]; then
    bad=${BASH_REMATCH[1]}
    all=${BASH_REMATCH[2]}
  fi
  # No summary, no tests or an exit code of its own: something went wrong beside the tests.
  if [ "$all" -eq 0 ] || { [ $status -ne 0 ] && [ "$bad" -eq 0 ]; }; then bad=$((bad + 1)); all=$((all + 1)); fi
  passed=$((passed + all - bad))
  failed=$((failed + bad))
}

build() {
  cmake --preset "$1"
  cmake --build --preset "$1"
}

scripts/setup.sh

say "Release build"
build release
say "tests"
run_ctest release


say "done"
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
