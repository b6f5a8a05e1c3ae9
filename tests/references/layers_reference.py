"""Reference values of the layers, from Python torch's own modules.

Run from the root of the project, with LibTorch's wheel on the path:
    PYTHONPATH=.deps/libtorch python3 tests/references/layers_reference.py

Inputs and parameters follow one exact rule (fill), which the C++ test repeats, so that only results
are stored: outputs, gradients of sum(output * direction), and the losses of five steps of gradient
descent. Everything is float64.
"""

import json
import pathlib
import re
import sys

import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
LEARNING_RATE = 0.05
NUM_STEPS = 5
BATCH, STEPS, WIDTH, HIDDEN = 2, 3, 4, 6
VALID = torch.tensor([[True, True, True], [False, True, True]])


def fill(shape, salt):
    """Numbers that are exact in binary: sixteenths between -8/16 and 8/16."""
    count = 1
    for size in shape:
        count *= size
    index = torch.arange(count)
    return (((index * 7 + salt * 5) % 17 - 8).to(torch.float64) / 16).reshape(shape)


def number(x):
    """Twelve digits: more than the test compares."""
    return float(f"{float(x):.12g}") + 0.0


def numbers(tensor):
    return [number(x) for x in tensor.detach().flatten()]


class Block(nn.Module):
    """A transformer block made of torch's modules."""

    def __init__(self, residual, norm, activation, heads):
        super().__init__()
        self.residual, self.norm, self.activation = residual, norm, activation
        self.attention = nn.MultiheadAttention(WIDTH, heads, batch_first=True)
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-8)
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-8)
        width = 2 * HIDDEN if activation == "swiglu" else HIDDEN
        self.inner = nn.Linear(WIDTH, width)
        self.outer = nn.Linear(HIDDEN, WIDTH)
        self.gate1 = nn.Linear(WIDTH, WIDTH)
        self.gate2 = nn.Linear(WIDTH, WIDTH)

    def attend(self, query, x):
        order = torch.triu(torch.ones(STEPS, STEPS, dtype=torch.bool), 1)
        out = torch.empty_like(x)
        # One history at a time and without its padding, so that no mask is trusted.
        for row in range(BATCH):
            keep = VALID[row]
            q, k = query[row][keep].unsqueeze(0), x[row][keep].unsqueeze(0)
            count = int(keep.sum())
            part, _ = self.attention(q, k, k, attn_mask=order[:count, :count], need_weights=False)
            out[row, STEPS - count:] = part[0]
            out[row, :STEPS - count] = 0.0
        return out

    def feed(self, x):
        h = self.inner(x)
        if self.activation == "swiglu":
            a, b = h.chunk(2, -1)
            h = F.silu(a) * b
        else:
            h = F.relu(h) if self.activation == "relu" else F.gelu(h)
        return self.outer(h)

    def join(self, x, branch, gate):
        return x + (torch.sigmoid(gate(x)) * branch if self.residual == "gated" else branch)

    def forward(self, x):
        if self.residual == "sasrec":
            query = self.norm1(x)
            y = self.norm2(query + self.attend(query, x))
            return y + self.feed(y)
        if self.norm == "pre":
            n = self.norm1(x)
            x = self.join(x, self.attend(n, n), self.gate1)
            return self.join(x, self.feed(self.norm2(x)), self.gate2)
        x = self.norm1(self.join(x, self.attend(x, x), self.gate1))
        return self.norm2(self.join(x, self.feed(x), self.gate2))


