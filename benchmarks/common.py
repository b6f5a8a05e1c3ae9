"""What the benchmark scripts share: running commands, facts of the machine, results as JSON."""

import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECKON = ROOT / "build" / "release" / "bin" / "reckon"
LOCAL_RESULTS = ROOT / "build" / "benchmarks" / "results"
PUBLISHED_RESULTS = ROOT / "benchmarks" / "results"
PEERS = ROOT / ".deps" / "peers"
PEERS_PYTHON = PEERS / "bin" / "python"


class Failure(Exception):
    """A sentence for the person who runs the benchmark."""


def main(function):
    """Runs a script's main function; a Failure becomes one line and exit code 1."""
    try:
        sys.exit(function() or 0)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: what was finished is recorded; the same command goes on", file=sys.stderr)
        sys.exit(130)


def clean_environment(**changes):
    """The environment without settings of other people's thread pools, which slow either side down."""
    kept = {k: v for k, v in os.environ.items() if not re.match(r"(OMP|OPENBLAS|MKL|GOMP|KMP)_", k)}
    kept.update({k: str(v) for k, v in changes.items()})
    return kept


def run(command, **options):
    """Runs a command and returns its standard output; its standard error is shown as it comes."""
    options.setdefault("env", clean_environment())
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise Failure(f"exit code {done.returncode} of: {' '.join(map(str, command))}\n{done.stdout[-2000:]}")
    return done.stdout


def need_reckon():
    if not RECKON.exists():
        raise Failure(f"{RECKON.relative_to(ROOT)} is not built: cmake --preset release && "
                      "cmake --build --preset release --target reckon")


def need_peers_python():
    if not PEERS_PYTHON.exists():
        raise Failure("the peers' Python is not there: benchmarks/peers/run --install")


def reckon(*arguments, **options):
    need_reckon()
    return run([RECKON, *arguments], cwd=ROOT, **options)


def setting(*overrides):
    return [word for override in overrides for word in ("--set", override)]


def trained(config, data, folder, *overrides):
    """Trains into a folder, or goes on with the run that lies there."""
    print(f"{folder.name}: {config}", file=sys.stderr)
    reckon("train", config, "--data", data, "--run", folder, *setting(*overrides),
           *(["--resume"] if folder.exists() else []))
    return folder


def tuned(config, data, folder, search, *overrides):
    """Searches as the part `tune` says, or goes on with the search that lies there: its best config, and all trials."""
    what = folder.with_name(folder.name + ".yaml")
    write_json(what, search)  # JSON is YAML too
    print(f"{folder.name}: {search['trials']} trials", file=sys.stderr)
    reckon("tune", config, "--data", data, "--search", what, "--run", folder, *setting(*overrides),
           *(["--resume"] if (folder / "search.json").exists() else []))
    records = read_json(folder / "search.json", {})["trials"]
    return folder / "best.yaml", [{**trial, "values": dict(trial["values"]), "metrics": dict(trial["metrics"])}
                                  for trial in records]


def of_seeds(seeds):
    return f"seeds=[{','.join(map(str, seeds))}]"


def compared(folders):
    return json.loads(reckon("compare", *folders, "--format", "json"))


def measured(command, **options):
    """Seconds and peak memory in bytes of a whole process."""
    options.setdefault("env", clean_environment())
    begin = time.perf_counter()
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True, **options)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise Failure(f"exit code {process.returncode} of: {' '.join(map(str, command))}\n{output[-2000:]}")
    return {"seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024, "output": output}


def data_folder(argument, name, file):
    """The folder of one data set, given either itself or the folder that holds all of them."""
    if argument is None:
        raise Failure("--data DIR is needed: the folder that holds the data sets, or this one alone")
    for folder in (Path(argument) / name, Path(argument)):
        if (folder / file).exists():
            return folder.resolve()
    raise Failure(f"no {name}/{file} under {argument}")


def _first_match(pattern, text, default):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else default


def provenance():
    """Where and with what a figure was measured."""
    cpu = _first_match(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), platform.machine())
    memory = int(_first_match(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), "0"))
    versions = dict(re.findall(r"^(\w+)=([\w.]+)$", (ROOT / "scripts/versions.env").read_text(), re.MULTILINE))
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit(),
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory / 2**20, 1),
        "libtorch": versions.get("TORCH_VERSION", "?"),
    }


def commit():
    def git(*arguments):
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""
    name = git("rev-parse", "--short=10", "HEAD") or "unknown"
    # Results and pages are outcomes: they change nothing that is measured.
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results", ":!docs")
    return name + ("+changes" if changed else "")


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def write_json(path, value):
    """Written beside and renamed, so that an interrupted run leaves the file before it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, indent=1) + "\n")
    partial.replace(path)


def read_json(path, default):
    path = Path(path)
    return json.loads(path.read_text()) if path.exists() else default


def add_work_option(parser, name):
    # Resolved: reckon runs in the root of the project, whoever calls from elsewhere.
    parser.add_argument("--work", type=lambda path: Path(path).resolve(), default=ROOT / "build" / "benchmarks" / name,
                        metavar="DIR", help=f"where runs lie (default: build/benchmarks/{name})")


def add_seeds_option(parser):
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the runs (default: 1 2 3)")


def add_results_option(parser):
    parser.add_argument("--results", type=Path, default=LOCAL_RESULTS, metavar="DIR",
                        help="where results are recorded (default: build/benchmarks/results; what is "
                             "published in docs/results.md stands in benchmarks/results)")
