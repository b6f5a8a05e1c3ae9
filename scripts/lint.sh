#!/usr/bin/env bash
# clang-tidy on the .cpp files that differ from a commit (25 s a file with LibTorch's headers).
#   scripts/lint.sh [COMMIT]    HEAD when left out; `scripts/lint.sh main~5` for the last commits
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/versions.env"
cd "$root"
mapfile -t files < <({ git diff --name-only --diff-filter=d "${1-HEAD}"; git ls-files --others --exclude-standard; } |
  grep '\.cpp$' | sort -u)
if [ ${#files[@]} -eq 0 ]; then
  echo "lint: no .cpp file differs from ${1-HEAD}"
  exit 0
fi
# GCC's precompiled header says nothing to clang.
commands=build/lint
mkdir -p "$commands"
cmake --preset release > /dev/null
sed -E 's/ -include [^ ]*cmake_pch\.hxx//; s/-Winvalid-pch//' build/release/compile_commands.json > "$commands/compile_commands.json"
printf '%s\n' "${files[@]}" | xargs -P 2 -n 1 "clang-tidy-$CLANG_MAJOR" -p "$commands" --quiet
