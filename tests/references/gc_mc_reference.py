"""Reference values of graph convolutional matrix completion, by dense matrices of each level.

Run from the root of the project, with LibTorch's wheel on the path:
    PYTHONPATH=.deps/libtorch python3 tests/references/gc_mc_reference.py

The encoder and decoder of van den Berg, Kipf, Welling, 2017, written from the paper over a matrix of all
pairs of nodes for each level of ratings, without dropout. Parameters are four times what the rule of
layers_reference.py gives, in the order of their names. Stored are the predicted ratings of all pairs before and
after training, loss and gradients at the first step, the losses of some steps of Adam, and the predictions
by a moving average of the weights over these steps. Everything is float64.
"""

import json
import pathlib
import re
import sys

import torch
from torch.nn import functional as F

from layers_reference import fill, number, numbers

torch.set_default_dtype(torch.float64)
NUM_USERS, NUM_ITEMS, HIDDEN, WIDTH = 3, 4, 6, 3
LEVELS = [1.0, 2.0, 4.0]
# user, item, place of the level
RATINGS = [(0, 0, 2), (0, 1, 0), (0, 3, 1), (1, 1, 2), (1, 2, 2), (2, 0, 1), (2, 3, 0)]
LEARNING_RATE, NUM_STEPS, DECAY = 0.02, 11, 0.4
NUM_NODES, NUM_LEVELS = NUM_USERS + NUM_ITEMS, len(LEVELS)


class GcMc:
    def __init__(self, stack, left, shared, bases):
        self.stack, self.shared = stack, shared
        told = HIDDEN if stack else HIDDEN * NUM_LEVELS
        shapes = {
            "bases": (bases, WIDTH, WIDTH),
            "coefficients": (bases, NUM_LEVELS),
            "dense.weight": (WIDTH, HIDDEN),
            "told": (NUM_NODES, told),
        }
        self.parameters = {
            name: (4 * fill(shape, salt)).requires_grad_() for salt, (name, shape) in enumerate(sorted(shapes.items()))
        }
        edges = torch.zeros(NUM_LEVELS, NUM_NODES, NUM_NODES)
        for user, item, level in RATINGS:
            edges[level, user, NUM_USERS + item] = edges[level, NUM_USERS + item, user] = 1.0
        counts = edges.sum((0, 2))
        norm = 1.0 / counts[:, None] if left else 1.0 / torch.sqrt(counts[:, None] * counts[None, :])
        self.edges = edges * norm

    def logits(self, parameters):
        told = parameters["told"].reshape(NUM_NODES, NUM_LEVELS, -1)
        heard = []
        for level in range(NUM_LEVELS):
            matrix = told[:, : level + 1].sum(1) if self.shared else told[:, level]
            heard.append(self.edges[level] @ matrix)
        hidden = torch.relu(torch.cat(heard, 1) if self.stack else sum(heard))
        vectors = hidden @ parameters["dense.weight"].t()
        users, items = vectors[:NUM_USERS], vectors[NUM_USERS:]
        forms = torch.einsum("sr,sde->rde", parameters["coefficients"], parameters["bases"])
        return torch.einsum("ud,rde,ie->uir", users, forms, items)

    def predictions(self, parameters):
        return self.logits(parameters).softmax(-1) @ torch.tensor(LEVELS)

    def loss(self):
        logits = self.logits(self.parameters)
        return F.cross_entropy(
            torch.stack([logits[user, item] for user, item, _ in RATINGS]),
            torch.tensor([level for _, _, level in RATINGS]),
        )


def case(model):
    result = {"predictions": numbers(model.predictions(model.parameters)), "losses": []}
    loss = model.loss()
    gradients = torch.autograd.grad(loss, list(model.parameters.values()))
    result["loss"] = number(loss.detach())
    result["gradients"] = {name: numbers(g) for name, g in zip(model.parameters, gradients)}
    optimizer = torch.optim.Adam(model.parameters.values(), lr=LEARNING_RATE)
    averages = {name: p.detach().clone() for name, p in model.parameters.items()}
    for step in range(1, NUM_STEPS + 1):
        optimizer.zero_grad()
        loss = model.loss()
        loss.backward()
        optimizer.step()
        result["losses"].append(number(loss.detach()))
        decay = min(DECAY, (1 + step) / (10 + step))
        for name, p in model.parameters.items():
            averages[name] = decay * averages[name] + (1 - decay) * p.detach()
    result["predictions_after"] = numbers(model.predictions(model.parameters))
    result["predictions_by_average"] = numbers(model.predictions(averages))
    return result


def main():
    models = {
        "stack_left": GcMc(stack=True, left=True, shared=False, bases=2),
        "stack_symmetric": GcMc(stack=True, left=False, shared=True, bases=1),
        "sum_symmetric": GcMc(stack=False, left=False, shared=True, bases=3),
    }
    result = {
        "made_by": "tests/references/gc_mc_reference.py",
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__},
        "models": {name: case(model) for name, model in models.items()},
    }
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda match: " ".join(match.group(0).split()), text)
    pathlib.Path(__file__).with_name("gc_mc_reference.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
