#!/usr/bin/env python3
"""Writes docs/results.md from the recorded results in benchmarks/results.

  benchmarks/report.py            writes the page
  benchmarks/report.py --check    fails when the page is not what the results give
"""

import functools
import math
import string
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import common  # noqa: E402
from quality.rows import ROWS  # noqa: E402
from quality_summary import RULE, result_path, summary  # noqa: E402

PAGE = common.ROOT / "docs" / "results.md"


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows), ""]


def measurements():
    """All that was recorded with day, commit and machine; a file may hold several."""
    for path in sorted(common.PUBLISHED_RESULTS.rglob("*.json")):
        record = common.read_json(path, {})
        yield from record.get("cells") or record.get("seeds", {}).values() or [record]


def machine_of(record):
    return (f"{record['cores']} cores of {record['cpu']}, {record['memory_gib']} GiB, no GPU; LibTorch "
            f"{record['libtorch']}")


@functools.cache
def machines():
    """Each machine that something was measured on, and the letter that stands for it."""
    return dict(zip(sorted({machine_of(record) for record in measurements()}), string.ascii_uppercase))


def measured_at(*records):
    """Day, commit and machine, each such triple once."""
    return "; ".join(dict.fromkeys(f"{r['date']}, {r['commit']}, {machines()[machine_of(r)]}" for r in records))


def quality():
    lines = ["## Published quality", "",
             "Each model is trained from its file in `configs/` and evaluated on the test split; early stopping "
             f"looks at the validation split alone. Reproduced: {RULE}. `benchmarks/quality/run ROW --data DIR`", ""]
    rows = []
    for row in ROWS:
        record = common.read_json(result_path(common.PUBLISHED_RESULTS, row), {})
        seeds = record.get("seeds", {})
        if not seeds:
            rows.append([f"`{row.name}`", "not measured yet", "", "", "", "", ""])
            continue
        names = list(row.published)
        outcome = summary(row, record)
        means = {n: sum(s["metrics"][n] for s in seeds.values()) / len(seeds) for n in names}
        spread = " / ".join(f"{min(s['metrics'][n] for s in seeds.values()):.4f}-"
                            f"{max(s['metrics'][n] for s in seeds.values()):.4f}" for n in names)
        minutes = sum(s["train_seconds"] for s in seeds.values()) / len(seeds) / 60
        rows.append([
            f"`{row.name}`", " / ".join(f"{row.labels[n]} {means[n]:.4f}" for n in names),
            " / ".join(f"{float(v):.4f}" for v in row.published.values()) + f" ({row.source})",
            ("yes" if outcome["reproduced"] else "no") if outcome else f"{len(seeds)} of {len(row.seeds)} seeds",
            f"{', '.join(sorted(seeds, key=int))}" + (f": {spread}" if len(seeds) > 1 else ""),
            f"{minutes:.1f} min", measured_at(*(seeds[s] for s in sorted(seeds, key=int)))])
    return lines + table(["row", "measured", "published", "reproduced", "seeds: range", "training, per seed",
                          "measured at"], rows)


def peers():
    lines = ["## Beside other programs", "",
             "Both sides take turns on the same machine, each with two threads and its own best settings; the median "
             "of the rounds counts, and a row counts only where reckon's quality is at least 0.99 of the peer's. "
             "`benchmarks/peers/run ROW --data DIR`", ""]
    rows = []
    for path in sorted((common.PUBLISHED_RESULTS / "peers").glob("*.json")):
        record = common.read_json(path, {})
        sides = record["seconds"]

        def shown(side, sides=sides):
            value = sides[side]
            return f"{value['median']:.2f} s ({value['min']:.2f}-{value['max']:.2f})"
        if record["peer"] is None:
            rows.append([f"`{record['row']}`", record["work"], shown("reckon"), "",
                         f"at most {record['at_most']:.0f} s", record["note"], "", measured_at(record)])
            continue

        def memory(record):
            peaks = record.get("peak_bytes")
            return f"{peaks['reckon'] / 2**30:.2f} beside {peaks[record['peer']] / 2**30:.2f} GiB" if peaks else ""
        # What both sides measured, in the peer's order: each lists its metrics as it likes.
        names = list(record["quality"][record["peer"]])
        both = {side: " / ".join(f"{q[n]:.4f}" for n in names) for side, q in record["quality"].items()}
        rows.append([f"`{record['row']}`", record["work"], shown("reckon"),
                     f"{record['peer']} {shown(record['peer'])}",
                     f"**{record['ratio']:.2f}** (wanted {record['wanted_ratio']})" if record["as_good"]
                     else f"{record['ratio']:.2f}, does not count: quality below the peer's",
                     f"{', '.join(names)}: {both['reckon']} beside {both[record['peer']]}", memory(record),
                     measured_at(record)])
    return lines + table(["row", "work", "reckon", "peer", "ratio", "quality", "peak memory", "measured at"], rows)


