"""Reference values of propagation over relations, written from the papers' formulas in numpy, edge by edge.

Run from the root of the project:
    python3 tests/references/propagation_reference.py

Inputs and parameters follow one exact rule (fill), which the C++ test repeats from the number that stands
beside each name, so that only results are stored. Gradients are complex steps, exact up to rounding:
f(x + ih) = f(x) + ih f'(x) for the smallest h.
"""

import json
import math
import pathlib
import re
import sys

import numpy as np

USERS, ITEMS, GENRES, WIDTH, HEADS, LAYERS = 3, 4, 2, 4, 2, 2
NODES = USERS + ITEMS + GENRES
TYPE_OF = [0] * USERS + [1] * ITEMS + [2] * GENRES
ROWS = [5, 0, 3]
STEP = 1e-30

INTERACTIONS = [(0, 0, 1.0), (0, 2, 3.0), (1, 1, 2.0), (1, 2, 2.0), (2, 0, 5.0), (2, 3, 1.0)]
GENRES_OF = [(0, 0), (1, 0), (2, 1), (3, 0), (3, 1)]
FRIENDS = [(0, 1), (1, 0)]


def relations():
    """Of each relation who hears whom, and with which weight."""
    taste = [(u, USERS + i, w) for u, i, w in INTERACTIONS]
    genre = [(USERS + i, USERS + ITEMS + g, 1.0) for i, g in GENRES_OF]
    turned = lambda edges: [(b, a, w) for a, b, w in edges]
    return [taste, turned(taste), genre, turned(genre), [(a, b, 1.0) for a, b in FRIENDS]]


RELATIONS = relations()


def fill(shape, salt):
    """Numbers that are exact in binary: sixteenths between -8/16 and 8/16."""
    index = np.arange(int(np.prod(shape)))
    return (((index * 7 + salt * 5) % 17 - 8) / 16.0).reshape(shape)


def softmax(scores):
    top = max(s.real for s in scores)
    exponentials = [np.exp(s - top) for s in scores]
    return [e / sum(exponentials) for e in exponentials]


def elementwise(x, value, slope):
    """A function of real numbers on numbers with a small step beside them."""
    return np.array([value(v.real) + 1j * v.imag * slope(v.real) for v in x])


def leaky_relu(x):
    return x if x.real > 0 else 0.2 * x


def elu(x):
    return np.array([v if v.real > 0 else np.exp(v) - 1 for v in x])


def relu(x):
    return np.array([v if v.real > 0 else 0.0 * v for v in x])


def gelu(x):
    density = lambda v: math.exp(-v * v / 2) / math.sqrt(2 * math.pi)
    below = lambda v: (1 + math.erf(v / math.sqrt(2))) / 2
    return elementwise(x, lambda v: v * below(v), lambda v: below(v) + v * density(v))


def head(x, h):
    width = len(x) // HEADS
    return x[h * width:(h + 1) * width]


def gat(p, x, average_last=False):
    neighbours = [{n} for n in range(NODES)]
    for edges in RELATIONS:
        for a, b, _ in edges:
            neighbours[a].add(b)
            neighbours[b].add(a)
    for k in range(LAYERS):
        is_last = k == LAYERS - 1
        h = [p[f"inputs.{k}.weight"] @ v for v in x]
        out = []
        for i in range(NODES):
            heads = []
            for a in range(HEADS):
                to, of = p[f"receivers_{k}"][a], p[f"senders_{k}"][a]
                heard = sorted(neighbours[i])
                shares = softmax([leaky_relu(to @ head(h[i], a) + of @ head(h[j], a))
                                  for j in heard])
                heads.append(sum(s * head(h[j], a) for s, j in zip(shares, heard)))
            mixed = sum(heads) / HEADS if is_last and average_last else np.concatenate(heads)
            out.append(mixed if is_last else elu(mixed))
        x = out
    return x


