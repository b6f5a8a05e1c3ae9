#!/usr/bin/env python3
"""Writes the Douban matrices of Monti et al. as text files that configs/gc_mc/douban.yaml reads.

  pip install -r benchmarks/quality/requirements.txt
  python3 benchmarks/quality/convert_douban.py training_test_dataset.mat OUT

The file is MATLAB's format 7.3, which is HDF5: `M` the ratings, `Otraining` and `Otest` which of them are for
what, `W_users` who is a friend of whom. OUT gets train.tsv, test.tsv, users.tsv and items.tsv; users and items
are numbered from 1, in the order of rows and columns.
"""

import argparse
from pathlib import Path

import h5py
import numpy


def read_matrix(file, name):
    # MATLAB stores columns one after another, HDF5 rows.
    return numpy.asarray(file[name]).T


def write(path, head, lines):
    with open(path, "w", encoding="utf-8", newline="\n") as out:
        out.write("\t".join(head) + "\n")
        for line in lines:
            out.write("\t".join(map(str, line)) + "\n")


def ratings(matrix, mask):
    for user, item in zip(*numpy.nonzero(mask)):
        yield user + 1, item + 1, f"{matrix[user, item]:g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("matrices", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with h5py.File(args.matrices, "r") as file:
        matrix, train, test, friends = (read_matrix(file, name) for name in ("M", "Otraining", "Otest", "W_users"))
    head = ("user", "item", "rating")
    write(args.out / "train.tsv", head, ratings(matrix, train))
    write(args.out / "test.tsv", head, ratings(matrix, test))
    write(args.out / "users.tsv", ("user", "friends"),
          ((user + 1, "|".join(str(other + 1) for other in numpy.flatnonzero(row))) for user, row in enumerate(friends)))
    write(args.out / "items.tsv", ("item", "self"), ((item + 1, f"i{item + 1}") for item in range(matrix.shape[1])))


if __name__ == "__main__":
    main()