def micro():
    record = common.read_json(common.PUBLISHED_RESULTS / "micro.json", {})
    if not record:
        return []
    limits = record["limits"]
    lines = ["## Kernels and the machine's limits", "",
             f"Measured in the same process, with {limits['threads']} threads and {limits['simd']}: "
             f"{float(limits['limit_gflops']):.0f} GFLOP/s of a float32 product of 2048 squared, "
             f"{float(limits['limit_read_gb']):.1f} GB/s read front to back, "
             f"{float(limits['limit_gather_gb']):.1f} GB/s of rows of 256 bytes anywhere. The limit of a kernel is the "
             "time that its least work takes at these rates; small working sets lie in a cache, so that a share may "
             f"exceed one. `benchmarks/micro/run`, {measured_at(record)}", ""]
    rows = [[f"`{k['name']}`", f"{k['time']:.3g} {k['unit']}", f"{k['limit_ms']:.3g} ms", f"{k['of_limit']:.2f}"]
            for k in record["kernels"]]
    return lines + table(["kernel", "time", "limit", "share of the limit"], rows)


def data():
    record = common.read_json(common.PUBLISHED_RESULTS / "data.json", {})
    if not record:
        return []
    lines = ["## From a file to the cache", "",
             "`reckon prepare`, whole process without a cache, on made power-law interactions. "
             f"`benchmarks/data/run`, {measured_at(record)}", ""]
    rows = [[f"{r['millions']} M", r["format"], f"{r['seconds']:.2f} s",
             f"{r['seconds'] / r['millions']:.2f} s", f"{r['peak_bytes'] / 2**30:.2f} GiB"] for r in record["rows"]]
    return lines + table(["interactions", "format", "time", "per million", "peak memory"], rows)


def exponent(points):
    """Of the power law through (size, cost) by least squares of the logarithms; None for fewer than two sizes."""
    if len({size for size, _ in points}) < 2:
        return None
    logs = [(math.log(size), math.log(cost)) for size, cost in points]
    x_mean, y_mean = (sum(values) / len(logs) for values in zip(*logs))
    return sum((x - x_mean) * (y - y_mean) for x, y in logs) / sum((x - x_mean) ** 2 for x, _ in logs)


def scaling():
    cells = common.read_json(common.PUBLISHED_RESULTS / "scaling.json", {}).get("cells", [])
    if not cells:
        return []
    lines = ["## How costs grow with the data", "",
             "Seconds of one epoch, iteration or fit of `reckon train`, and peak memory of the whole process, on made "
             "power-law interactions, nothing held out. What learns in steps is measured over its first ones and "
             "scaled to an epoch by targets per second. `n^x`: the power of the number of interactions through the "
             "row's times, by least squares. `benchmarks/scaling/run`", ""]
    sizes = sorted({c["millions"] for c in cells})
    rows = []
    for model in dict.fromkeys(c["model"] for c in cells):
        own = {c["millions"]: c for c in cells if c["model"] == model}
        grows = exponent([(c["interactions"], c["seconds"]) for c in own.values()])
        rows.append([f"`{model}`", next(iter(own.values()))["unit"],
                     *(f"{own[m]['seconds']:.3g} s, {own[m]['peak_bytes'] / 2**30:.2f} GiB" if m in own else ""
                       for m in sizes),
                     "" if grows is None else f"n^{grows:.2f}",
                     measured_at(*own.values())])
    return lines + table(["model", "of one", *(f"{m} M" for m in sizes), "grows as", "measured at"], rows)


def best_trial(trials):
    return max((t for t in trials if t["value"] is not None), key=lambda t: t["value"], default=None)


def difference(comparison, metric, place):
    """One run minus the baseline; `place` counts the runs behind it."""
    one = [d for d in comparison["differences"] if d["metric"] == metric][place]
    low, high = one["interval"]
    return f"{one['mean']:+.4f} [{low:+.4f}, {high:+.4f}], p {one['adjusted_p']:.3f}"


INTERVALS = "Brackets are 95 % intervals of paired differences, p values are corrected by Holm."


def seeds_of(record):
    count = len(record["training_seeds"])
    return f"{count} seed{'s' if count > 1 else ''}"


def mean_metrics(run):
    return " / ".join(f"{name} {facts['mean']:.4f}" for name, facts in run["metrics"].items())


def best_values(model):
    best = best_trial(model["trials"])
    return ", ".join(f"{path.rsplit('.', 1)[-1]} {value}" for path, value in best["values"].items()) if best else ""


