"""Reference values of the scorers and losses of triples, written from the papers' formulas in numpy.

Run from the root of the project:
    python3 tests/references/triples_reference.py

Vectors follow one exact rule (fill), which the C++ test repeats, so that only results are stored.
Everything is float64; RotatE is computed with complex numbers.
"""

import json
import pathlib
import re
import sys

import numpy as np

FACTS, CORRUPTED, WIDTH, SPACE, RELATIONS = 5, 3, 6, 4, 3
RELATION_OF = [2, 0, 1, 0, 2]


def fill(shape, salt):
    """Numbers that are exact in binary: sixteenths between -8/16 and 8/16."""
    index = np.arange(int(np.prod(shape)))
    return (((index * 7 + salt * 5) % 17 - 8) / 16.0).reshape(shape)


def unit(x):
    length = np.sqrt(np.sum(x * x))
    return x / length if length > 0 else x


def plain(x):
    return x


def transe(h, r, t, norm, scale):
    difference = scale(h) + VECTORS[r] - scale(t)
    return -(np.sum(np.abs(difference)) if norm == 1 else np.sqrt(np.sum(difference ** 2)))


def transr(h, r, t, scale):
    matrix = MATRICES[r]
    head, tail = scale(scale(h) @ matrix), scale(scale(t) @ matrix)
    return -np.sum((head + scale(SPACE_VECTORS[r]) - tail) ** 2)


def distmult(h, r, t, scale):
    return scale(h) @ np.diag(VECTORS[r]) @ scale(t)


def rotate(h, r, t):
    def complex_of(x):
        return x[: WIDTH // 2] + 1j * x[WIDTH // 2:]
    return -np.sum(np.abs(complex_of(h) * np.exp(1j * PHASES[r]) - complex_of(t)))


VECTORS = fill((RELATIONS, WIDTH), 1)
SPACE_VECTORS = fill((RELATIONS, SPACE), 2)
MATRICES = fill((RELATIONS, WIDTH, SPACE), 3)
PHASES = fill((RELATIONS, WIDTH // 2), 4)

SCORERS = {
    "transe_1": lambda h, r, t: transe(h, r, t, 1, plain),
    "transe_2": lambda h, r, t: transe(h, r, t, 2, plain),
    "transe_2_normalized": lambda h, r, t: transe(h, r, t, 2, unit),
    "transr": lambda h, r, t: transr(h, r, t, plain),
    "transr_normalized": lambda h, r, t: transr(h, r, t, unit),
    "distmult": lambda h, r, t: distmult(h, r, t, plain),
    "distmult_normalized": lambda h, r, t: distmult(h, r, t, unit),
    "rotate": rotate,
}


def log_sigmoid(x):
    return -np.log1p(np.exp(-x))


def margin(s, others):
    return np.mean([max(0.0, 0.75 - s + x) for x in others])


def logistic(s, others):
    return -np.mean([log_sigmoid(s - x) for x in others])


def self_adversarial(s, others):
    # As in the paper, with distances d = -score and gamma = 0.75.
    gamma, alpha = 0.75, 0.5
    weights = [np.exp(alpha * x) for x in others]
    negative = sum(w / sum(weights) * log_sigmoid(-x - gamma) for w, x in zip(weights, others))
    return -log_sigmoid(gamma - (-s)) - negative


def number(x):
    return float(f"{float(x):.12g}") + 0.0


def main():
    heads, tails = fill((FACTS, 1, WIDTH), 5), fill((FACTS, CORRUPTED, WIDTH), 6)
    scores = {
        name: [[number(scorer(heads[i, 0], RELATION_OF[i], tails[i, m])) for m in range(CORRUPTED)]
               for i in range(FACTS)]
        for name, scorer in SCORERS.items()
    }
    holds, corrupted = fill((FACTS,), 7), 2 * fill((FACTS, CORRUPTED), 8)
    losses = {
        loss.__name__: [number(loss(holds[i], corrupted[i])) for i in range(FACTS)]
        for loss in (margin, logistic, self_adversarial)
    }
    values = {
        "made_by": "tests/references/triples_reference.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__},
        "scores": {name: sum(rows, []) for name, rows in scores.items()},
        "losses": losses,
    }
    text = json.dumps(values, indent=1)
    # A list of numbers is one line.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m.group(0).split()), text)
    pathlib.Path(__file__).with_name("triples_reference.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
