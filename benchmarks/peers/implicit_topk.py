"""Top-k of all items for every user with implicit's kernel, seen items left out. Prints JSON."""

import json
import sys
import time

import numpy as np
import scipy.sparse
from implicit.cpu.topk import topk


def main():
    users_path, items_path, train_path, k, rounds, out = sys.argv[1:]
    users = np.load(users_path).astype(np.float32)
    items = np.load(items_path).astype(np.float32)
    rows = [[int(i) for i in line.split()] for line in open(train_path)]
    indptr = np.zeros(len(users) + 1, np.int64)
    for user, *seen in rows:
        indptr[user + 1] = len(set(seen))
    indices = np.concatenate([np.unique(seen) for _, *seen in sorted(rows) if seen])
    seen = scipy.sparse.csr_matrix((np.ones(len(indices), np.float32), indices, np.cumsum(indptr)),
                                   shape=(len(users), len(items)))
    seconds = []
    for _ in range(int(rounds)):
        begin = time.perf_counter()
        lists, _ = topk(items, users, int(k), filter_query_items=seen, num_threads=0)
        seconds.append(time.perf_counter() - begin)
    np.savetxt(out, lists, fmt="%d")
    print(json.dumps({"seconds": seconds}))


main()
