"""Fits one of implicit's models to a train.txt and writes the top-k lists of all users. Prints JSON.

  implicit_fit.py MODEL train.txt K OUT key=value...    MODEL: bpr, als
"""

import json
import os
import sys
import time

import implicit
import numpy as np
import scipy.sparse
from threadpoolctl import threadpool_limits


def read(path):
    rows = sorted([int(i) for i in line.split()] for line in open(path))
    users = np.concatenate([np.full(len(set(items)), user) for user, *items in rows])
    items = np.concatenate([np.unique(items) for _, *items in rows if items])
    return scipy.sparse.csr_matrix((np.ones(len(items), np.float32), (users, items)))


def main():
    name, train, k, out, *options = sys.argv[1:]
    values = {key: json.loads(value) for key, value in (option.split("=", 1) for option in options)}
    matrix = read(train)
    classes = {"bpr": implicit.bpr.BayesianPersonalizedRanking, "als": implicit.als.AlternatingLeastSquares}
    model = classes[name](num_threads=os.cpu_count(), **values)
    # Its own loops are parallel; those of BLAS inside would only be in their way, as it warns.
    with threadpool_limits(1, "blas"):
        begin = time.perf_counter()
        model.fit(matrix, show_progress=False)
        seconds = time.perf_counter() - begin
        lists, _ = model.recommend(np.arange(matrix.shape[0]), matrix, N=int(k))
    np.savetxt(out, lists, fmt="%d")
    print(json.dumps({"seconds": seconds}))


main()
