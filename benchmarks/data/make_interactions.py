"""Interactions with power-law users and items, as .tsv and .parquet: MILLIONS FOLDER."""

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet


def power_law(generator, size, count, exponent):
    """Ids below `count`; id i comes in proportion to (i + 10) ** -exponent, under a shuffled name."""
    weights = (np.arange(count) + 10.0) ** -exponent
    drawn = np.searchsorted(np.cumsum(weights / weights.sum()), generator.random(size)).clip(0, count - 1)
    return generator.permutation(count)[drawn]


def main():
    millions, folder = int(sys.argv[1]), Path(sys.argv[2])
    size = millions * 1_000_000
    generator = np.random.default_rng(1)
    table = pa.table({
        "user": power_law(generator, size, max(1000, size // 50), 0.6),
        "item": power_law(generator, size, max(1000, min(size // 100, 200_000)), 0.9),
        "timestamp": generator.integers(1_500_000_000, 1_600_000_000, size),
    })
    with open(folder / "interactions.tsv", "wb") as text:
        text.write(("\t".join(table.column_names) + "\n").encode())  # Arrow would put it in quotes
        pyarrow.csv.write_csv(table, text, pyarrow.csv.WriteOptions(include_header=False, delimiter="\t"))
    pyarrow.parquet.write_table(table, folder / "interactions.parquet")


main()
