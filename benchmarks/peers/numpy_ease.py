"""EASE by its formula in NumPy, timed with the peak memory of the process. Prints JSON."""

import json
import resource
import sys
import time

import numpy as np


def main():
    path, regularization = sys.argv[1], float(sys.argv[2])
    # Leave-one-out: the last two items of each line are held out.
    histories = [[int(i) for i in line.split()[1:]] for line in open(path)]
    train = [h[:-2] if len(h) > 2 else h for h in histories]
    raw = sorted({i for h in histories for i in h})
    dense = {item: row for row, item in enumerate(raw)}
    begin = time.perf_counter()
    x = np.zeros((len(train), len(raw)), np.float32)
    for user, items in enumerate(train):
        x[user, [dense[i] for i in items]] = 1
    gram = x.T @ x
    gram[np.diag_indices_from(gram)] += regularization
    p = np.linalg.inv(gram)
    weights = p / -np.diag(p)
    np.fill_diagonal(weights, 0)
    seconds = time.perf_counter() - begin
    scores = x @ weights
    scores[x > 0] = -np.inf
    recall = ndcg = 0.0
    for user, history in enumerate(histories):
        test = dense[history[-1]]
        seen_too = dense[history[-2]]
        row = scores[user] + weights[seen_too]
        row[seen_too] = -np.inf
        rank = int((row > row[test]).sum())
        if rank < 10:
            recall += 1
            ndcg += 1 / np.log2(rank + 2)
    print(json.dumps({"seconds": seconds, "recall@10": recall / len(histories), "ndcg@10": ndcg / len(histories),
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


main()
