#!/usr/bin/env bash
# From nothing to recommendations: set-up, a build of `reckon` alone, then ordinary commands, each echoed,
# so that this script is also the tutorial. A line that begins with $ may be copied and run again.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

# run COMMAND...: shows it as one types it, quoted only where a shell needs that, and runs it.
run() {
  local word
  printf '\n$'
  for word in "$@"; do
    if [[ $word =~ ^[A-Za-z0-9_./,:=+-]+$ ]]; then printf ' %s' "$word"; else printf ' %q' "$word"; fi
  done
  printf '\n'
  "$@"
}
took() { printf '\nquickstart: %s (%d min %02d s so far)\n' "$*" $((SECONDS / 60)) $((SECONDS % 60)); }

run scripts/setup.sh --program
took "set up"
run cmake --preset program
run cmake --build --preset program
took "built"

# Unlike %q, this leaves what a shell expands.
printf '\n$ cd %q\n$ export PATH="$PWD/build/program/bin:$PATH"\n' "$root"
export PATH="$PWD/build/program/bin:$PATH"

run reckon data fetch ml-100k
run reckon prepare configs/sasrec_softmax/ml-100k.yaml
for model in popularity bpr_mf sasrec_softmax; do
  run reckon train "configs/$model/ml-100k.yaml" --run "runs/quickstart/$model" --force
done
took "trained"
run reckon evaluate runs/quickstart/sasrec_softmax
run reckon compare runs/quickstart/popularity runs/quickstart/bpr_mf runs/quickstart/sasrec_softmax
run reckon compare runs/quickstart/bpr_mf runs/quickstart/sasrec_softmax
run reckon export runs/quickstart/sasrec_softmax --output runs/quickstart/model.pt
run reckon inspect runs/quickstart/model.pt
run reckon recommend runs/quickstart/model.pt --user 196 --exclude-seen
run reckon recommend runs/quickstart/model.pt --history 50,181,172 --exclude-seen
took "done"
