"""What the recorded seeds of a row amount to; the quality runs and the report share it."""

from pathlib import Path

LEAST_SHARE = 0.98
MOST_ERROR = 0.003
RULE = ("figures that are counted, to the last printed digit; errors, at most "
        f"{MOST_ERROR} above the published value; else the mean of the seeds at least {LEAST_SHARE} of every published figure")


def result_path(results, row):
    return Path(results) / "quality" / (row.name.replace("/", "-") + ".json")


def _reproduces(row, mean, published):
    if row.exact:
        return f"{mean:.4f}".lstrip("0") == published
    if row.errors:
        return mean <= float(published) + MOST_ERROR
    return mean >= LEAST_SHARE * float(published)


def summary(row, record):
    """The mean of the recorded seeds of a row, and whether it reproduces what was published."""
    seeds = [record["seeds"][str(seed)] for seed in row.seeds if str(seed) in record.get("seeds", {})]
    if len(seeds) < len(row.seeds):
        return None
    means = {name: sum(s["metrics"][name] for s in seeds) / len(seeds) for name in row.published}
    reproduced = all(_reproduces(row, means[name], value) for name, value in row.published.items())
    return {"means": means, "reproduced": reproduced}


def closing_line(row, outcome):
    measured = " ".join(f"{row.labels[name]} {outcome['means'][name]:.4f}" for name in row.published)
    published = " ".join(f"{float(value):.4f}" for value in row.published.values())
    return f"{row.name}: {measured}, published {published}, reproduced: {'yes' if outcome['reproduced'] else 'no'}"
