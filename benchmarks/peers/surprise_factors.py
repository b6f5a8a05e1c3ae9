"""SVD or SVD++ of scikit-surprise on ratings of one fold, timed. Prints JSON.

  surprise_factors.py svd|svd_pp TRAIN TEST EPOCHS SEED      files of `user item rating` lines
"""

import json
import sys
import time

import surprise


def rows(path):
    return [(user, item, float(rating), None) for user, item, rating in (line.split() for line in open(path))]


def main():
    name, train_path, test_path, epochs, seed = sys.argv[1:]
    trainset = surprise.Dataset(surprise.Reader(rating_scale=(1, 5))).construct_trainset(rows(train_path))
    make = {"svd": surprise.SVD, "svd_pp": surprise.SVDpp}[name]
    algorithm = make(n_epochs=int(epochs), random_state=int(seed))
    begin = time.perf_counter()
    algorithm.fit(trainset)
    seconds = time.perf_counter() - begin
    predictions = [algorithm.predict(user, item, rating) for user, item, rating, _ in rows(test_path)]
    print(json.dumps({"seconds": seconds, "rmse": surprise.accuracy.rmse(predictions, verbose=False),
                      "mae": surprise.accuracy.mae(predictions, verbose=False)}))


main()
