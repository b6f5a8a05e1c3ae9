#!/usr/bin/env bash
# Brings what reckon is built from: Debian packages, and LibTorch and Arrow in .deps/.
# May be run again at any time: what is there already is left alone.
#
#   scripts/setup.sh             all, with what tests, lint and benchmarks need
#   scripts/setup.sh --program   only what the program `reckon` needs
#
# CMAKE_PREFIX_PATH, Torch_DIR or Arrow_ROOT may name a LibTorch and an Arrow: what CMake finds by itself is
# used, before what .deps/ has.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
deps=$root/.deps
source "$root/scripts/versions.env"

say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: error: %s\n' "$1" >&2
  shift
  [ $# -eq 0 ] || printf '    %s\n' "$@" >&2
  exit 1
}

packages=$APT_BUILD
case "${1-}" in
  --program) ;;
  "") packages="$packages $APT_TEST" ;;
  *) fail "unknown option '$1': there is --program only" ;;
esac

# ---- Debian packages ----------------------------------------------------------------------------

is_installed() {
  case "$1" in
    cmake) command -v cmake > /dev/null && return ;;
    ninja-build) command -v ninja > /dev/null && return ;;
    python3-pip) python3 -m pip --version > /dev/null 2>&1 && return ;;
  esac
  [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null)" = installed ]
}

install_packages() {
  command -v dpkg-query > /dev/null ||
    fail "this system has no Debian packages. Install by hand what provides:" $packages
  local missing=()
  for package in $packages; do
    is_installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then
    say "Debian packages: all there"
    return
  fi
  say "Debian packages: installing ${missing[*]}"
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null ||
      fail "packages are missing and there is no sudo. As root, run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  local options=(-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=8 -o Acquire::https::Timeout=8)
  "${as_root[@]}" apt-get "${options[@]}" -o APT::Update::Error-Mode=any update ||
    say "the package lists could not be refreshed (does the source of packages answer?); going on with those there are"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -y \
    --no-install-recommends "${missing[@]}" ||
    fail "apt-get could not install them. Run it by hand to see why: apt-get install ${missing[*]}"
}

# ---- LibTorch and Arrow -------------------------------------------------------------------------

scratch=
clean_up() { [ -z "$scratch" ] || rm -rf "$scratch"; }
trap clean_up EXIT

# cmake_finds CMAKE-LINE: whether CMake finds a package outside .deps/ by the line that the build has for it;
# prints where and, on the next line, what it says of one that does not serve.
cmake_finds() {
  local probe
  probe=$(mktemp -d)
  cat > "$probe/CMakeLists.txt" << END
cmake_minimum_required(VERSION 3.22)
project(probe LANGUAGES C CXX)
list(APPEND CMAKE_MODULE_PATH "$root/cmake")
set(RECKON_DEPS "$probe/none")
$1
file(WRITE "$probe/found" "\${TORCH_INSTALL_PREFIX}\${Arrow_LIBRARY}")
END
  cmake -S "$probe" -B "$probe/build" > "$probe/log" 2>&1 || true
  local status=1
  if [ -f "$probe/found" ]; then
    cat "$probe/found"
    status=0
  else
    sed -n 's/.*\(\(LibTorch\|Arrow\) at .* is not used\)/\1/p; s/.*: \(.* is too old or not whole\).*/Arrow at \1/p' "$probe/log" | head -n 1
  fi
  rm -rf "$probe"
  return $status
}

# pip_install TARGET ARGUMENT...: a source that does not answer is given up after seconds.
pip_install() {
  local target=$1
  shift
  PIP_USER=0 PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1 \
    python3 -m pip install --timeout 8 --retries 1 --no-deps --only-binary=:all: --no-compile \
    --target "$target" "$@" 2> "$scratch/errors"
}

# What pip says when a source cannot be reached, in its versions: a connection refused, broken or too slow,
# a proxy that is dead or refuses, a name that does not resolve, a certificate that is not trusted.
no_answer='connection broken|NewConnectionError|ConnectionError|ProxyError|SSLError|Max retries'
no_answer+='|timed out|Could not fetch URL|Name or service not known|Temporary failure in name'

