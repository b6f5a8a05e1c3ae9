"""Reference values of the autoencoders, from Python torch's own modules and distributions.

Run from the root of the project, with LibTorch's wheel on the path:
    PYTHONPATH=.deps/libtorch python3 tests/references/autoencoder_reference.py

Mult-VAE and Mult-DAE of Liang et al., WWW 2018, and RecVAE of Shenbin et al., WSDM 2020, written from the
papers over rows of zeros and ones, with torch.distributions for the densities. Parameters follow the rule
of layers_reference.py; RecVAE's old encoder follows it with other numbers, so that the prior's middle part
is not the encoder itself. The latent state is the mean of the encoder (there is no noise) and no item is
left out. Stored are the scores of all items before and after training, loss and gradients at the first
step, and the losses of some steps of Adam; RecVAE has one optimiser for the encoder and one for the
decoder, which learn in turns. Everything is float64.
"""

import json
import math
import pathlib
import re
import sys

import torch
from torch import nn
from torch.distributions import Categorical, MixtureSameFamily, Normal, kl_divergence
from torch.nn import functional as F

from layers_reference import fill, number, numbers

NUM_ITEMS, HIDDEN, NUM_LAYERS, LATENT = 7, 6, 4, 5
WIDTHS = (6, 4)
SHARES, WIDE_LOG_VARIANCE, GAMMA = (0.15, 0.75, 0.1), 10.0, 0.3
KL_WEIGHT, ANNEAL_STEPS = 0.4, 6
LEARNING_RATE, NUM_STEPS, ENCODER_STEPS, DECODER_STEPS = 0.02, 11, 3, 2
SETS = [[3], [0, 2, 5, 6], [1, 4]]


class Mult(nn.Module):
    """Mult-VAE, and Mult-DAE where it is not variational: tanh layers to the latent state and back."""

    def __init__(self, variational):
        super().__init__()
        there = [NUM_ITEMS, *WIDTHS]
        back = [LATENT, *reversed(WIDTHS)]
        self.there = nn.ModuleList(nn.Linear(a, b) for a, b in zip(there, there[1:]))
        self.mean = nn.Linear(WIDTHS[-1], LATENT)
        self.log_variance = nn.Linear(WIDTHS[-1], LATENT) if variational else None
        self.back = nn.ModuleList(nn.Linear(a, b) for a, b in zip(back, back[1:]))
        self.out = nn.Linear(WIDTHS[0], NUM_ITEMS)

    def encode(self, rows):
        x = F.normalize(rows)
        for linear in self.there:
            x = torch.tanh(linear(x))
        if self.log_variance is None:
            return torch.tanh(self.mean(x)), None
        return self.mean(x), self.log_variance(x)

    def decode(self, z):
        for linear in self.back:
            z = torch.tanh(linear(z))
        return self.out(z)

    def loss(self, rows, step):
        mean, log_variance = self.encode(rows)
        loss = -(F.log_softmax(self.decode(mean), -1) * rows).sum(-1).mean()
        if log_variance is None:
            return loss
        distance = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(-1)
        return loss + KL_WEIGHT * min(1.0, step / ANNEAL_STEPS) * distance.mean()

    def scores(self, rows):
        return self.decode(self.encode(rows)[0])

    def step(self, number):
        if number == 0:
            self.optimizer = torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)
        return self.optimizer

    def unsorted_names(self):
        yield "input.weight", self.there[0].weight, True
        yield "input_bias", self.there[0].bias, False
        for layer, linear in enumerate(self.there[1:]):
            yield from both(f"encoder.layers.{layer}", linear)
        yield from both("mean", self.mean)
        if self.log_variance is not None:
            yield from both("log_variance", self.log_variance)
        for layer, linear in enumerate(self.back):
            yield from both(f"decoder.layers.{layer}", linear)
        yield from both("output", self.out)


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        widths = [NUM_ITEMS] + [HIDDEN] * (NUM_LAYERS - 1)
        self.maps = nn.ModuleList(nn.Linear(width, HIDDEN) for width in widths)
        self.norms = nn.ModuleList(nn.LayerNorm(HIDDEN, eps=0.1) for _ in widths)
        self.mean = nn.Linear(HIDDEN, LATENT)
        self.log_variance = nn.Linear(HIDDEN, LATENT)

    def forward(self, rows):
        x, before = F.normalize(rows), []
        for linear, norm in zip(self.maps, self.norms):
            x = norm(F.silu(linear(x) + sum(before)))
            before.append(x)
        return self.mean(x), self.log_variance(x)


