#!/usr/bin/env bash
# From nothing to recommendations: set-up, a build of `reckon` alone, then ordinary commands, each echoed,
# so that this script is also the tutorial.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

scripts/setup.sh --program
cmake --preset release -DRECKON_BUILD_TESTS=OFF -DRECKON_BUILD_BENCHMARKS=OFF
cmake --build --preset release --target reckon
export PATH="$root/build/release/bin:$PATH"

run() {
  printf '\n$'
  printf ' %q' "$@"
  printf '\n'
  "$@"
}

run reckon data fetch ml-100k
run reckon prepare configs/sasrec_softmax/ml-100k.yaml
for model in popularity bpr_mf sasrec_softmax; do
  run reckon train "configs/$model/ml-100k.yaml" --run "runs/quickstart/$model" --force
done
run reckon evaluate runs/quickstart/sasrec_softmax
run reckon compare runs/quickstart/popularity runs/quickstart/bpr_mf runs/quickstart/sasrec_softmax
run reckon compare runs/quickstart/bpr_mf runs/quickstart/sasrec_softmax
run reckon export runs/quickstart/sasrec_softmax --output runs/quickstart/model.pt
run reckon inspect runs/quickstart/model.pt
run reckon recommend runs/quickstart/model.pt --user 196 --exclude-seen
run reckon recommend runs/quickstart/model.pt --history 50,181,172 --exclude-seen
