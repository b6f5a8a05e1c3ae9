#!/usr/bin/env bash
# Formats our C++ by .clang-format.   scripts/format.sh [--check] [FILE...]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
source "$root/scripts/versions.env"
cd "$root"
options=(-i)
if [ "${1-}" = --check ]; then
  options=(--dry-run --Werror)
  shift
fi
if [ $# -gt 0 ]; then files=("$@"); else mapfile -t files < <(git ls-files '*.h' '*.cpp'); fi
exec "clang-format-$CLANG_MAJOR" "${options[@]}" "${files[@]}"