class RecVae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.old_encoder = Encoder(), Encoder()
        self.decoder = nn.Linear(LATENT, NUM_ITEMS)

    def loss(self, rows, step):
        mean, log_variance = self.encoder(rows)
        with torch.no_grad():
            old_mean, old_log_variance = self.old_encoder(rows)
        zero = torch.zeros_like(mean)
        prior = MixtureSameFamily(
            Categorical(torch.tensor(SHARES).expand(*mean.shape, 3)),
            Normal(
                torch.stack([zero, old_mean, zero], -1),
                torch.stack(
                    [zero + 1, (0.5 * old_log_variance).exp(), zero + math.exp(0.5 * WIDE_LOG_VARIANCE)], -1
                ),
            ),
        )
        z = mean
        distance = Normal(mean, (0.5 * log_variance).exp()).log_prob(z) - prior.log_prob(z)
        likelihood = (F.log_softmax(self.decoder(z), -1) * rows).sum(-1)
        return (GAMMA * rows.sum(-1) * distance.sum(-1) - likelihood).mean()

    def scores(self, rows):
        return self.decoder(self.encoder(rows)[0])

    def step(self, number):
        """What learns at this step, after what comes before it."""
        if number == 0:
            self.optimizers = [
                torch.optim.Adam(part.parameters(), lr=LEARNING_RATE) for part in (self.encoder, self.decoder)
            ]
        place = number % (ENCODER_STEPS + DECODER_STEPS)
        if place == ENCODER_STEPS:
            self.old_encoder.load_state_dict(self.encoder.state_dict())
        return self.optimizers[0 if place < ENCODER_STEPS else 1]

    def unsorted_names(self):
        for name, encoder in (("encoder", self.encoder), ("old_encoder", self.old_encoder)):
            yield f"{name}.input.weight", encoder.maps[0].weight, True
            yield f"{name}.input_bias", encoder.maps[0].bias, False
            for layer in range(1, NUM_LAYERS):
                yield from both(f"{name}.layers.{layer - 1}", encoder.maps[layer])
            for layer in range(NUM_LAYERS):
                yield from both(f"{name}.norms.{layer}", encoder.norms[layer])
            for head in ("mean", "log_variance"):
                yield from both(f"{name}.{head}", getattr(encoder, head))
        yield from both("output", self.decoder)


def both(name, module):
    """Weight and bias; a bias of the items is a table of its own there."""
    yield f"{name}.weight", module.weight, False
    yield (f"{name}_bias.weight" if name == "output" else f"{name}.bias"), module.bias, False


def names_and_tensors(model):
    """The state keys of the project's model in their order, each with the tensor here and whether it
    lies the other way round there."""
    return sorted(model.unsorted_names(), key=lambda entry: entry[0])


def case(model):
    with torch.no_grad():
        for salt, (_, tensor, transposed) in enumerate(names_and_tensors(model)):
            values = fill(tensor.t().shape if transposed else tensor.shape, salt)
            tensor.copy_(values.t() if transposed else values)
    rows = torch.zeros(len(SETS), NUM_ITEMS)
    for row, items in enumerate(SETS):
        rows[row, items] = 1.0
    result = {"scores": numbers(model.scores(rows)), "losses": []}
    # At a step where nothing is left out of the loss.
    loss = model.loss(rows, ANNEAL_STEPS)
    loss.backward()
    result["loss"] = number(loss.detach())
    result["gradients"] = {
        name: numbers(tensor.grad.t() if transposed else tensor.grad)
        for name, tensor, transposed in names_and_tensors(model)
        if tensor.grad is not None
    }
    for step in range(NUM_STEPS):
        optimizer = model.step(step)
        model.zero_grad()
        loss = model.loss(rows, step)
        loss.backward()
        optimizer.step()
        result["losses"].append(number(loss.detach()))
    result["scores_after"] = numbers(model.scores(rows))
    return result


def main():
    result = {
        "made_by": "tests/references/autoencoder_reference.py",
        "versions": {"python": sys.version.split()[0], "torch": torch.__version__},
        "models": {"mult_vae": case(Mult(True)), "mult_dae": case(Mult(False)), "recvae": case(RecVae())},
    }
    text = json.dumps(result, indent=1)
    text = re.sub(r"\[[^\[\]{}]*\]", lambda match: " ".join(match.group(0).split()), text)
    pathlib.Path(__file__).with_name("autoencoder_reference.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
