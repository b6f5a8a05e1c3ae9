"""implicit's CosineRecommender, fitted and asked for every user, seen items left out. Prints JSON."""

import json
import sys
import time

import numpy as np
import scipy.sparse
from implicit.nearest_neighbours import CosineRecommender


def main():
    train_path, neighbors, k, out = sys.argv[1:]
    rows = sorted([int(i) for i in line.split()] for line in open(train_path))
    num_users = rows[-1][0] + 1
    indptr = np.zeros(num_users + 1, np.int64)
    for user, *seen in rows:
        indptr[user + 1] = len(set(seen))
    indices = np.concatenate([np.unique(seen) for _, *seen in rows if seen])
    matrix = scipy.sparse.csr_matrix((np.ones(len(indices), np.float64), indices, np.cumsum(indptr)),
                                     shape=(num_users, indices.max() + 1))
    model = CosineRecommender(K=int(neighbors), num_threads=0)
    begin = time.perf_counter()
    model.fit(matrix, show_progress=False)
    fit = time.perf_counter() - begin
    begin = time.perf_counter()
    lists, _ = model.recommend(np.arange(num_users), matrix, N=int(k))
    recommend = time.perf_counter() - begin
    np.savetxt(out, lists, fmt="%d")
    print(json.dumps({"fit": fit, "recommend": recommend}))


main()