class Transformer(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.blocks = nn.ModuleList([Block(**options) for _ in range(2)])
        self.final = nn.LayerNorm(WIDTH, eps=1e-8)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.final(x)

    def names(self):
        """Our name of a parameter -> torch's parameter, or a slice of one."""
        out = {}
        for i, block in enumerate(self.blocks):
            at = f"blocks.{i}."
            weight, bias = block.attention.in_proj_weight, block.attention.in_proj_bias
            if block.residual == "sasrec":
                out[at + "attention.query.weight"] = (weight, slice(0, WIDTH))
                out[at + "attention.query.bias"] = (bias, slice(0, WIDTH))
                out[at + "attention.input.weight"] = (weight, slice(WIDTH, 3 * WIDTH))
                out[at + "attention.input.bias"] = (bias, slice(WIDTH, 3 * WIDTH))
            else:
                out[at + "attention.input.weight"] = (weight, slice(None))
                out[at + "attention.input.bias"] = (bias, slice(None))
            pairs = {
                "attention.output": block.attention.out_proj,
                "attention_norm": block.norm1,
                "feed_forward_norm": block.norm2,
                "feed_forward.input": block.inner,
                "feed_forward.output": block.outer,
            }
            if block.residual == "gated":
                pairs |= {"attention_gate": block.gate1, "feed_forward_gate": block.gate2}
            for name, module in pairs.items():
                out[at + name + ".weight"] = (module.weight, slice(None))
                out[at + name + ".bias"] = (module.bias, slice(None))
        out["final_norm.weight"] = (self.final.weight, slice(None))
        out["final_norm.bias"] = (self.final.bias, slice(None))
        return out


class Recurrent(nn.Module):
    def __init__(self, cell, layers, hidden):
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.layers = nn.ModuleList(
            [kind(WIDTH if i == 0 else hidden, hidden, batch_first=True) for i in range(layers)])
        self.output = nn.Linear(hidden, WIDTH) if hidden != WIDTH else None

    def forward(self, x):
        out = torch.zeros_like(x)
        for row in range(BATCH):
            keep = VALID[row]
            state = x[row][keep].unsqueeze(0)
            for layer in self.layers:
                state, _ = layer(state)
            if self.output is not None:
                state = self.output(state)
            out[row, STEPS - int(keep.sum()):] = state[0]
        return out

    def names(self):
        out = {}
        for i, layer in enumerate(self.layers):
            for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
                out[f"layers.{i}.{name}"] = (getattr(layer, name), slice(None))
        if self.output is not None:
            out["output.weight"] = (self.output.weight, slice(None))
            out["output.bias"] = (self.output.bias, slice(None))
        return out


def encoder_case(name, model):
    names = model.names()
    with torch.no_grad():
        for salt, key in enumerate(sorted(names)):
            parameter, part = names[key]
            offset = 1.0 if "norm" in key and key.endswith("weight") else 0.0
            parameter[part] = fill(parameter[part].shape, salt) + offset
    x = fill((BATCH, STEPS, WIDTH), 3).requires_grad_()
    direction = fill((BATCH, STEPS, WIDTH), 4) * VALID.unsqueeze(-1)
    model.zero_grad()
    output = model(x)
    (output * direction).sum().backward()
    case = {
        "output": numbers(output * VALID.unsqueeze(-1)),
        "input_gradient": numbers(x.grad * VALID.unsqueeze(-1)),
        "parameter_gradients":
            {key: numbers(parameter.grad[part]) for key, (parameter, part) in sorted(names.items())},
        "losses": [],
    }
    optimizer = torch.optim.SGD([p for p in model.parameters()], lr=LEARNING_RATE)
    for _ in range(NUM_STEPS):
        optimizer.zero_grad()
        loss = ((model(x.detach()) - direction).square() * VALID.unsqueeze(-1)).sum()
        case["losses"].append(number(loss.detach()))
        loss.backward()
        optimizer.step()
    return name, case


def objectives():
    positions, num_items, width, num_negatives = 4, 6, 3, 2
    users = fill((positions, width), 1).requires_grad_()
    items = (2 * fill((num_items, width), 2)).requires_grad_()
    targets = torch.tensor([0, 5, 2, 2])
    negatives = torch.tensor([[1, 3], [4, 0], [2, 5], [3, 1]])
    weights = torch.tensor([1.0, 0.5, 2.0, 1.0])
    labels = torch.tensor([3.0, -1.0, 0.5, 2.0])
    log_q = torch.log(torch.tensor([0.1, 0.2, 0.3, 0.15, 0.05, 0.2]))
    chosen = (users * items[targets]).sum(1)
    others = torch.einsum("pd,pnd->pn", users, items[negatives])
    scores = users @ items.t()
    hit = negatives == targets.unsqueeze(1)
    zero = torch.zeros(positions, dtype=torch.long)

    def sampled(temperature, corrected):
        a, b = chosen / temperature, others / temperature
        if corrected:
            a, b = a - log_q[targets], b - log_q[negatives]
        logits = torch.cat([a.unsqueeze(1), b.masked_fill(hit, float("-inf"))], 1)
        return F.cross_entropy(logits, zero, reduction="none")

    in_batch = users @ items[targets].t() - log_q[targets]
    copies = (targets.unsqueeze(1) == targets) & ~torch.eye(positions, dtype=torch.bool)
    bce = F.binary_cross_entropy_with_logits
    lengths = users.square().sum(1) + items[targets].square().sum(1) + items[negatives].square().sum(2).mean(1)

    def spread(x):
        """Wang and Isola's uniformity, as the authors of DirectAU compute it."""
        return torch.pdist(F.normalize(x, dim=1), p=2).pow(2).mul(-2).exp().mean().log()

    def warp(margin):
        """The first negative, in the order drawn, that violates the margin gives the rank."""
        out = []
        for p in range(positions):
            loss = torch.zeros(())
            for draw in range(num_negatives):
                excess = margin - chosen[p] + others[p, draw]
                if not hit[p, draw] and excess > 0:
                    rank = max(1, (num_items - 1) // (draw + 1))
                    loss = excess * sum(1.0 / r for r in range(1, rank + 1))
                    break
            out.append(loss)
        return torch.stack(out)

    losses = {
        "bpr": -F.logsigmoid(chosen.unsqueeze(1) - others).mean(1),
        "bce": bce(chosen, torch.ones(positions), reduction="none") +
               (bce(others, torch.zeros_like(others), reduction="none") * ~hit).sum(1),
        "softmax": F.cross_entropy(scores, targets, reduction="none"),
        "sampled_softmax": sampled(1.0, False),
        "sampled_softmax_log_q": sampled(0.5, True),
        "in_batch_softmax": F.cross_entropy(in_batch.masked_fill(copies, float("-inf")),
                                            torch.arange(positions), reduction="none"),
        "squared_error": F.mse_loss(chosen, labels, reduction="none") +
                         0.1 * (users.square().sum(1) + items[targets].square().sum(1)),
        "cosine_contrastive": F.relu(1 - chosen) + 2.0 * (F.relu(others - 0.2) * ~hit).mean(1) + 0.05 * lengths,
        "direct_au": (F.normalize(users, dim=1) - F.normalize(items[targets], dim=1)).square().sum(1) +
                     0.7 * (spread(users) + spread(items[targets])) / 2,
        "warp": warp(0.5),
    }
    out = {}
    for name, loss in losses.items():
        total = (loss * weights).sum()
        users.grad = items.grad = None
        total.backward(retain_graph=True)
        out[name] = {"sum": number(total.detach()), "user_gradient": numbers(users.grad),
                     "item_gradient": numbers(items.grad)}
    return out


def main():
    encoders = dict([
        encoder_case("pre_gelu", Transformer(residual="plain", norm="pre", activation="gelu", heads=2)),
        encoder_case("post_relu", Transformer(residual="plain", norm="post", activation="relu", heads=1)),
        encoder_case("gated_swiglu",
                     Transformer(residual="gated", norm="pre", activation="swiglu", heads=2)),
        encoder_case("sasrec_relu",
                     Transformer(residual="sasrec", norm="pre", activation="relu", heads=2)),
        encoder_case("gru", Recurrent("gru", 1, WIDTH)),
        encoder_case("gru_2x5", Recurrent("gru", 2, 5)),
        encoder_case("lstm_2x5", Recurrent("lstm", 2, 5)),
    ])
    values = {
        "made_by": "tests/references/layers_reference.py",
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__},
        "encoders": encoders,
        "objectives": objectives(),
    }
    path = pathlib.Path(__file__).with_name("layers_reference.json")
    text = json.dumps(values, indent=1)
    # A list of numbers is one line.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m.group(0).split()), text)
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