# fetch_wheel FOLDER CHECK REQUIREMENT [PIP-OPTION...]: installs into a folder beside, looks for the
# file CHECK there, then renames: an interrupted run leaves nothing half-made.
fetch_wheel() {
  local folder=$deps/$1 check=$2 requirement=$3
  shift 3
  rm -rf "$deps"/.partial.*
  scratch=$(mktemp -d "$deps/.partial.XXXXXX")
  local python=()
  until pip_install "$scratch/wheels" "${python[@]}" "$requirement" "$@"; do
    # "No matching distribution", which pip says then too, would mislead.
    if grep -qE "$no_answer" "$scratch/errors"; then
      say "  a source does not answer ($(grep -oE "$no_answer" "$scratch/errors" | tail -n 1))"
      return 1
    fi
    sed -n 's/^ERROR: /setup:   /p' "$scratch/errors" | tail -n 2
    [ ${#python[@]} -eq 0 ] || return 1
    say "perhaps there is none for this Python; trying the one for Python $WHEEL_PYTHON"
    python=("--python-version=$WHEEL_PYTHON")
  done
  [ -e "$scratch/wheels/$check" ] || fail "the wheel $requirement is not the one asked for: it has no $check"
  if [ "${folder##*/}" = libtorch ]; then
    # Only the tests in Python import torch, which needs this; they are left out without it.
    pip_install "$scratch/wheels" "typing_extensions==$TYPING_EXTENSIONS_VERSION" ||
      pip_install "$scratch/wheels" typing_extensions "$@" ||
      say "typing_extensions could not be fetched: the tests in Python will be left out"
  fi
  rm -rf "$folder"
  mv "$scratch/wheels" "$folder"
  rm -rf "$scratch"
}

set_up_libtorch() {
  local version=$TORCH_VERSION+$TORCH_BUILD
  local check=torch-$version.dist-info
  local found
  if found=$(cmake_finds "include(ReckonTorch)"); then
    say "LibTorch: CMake finds one in $found"
    return
  fi
  [ -z "$found" ] || say "$found"
  if [ -e "$deps/libtorch/$check" ]; then
    say "LibTorch $version: there, in .deps/libtorch"
    return
  fi
  say "LibTorch $version: from pip's own sources (about 200 MB)"
  if fetch_wheel libtorch "$check" "torch==$version"; then return; fi
  say "LibTorch $version: from PyTorch's index of CPU wheels"
  if fetch_wheel libtorch "$check" "torch==$version" \
    --index-url https://download.pytorch.org/whl/cpu; then return; fi
  fail "LibTorch $version could not be fetched: none of the sources has it or answers." \
    "By hand, either put the wheel torch-$version (CPU, Linux) into a folder F and run" \
    "  PIP_FIND_LINKS=F scripts/setup.sh" \
    "or unpack any LibTorch from 2.12 on into a folder F and run, here and before cmake," \
    "  export CMAKE_PREFIX_PATH=F"
}

set_up_arrow() {
  local check=pyarrow-$PYARROW_VERSION.dist-info
  local found
  if found=$(cmake_finds "find_package(Arrow REQUIRED)"); then
    say "Arrow: CMake finds one, $found"
    return
  fi
  [ -z "$found" ] || say "$found"
  if [ -e "$deps/pyarrow/$check" ]; then
    say "Arrow $PYARROW_VERSION: there, in .deps/pyarrow"
    return
  fi
  say "Arrow $PYARROW_VERSION: the pyarrow wheel from pip's own sources (about 50 MB)"
  if fetch_wheel pyarrow "$check" "pyarrow==$PYARROW_VERSION"; then return; fi
  fail "Arrow $PYARROW_VERSION could not be fetched: pip's sources do not have it or do not answer." \
    "By hand, either put the wheel pyarrow-$PYARROW_VERSION (Linux) into a folder F and run" \
    "  PIP_FIND_LINKS=F scripts/setup.sh" \
    "or install Arrow C++ with Parquet (packages libarrow-dev and libparquet-dev)."
}

install_packages
mkdir -p "$deps"
set_up_libtorch
set_up_arrow
# Under sudo the folder belongs to the person, not to root.
if [ "$(id -u)" -eq 0 ] && [ -n "${SUDO_UID-}" ]; then chown -R "$SUDO_UID:${SUDO_GID-$SUDO_UID}" "$deps"; fi
say "ready"
