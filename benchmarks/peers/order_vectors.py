"""Vectors by raw id (a number), as reckon writes them to .tsv, into .npy with row = raw id.

Prints how many rows there are. An id without a vector gets zeros.
"""

import sys

import numpy as np

source, target = sys.argv[1:]
rows = {}
with open(source) as lines:
    next(lines)
    for line in lines:
        name, vector = line.rstrip("\n").split("\t", 1)
        rows[int(name)] = np.array(vector.replace("\t", " ").split(), np.float32)
table = np.zeros((max(rows) + 1, len(next(iter(rows.values())))), np.float32)
for name, vector in rows.items():
    table[name] = vector
np.save(target, table)
print(len(table))