def knowledge():
    record = common.read_json(common.PUBLISHED_RESULTS / "knowledge.json", {})
    if not record:
        return []
    metric = record["metric"]
    lines = ["## What a knowledge graph is worth", "",
             f"{record['data']}. Each model had {record['trials']} trials over learning rate, l2 and dropout on the "
             f"validation part, at most {record['epochs']} epochs each; the best was trained with {seeds_of(record)}, "
             "whose mean for each user is compared. In a shuffled graph the facts "
             "of each relation have changed their tails: every node has as many edges as before, and they say nothing. "
             f"{INTERVALS} `benchmarks/knowledge/run --data DIR`, {measured_at(record)}", ""]
    all_runs = record["beside_baseline"]
    rows = []
    for place, (model, run) in enumerate(zip(record["models"], all_runs["runs"])):
        own = record["beside_shuffled"].get(model["name"])
        rows.append([f"`{model['model']}`" + (", shuffled" if model["shuffled"] else ""),
                     mean_metrics(run),
                     difference(all_runs, metric, place - 1) if place else "",
                     difference(own, metric, 0) if own else "", best_values(model)])
    head = ["model", "test part", f"{metric} minus {record['models'][0]['model']}",
            f"{metric} minus itself with shuffled facts", "best of the trials"]
    return lines + table(head, rows)


def contrastive():
    record = common.read_json(common.PUBLISHED_RESULTS / "contrastive.json", {})
    if not record:
        return []
    metric = record["metric"]
    lines = ["## What agreement between views is worth", "",
             f"{record['data']}. Each model had {record['trials']} trials of {record['epochs']} epochs over learning rate, l2 and "
             "what is its own (edges left out, the weight of agreement), judged on a tenth of train that was held out; the "
             f"best was trained on all of train with {seeds_of(record)}, whose mean for each "
             f"user is compared. {INTERVALS} `benchmarks/contrastive/run --data DIR`, {measured_at(record)}", ""]
    rows = [[f"`{model['name']}`", mean_metrics(run),
             difference(record["beside_baseline"], metric, place - 1) if place else "", best_values(model)]
            for place, (model, run) in enumerate(zip(record["models"], record["beside_baseline"]["runs"]))]
    head = ["model", "test part", f"{metric} minus {record['models'][0]['name']}", "best of the trials"]
    return lines + table(head, rows)


def friends():
    record = common.read_json(common.PUBLISHED_RESULTS / "friends.json", {})
    if not record:
        return []
    lines = ["## Friends", "",
             f"{record['data']}. Means of {seeds_of(record)}; brackets are 95 % intervals of "
             "paired differences, p values are corrected by Holm. `benchmarks/friends/run --data DIR --models "
             f"{' '.join(record['models'])}`, {measured_at(record)}", ""]
    rows = []
    for place, (model, run) in enumerate(zip(record["models"], record["compared"]["runs"])):
        rows.append([f"`{model}`", *(f"{run['metrics'][m]['mean']:.4f}" for m in record["metrics"]),
                     *(difference(record["compared"], m, place - 1) if place else "" for m in ("recall@20", "auc"))])
    first = record["models"][0]
    return lines + table(["model", *record["metrics"], f"recall@20 minus {first}", f"auc minus {first}"], rows)


def reranking():
    record = common.read_json(common.PUBLISHED_RESULTS / "reranking.json", {})
    if not record:
        return []
    names = list(record["ways"][0]["metrics"])
    lines = ["## Re-ranking", "",
             f"One model, `{record['config']}`, trained once; its lists as they are and re-ranked, on the test part. "
             f"`benchmarks/reranking/run --data DIR`, {measured_at(record)}", ""]
    rows = [["as the model ranks" if way["reranking"] is None else f"`{way['reranking']}`",
             *(f"{way['metrics'][name]:.4f}" for name in names)] for way in record["ways"]]
    return lines + table(["`evaluation.reranking`", *names], rows)


def page():
    lines = ["# Results", "",
             "Generated by `benchmarks/report.py` from the files in `benchmarks/results`; a test holds it current. "
             "Every figure says on which day, at which commit and on which machine it was measured.", "",
             *(f"- {letter}: {machine}." for machine, letter in machines().items()), ""]
    parts = [quality, peers, friends, knowledge, contrastive, reranking, micro, data, scaling, notes]
    return "\n".join(lines + [line for part in parts for line in part()]).rstrip() + "\n"


def notes():
    path = common.ROOT / "benchmarks" / "notes.md"
    return [path.read_text()] if path.exists() else []


def main():
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != page():
            raise common.Failure("docs/results.md is not what benchmarks/results gives: run benchmarks/report.py")
        return 0
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    common.main(main)