def r_gcn(p, x):
    for k in range(LAYERS):
        out = []
        bases = p[f"bases.{k}.weight"]
        for i in range(NODES):
            mixed = p[f"own.{k}.weight"] @ x[i]
            for r, edges in enumerate(RELATIONS):
                own = [(b, w) for a, b, w in edges if a == i]
                if not own:
                    continue
                # Shares of edges are kept in single precision.
                total = sum(w for _, w in own)
                mean = sum(float(np.float32(w / total)) * x[j] for j, w in own)
                matrix = sum(c * bases[:, b * WIDTH:(b + 1) * WIDTH]
                             for b, c in enumerate(p[f"coefficients_{k}"][r]))
                mixed = mixed + matrix @ mean
            out.append(mixed if k == LAYERS - 1 else relu(mixed))
        x = out
    return x


def hgt(p, x):
    for k in range(LAYERS):
        def linear(name, n):
            key = f"layers.{k}.{name}.{TYPE_OF[n]}"
            return p[key + ".weight"] @ x[n] + p.get(key + ".bias", 0.0)

        out = []
        for i in range(NODES):
            heard = [(r, b) for r, edges in enumerate(RELATIONS) for a, b, _ in edges if a == i]
            heads = []
            for h in range(HEADS):
                query = head(linear("queries", i), h)
                maps, messages = p[f"layers.{k}.key_maps"], p[f"layers.{k}.message_maps"]
                priors = p[f"layers.{k}.priors"]
                scores = [head(linear("keys", j), h) @ maps[r, h] @ query * priors[r, h]
                          / math.sqrt(WIDTH // HEADS) for r, j in heard]
                heads.append(sum(s * (head(linear("messages", j), h) @ messages[r, h])
                                 for s, (r, j) in zip(softmax(scores), heard)))
            key = f"layers.{k}.outputs.{TYPE_OF[i]}"
            made = p[key + ".weight"] @ gelu(np.concatenate(heads)) + p[key + ".bias"]
            gate = 1 / (1 + np.exp(-p[f"layers.{k}.gates"][TYPE_OF[i]]))
            out.append(gate * made + (1 - gate) * x[i])
        x = out
    return x


def shares_of_rows(matrix):
    """Means by the weights of a matrix, in single precision; who hears nobody has none."""
    totals = matrix.sum(axis=1, keepdims=True)
    return np.where(totals > 0, matrix / np.where(totals > 0, totals, 1.0), 0.0).astype(np.float32)


def friends_and_taste():
    friends, taste = np.zeros((USERS, USERS)), np.zeros((USERS, ITEMS))
    for a, b in FRIENDS:
        friends[a, b] = 1.0
    for u, i, w in INTERACTIONS:
        taste[u, i] = w
    return friends, taste


def diffnet(p, x):
    friends, taste = friends_and_taste()
    for u in range(USERS):
        if friends[u].sum() == 0:
            friends[u, u] = 1.0
    spread, items = np.array(x[:USERS]), np.array(x[USERS:])
    for k in range(LAYERS):
        heard = shares_of_rows(friends) @ spread
        spread = np.array([relu(p[f"layers.{k}.weight"] @ np.concatenate([heard[u], spread[u]])
                                + p[f"layers.{k}.bias"]) for u in range(USERS)])
    return list(spread + shares_of_rows(taste) @ items) + list(items)


def triangles(named, chosen, common_items):
    """The three kinds of triangles of users, counted one by one."""
    named = named * (1 - np.eye(USERS))
    common = chosen @ chosen.T
    both, one = named * named.T, named - named * named.T
    product = lambda a, b, mask: (a @ b) * mask
    halves = [product(one, one, one.T), product(both, one, one.T), product(one, both, one.T),
              product(one, one, both), product(both, both, one), product(both, one, both),
              product(one, both, both), product(one, one, one), product(one, one.T, one),
              product(one.T, one, one)]
    social = sum(h + h.T for h in halves) + product(both, both, both)
    social = social + product(one, both, one) + product(both, one.T, one.T)
    social = social + product(one.T, one, both) + product(one.T, both, one.T)
    social = social + product(both, one, one) + product(one, one.T, both)
    joint = common * (both + one + one.T)
    purchase = (common - joint) * (1 - np.eye(USERS))
    return social, joint, purchase * (purchase >= common_items)


def mhcn(p, x):
    friends, taste = friends_and_taste()
    channels = [shares_of_rows(m) for m in triangles(friends, (taste > 0) * 1.0, 1)]
    history, audience = shares_of_rows(taste), shares_of_rows(taste.T)
    users, items = np.array(x[:USERS]), np.array(x[USERS:])

    def gated(g):
        return users / (1 + np.exp(-(users @ p[f"gates.{g}.weight"].T + p[f"gates.{g}.bias"])))

    def attended(vectors):
        out = []
        for u in range(USERS):
            shares = softmax([p["attention"] @ (p["attention_map.weight"] @ v[u])
                              for v in vectors])
            out.append(sum(s * v[u] for s, v in zip(shares, vectors)))
        return np.array(out)

    layers, plain, heard = [[gated(0), gated(1), gated(2)]], [gated(3)], [items]
    for _ in range(LAYERS):
        told = attended(layers[-1]) + plain[-1] / 2
        layers.append([c @ v for c, v in zip(channels, layers[-1])])
        plain.append(history @ heard[-1])
        heard.append(audience @ told)
    mean = lambda values: sum(values) / (LAYERS + 1)
    users_out = attended([mean([layer[c] for layer in layers]) for c in range(3)])
    return list(users_out + mean(plain) / 2) + list(mean(heard))


def unit(x):
    return x / np.sqrt(np.sum(x * x))


def kgat(p, x):
    matrices, vectors = p["scorer.matrices"], p["scorer.relations"]
    shares = []
    for i in range(NODES):
        heard = [(r, b) for r, edges in enumerate(RELATIONS) for a, b, _ in edges if a == i]
        scores = [(x[j] @ matrices[r]) @ np.tanh(x[i] @ matrices[r] + vectors[r]) for r, j in heard]
        shares.append([(share, j) for share, (_, j) in zip(softmax(scores), heard)])
    shown = [x]
    for k in range(LAYERS):
        def linear(name, v):
            return p[f"{name}.{k}.weight"] @ v + p[f"{name}.{k}.bias"]

        heard = [sum(share * x[j] for share, j in of) for of in shares]
        x = [np.array([leaky_relu(v) for v in linear("sums", x[i] + heard[i])]) +
             np.array([leaky_relu(v) for v in linear("products", x[i] * heard[i])]) for i in range(NODES)]
        shown.append([unit(v) for v in x])
    return [np.concatenate([of_layer[i] for of_layer in shown]) for i in range(NODES)]


def kgin(p, x):
    taste, facts = RELATIONS[0], RELATIONS[2:4]
    intents = [sum(c * e for c, e in zip(softmax(row), p["relations"])) for row in p["mixture"]]
    total = [v for v in x]
    for k in range(LAYERS):
        out = []
        for i in range(NODES):
            if i < USERS:
                own = [(b, w) for a, b, w in taste if a == i]
                weight = sum(w for _, w in own)
                mean = sum(float(np.float32(w / weight)) * x[b] for b, w in own)
                shares = softmax([e @ x[i] for e in intents])
                mixed = sum(share * e for share, e in zip(shares, intents)) * mean
            else:
                heard = [(r, b) for r, edges in enumerate(facts) for a, b, _ in edges if a == i]
                share = float(np.float32(1.0) / np.float32(len(heard)))
                mixed = sum(share * p["relations"][r] * x[b] for r, b in heard)
            out.append(unit(mixed))
        x = out
        total = [a + b for a, b in zip(total, x)]
    return total


def shapes_of_gat(average_last=False):
    shapes = {}
    for k in range(LAYERS):
        width = WIDTH if average_last and k == LAYERS - 1 else WIDTH // HEADS
        shapes |= {f"receivers_{k}": (HEADS, width), f"senders_{k}": (HEADS, width),
                   f"inputs.{k}.weight": (HEADS * width, WIDTH)}
    return shapes


def shapes_of_r_gcn():
    shapes = {}
    for k in range(LAYERS):
        shapes |= {f"coefficients_{k}": (len(RELATIONS), 2), f"own.{k}.weight": (WIDTH, WIDTH),
                   f"bases.{k}.weight": (WIDTH, 2 * WIDTH)}
    return shapes


def shapes_of_hgt():
    shapes = {}
    width = WIDTH // HEADS
    for k in range(LAYERS):
        at = f"layers.{k}."
        shapes |= {at + "key_maps": (len(RELATIONS), HEADS, width, width),
                   at + "message_maps": (len(RELATIONS), HEADS, width, width),
                   at + "priors": (len(RELATIONS), HEADS), at + "gates": (3,)}
        for name in ("keys", "queries", "messages", "outputs"):
            for t in range(3):
                shapes[f"{at}{name}.{t}.weight"] = (WIDTH, WIDTH)
                if name != "keys":
                    shapes[f"{at}{name}.{t}.bias"] = (WIDTH,)
    return shapes


def shapes_of_diffnet():
    shapes = {}
    for k in range(LAYERS):
        shapes |= {f"layers.{k}.weight": (WIDTH, 2 * WIDTH), f"layers.{k}.bias": (WIDTH,)}
    return shapes


def shapes_of_mhcn():
    shapes = {"attention": (WIDTH,), "attention_map.weight": (WIDTH, WIDTH)}
    for g in range(4):
        shapes |= {f"gates.{g}.weight": (WIDTH, WIDTH), f"gates.{g}.bias": (WIDTH,)}
    return shapes


def shapes_of_kgat():
    shapes = {"scorer.relations": (len(RELATIONS), WIDTH),
              "scorer.matrices": (len(RELATIONS), WIDTH, WIDTH)}
    for name in ("sums", "products"):
        for k in range(LAYERS):
            shapes |= {f"{name}.{k}.weight": (WIDTH, WIDTH), f"{name}.{k}.bias": (WIDTH,)}
    return shapes


def number(x):
    return float(f"{float(x):.12g}") + 0.0


def case_of(model, shapes, has_others=True):
    shapes = ({"others": (GENRES, WIDTH)} if has_others else {}) | shapes
    salts = {name: 10 + i for i, name in enumerate(shapes)}
    values = {"users": fill((USERS, WIDTH), 1), "items": fill((ITEMS, WIDTH), 2)}
    values |= {name: fill(shape, salts[name]) for name, shape in shapes.items()}
    values = {name: value.astype(complex) for name, value in values.items()}
    def output():
        nodes = np.concatenate([values[name] for name in ("users", "items", "others")
                                if name in values])
        out = model(values, list(nodes))
        return np.array([out[row] for row in ROWS])

    mix = fill(output().shape, 3)
    gradients = {}
    for name, value in values.items():
        flat = value.reshape(-1)
        derivatives = []
        for i in range(len(flat)):
            flat[i] += 1j * STEP
            derivatives.append(number(np.sum(output() * mix).imag / STEP))
            flat[i] = flat[i].real
        gradients[name] = derivatives
    return {"salts": salts, "output": [number(v.real) for v in output().reshape(-1)],
            "gradients": gradients}


def main():
    values = {
        "made_by": "tests/references/propagation_reference.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__},
        "rows": ROWS,
        "gat": case_of(gat, shapes_of_gat()),
        "gat_average_last": case_of(lambda p, x: gat(p, x, True), shapes_of_gat(True)),
        "r_gcn": case_of(r_gcn, shapes_of_r_gcn()),
        "hgt": case_of(hgt, shapes_of_hgt()),
        "diffnet": case_of(diffnet, shapes_of_diffnet(), has_others=False),
        "mhcn": case_of(mhcn, shapes_of_mhcn(), has_others=False),
        "kgat": case_of(kgat, shapes_of_kgat()),
        "kgin": case_of(kgin, {"relations": (2, WIDTH), "mixture": (3, 2)}),
    }
    text = json.dumps(values, indent=1)
    # A list of numbers is one line.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m.group(0).split()), text)
    pathlib.Path(__file__).with_name("propagation_reference.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
