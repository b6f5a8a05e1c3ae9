"""Predictions of scikit-surprise 1.1.5 on a few ratings, which tests/models/ratings_test.cpp compares with.

  pip install scikit-surprise==1.1.5 && python tests/references/ratings_reference.py

Ratings are no whole numbers, and pairs must share three of them, so that no two similarities are equal: among
equally similar neighbours the order is another one here. Slope One of surprise keeps ratings as integers, so it
is asked of the same ratings without what stands behind the point. Only pairs that training does not hold are kept, and
of those the ones that surprise predicts by the method itself.
"""

import json
import platform
from pathlib import Path

import numpy as np
import surprise

USERS, ITEMS, SHARE = 14, 11, 0.6


def main():
    random = np.random.RandomState(7)
    ratings = [(u, i, round(1 + 4 * random.rand(), 2)) for u in range(USERS) for i in range(ITEMS)
               if random.rand() < SHARE]
    reader = surprise.Reader(rating_scale=(1, 5))

    def trainset_of(value):
        return surprise.Dataset(reader).construct_trainset([(str(u), str(i), value(r), None) for u, i, r in ratings])

    held = {(u, i) for u, i, _ in ratings}
    pairs = [(u, i) for u in range(USERS) for i in range(ITEMS) if (u, i) not in held]

    def predictions(name, algorithm):
        algorithm.fit(trainset_of(int if name == "slope_one" else float))
        out = []
        for u, i in pairs:
            p = algorithm.predict(str(u), str(i))
            if not p.details["was_impossible"]:
                out.append([u, i, p.est])
        return out

    cases = {
        "baseline_als": surprise.BaselineOnly(bsl_options={"method": "als", "n_epochs": 3}, verbose=False),
        "baseline_sgd": surprise.BaselineOnly(bsl_options={"method": "sgd", "n_epochs": 4}, verbose=False),
        "slope_one": surprise.SlopeOne(),
    }
    kinds = {"plain": surprise.KNNBasic, "centred": surprise.KNNWithMeans, "z_score": surprise.KNNWithZScore,
             "baseline": surprise.KNNBaseline}
    for kind, make in kinds.items():
        for similarity in ("cosine", "msd", "pearson", "pearson_baseline"):
            for side in ("users", "items"):
                cases[f"{kind} {similarity} {side}"] = make(
                    k=3, min_k=2, verbose=False,
                    sim_options={"name": similarity, "user_based": side == "users", "min_support": 3, "shrinkage": 5})
    record = {"versions": {"python": platform.python_version(), "surprise": surprise.__version__,
                           "numpy": np.__version__},
              "users": USERS, "items": ITEMS, "ratings": ratings,
              "predictions": {name: predictions(name, case) for name, case in cases.items()}}
    path = Path(__file__).with_suffix(".json")
    path.write_text(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
