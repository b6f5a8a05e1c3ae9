"""Reference values of a whole SASRec, from Python torch's own modules.

Run from the root of the project, with LibTorch's wheel on the path:
    PYTHONPATH=.deps/libtorch python3 tests/references/sasrec_reference.py

The model of Kang, McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018: item vectors times
sqrt(D) plus a vector for each position, blocks of attention (only the query is normalised) and of a
feed-forward network, a last normalisation, inner products with the items. It is written from the paper,
one history at a time and without padding, so that no mask is trusted; parameters follow the rule of
layers_reference.py. Stored are the scores of all items before and after training, the gradients of the
mean loss, and the losses of some steps of Adam: with one negative for each position (the paper's loss)
and with a softmax over all items. Everything is float64.
"""

import json
import math
import pathlib
import re
import sys

import torch
from torch import nn
from torch.nn import functional as F

from layers_reference import fill, number, numbers

NUM_ITEMS, LENGTH, WIDTH, HIDDEN, HEADS, NUM_BLOCKS = 7, 4, 4, 6, 2, 2
LEARNING_RATE, BETAS, NUM_STEPS = 0.01, (0.9, 0.98), 8
# What three users chose, oldest first; each position is learnt from against one other item.
SEQUENCES = [[0, 3, 5, 1, 6], [2, 4, 0], [6, 1, 4, 2]]
NEGATIVES = [[2, 4, 6, 4], [3, 6], [0, 5, 3]]


class SasRec(nn.Module):
    def __init__(self):
        super().__init__()
        self.items = nn.Embedding(NUM_ITEMS, WIDTH)
        self.positions = nn.Embedding(LENGTH, WIDTH)  # 0 is the newest
        self.blocks = nn.ModuleList([nn.ModuleDict({
            "attention_norm": nn.LayerNorm(WIDTH, eps=1e-8),
            "attention": nn.MultiheadAttention(WIDTH, HEADS, batch_first=True),
            "feed_forward_norm": nn.LayerNorm(WIDTH, eps=1e-8),
            "inner": nn.Linear(WIDTH, HIDDEN),
            "outer": nn.Linear(HIDDEN, WIDTH),
        }) for _ in range(NUM_BLOCKS)])
        self.final = nn.LayerNorm(WIDTH, eps=1e-8)

    def states(self, history):
        """A state for each step of one history: [T, D]."""
        count = len(history)
        later = torch.ones(count, count).triu(1).bool()
        x = self.items(torch.tensor(history)) * math.sqrt(WIDTH)
        x = (x + self.positions(torch.arange(count - 1, -1, -1))).unsqueeze(0)
        for block in self.blocks:
            query = block["attention_norm"](x)
            seen, _ = block["attention"](query, x, x, attn_mask=later, need_weights=False)
            y = block["feed_forward_norm"](query + seen)
            x = y + block["outer"](F.relu(block["inner"](y)))
        return self.final(x)[0]

    def scores(self, history):
        return self.states(history)[-1] @ self.items.weight.t()

    def loss(self, objective):
        """The mean over all positions of all users."""
        losses = []
        for sequence, negatives in zip(SEQUENCES, NEGATIVES):
            states = self.states(sequence[:-1])
            for state, target, negative in zip(states, sequence[1:], negatives):
                scores = self.items.weight @ state
                if objective == "bce":
                    losses.append(-F.logsigmoid(scores[target]) - torch.log(1 - torch.sigmoid(scores[negative])))
                else:
                    losses.append(torch.logsumexp(scores, 0) - scores[target])
        return torch.stack(losses).mean()

    def named(self):
        """Our name of a parameter -> torch's parameter and the part of it."""
        whole = slice(None)
        out = {"items.weight": (self.items.weight, whole), "position.weight": (self.positions.weight, whole)}
        for i, block in enumerate(self.blocks):
            at = f"encoder.blocks.{i}."
            weight, bias = block["attention"].in_proj_weight, block["attention"].in_proj_bias
            out[at + "attention.query.weight"] = (weight, slice(0, WIDTH))
            out[at + "attention.query.bias"] = (bias, slice(0, WIDTH))
            out[at + "attention.input.weight"] = (weight, slice(WIDTH, 3 * WIDTH))
            out[at + "attention.input.bias"] = (bias, slice(WIDTH, 3 * WIDTH))
            modules = {
                "attention.output": block["attention"].out_proj,
                "attention_norm": block["attention_norm"],
                "feed_forward_norm": block["feed_forward_norm"],
                "feed_forward.input": block["inner"],
                "feed_forward.output": block["outer"],
            }
            for name, module in modules.items():
                out[at + name + ".weight"] = (module.weight, whole)
                out[at + name + ".bias"] = (module.bias, whole)
        out["encoder.final_norm.weight"] = (self.final.weight, whole)
        out["encoder.final_norm.bias"] = (self.final.bias, whole)
        return out


def case(objective):
    model = SasRec()
    named = model.named()
    with torch.no_grad():
        for salt, key in enumerate(sorted(named)):
            parameter, part = named[key]
            offset = 1.0 if "norm" in key and key.endswith("weight") else 0.0
            parameter[part] = fill(parameter[part].shape, salt) + offset
    histories = [sequence[:-1] for sequence in SEQUENCES]
    scores = torch.stack([model.scores(history) for history in histories])
    model.zero_grad()
    model.loss(objective).backward()
    out = {
        "scores": numbers(scores),
        "gradients": {key: numbers(parameter.grad[part]) for key, (parameter, part) in sorted(named.items())},
        "losses": [],
    }
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, betas=BETAS)
    for _ in range(NUM_STEPS):
        optimizer.zero_grad()
        loss = model.loss(objective)
        out["losses"].append(number(loss.detach()))
        loss.backward()
        optimizer.step()
    out["scores_after_training"] = numbers(torch.stack([model.scores(history) for history in histories]))
    return out


def main():
    values = {
        "made_by": "tests/references/sasrec_reference.py",
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__},
        "learning_rate": LEARNING_RATE,
        "betas": BETAS,
        "sequences": SEQUENCES,
        "negatives": NEGATIVES,
        "objectives": {name: case(name) for name in ("bce", "softmax")},
    }
    path = pathlib.Path(__file__).with_name("sasrec_reference.json")
    text = json.dumps(values, indent=1)
    # A list of numbers is one line.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m.group(0).split()), text)
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
