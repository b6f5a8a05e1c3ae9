"""Reference values of the encoders over session graphs, written from the papers' formulas in numpy.

Run from the root of the project:
    python3 tests/references/session_graph_reference.py

Every prefix has its graph built as a matrix over distinct items, as Wu et al. (AAAI 2019) and Xu et
al. (IJCAI 2019) describe it. Inputs and parameters follow one exact rule (fill), which the C++ test
repeats, so that only results are stored. Gradients are complex-step derivatives,
Im f(x + i h) / h with h = 1e-30, which are exact to rounding. Everything is float64.
"""

import json
import pathlib
import re
import sys

import numpy as np

WIDTH, HIDDEN, STEPS = 3, 5, 6
# Items come back, at once and later; the second history begins behind its padding.
IDS = [[4, 1, 4, 4, 2, 1], [-2, -2, 0, 3, 0, 3]]


def fill(shape, salt):
    """Numbers that are exact in binary: sixteenths between -8/16 and 8/16."""
    index = np.arange(int(np.prod(shape)))
    return (((index * 7 + salt * 5) % 17 - 8) / 16.0).reshape(shape)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def softmax(x):
    e = np.exp(x)
    return e / e.sum()


def relu(x):
    return np.where(x.real > 0, x, 0.0 * x)


def rows_to_one(matrix):
    sums = matrix.sum(1, keepdims=True)
    return matrix / np.where(sums == 0, 1, sums)


def graph_states(p, vectors, items, steps):
    """States of the steps of one session: [n, D]."""
    nodes = sorted(set(items))
    count = np.zeros((len(nodes), len(nodes)))
    for source, target in zip(items, items[1:]):
        count[nodes.index(source), nodes.index(target)] += 1
    outgoing, incoming = rows_to_one(count), rows_to_one(count.T)
    h = np.array([vectors[items.index(node)] for node in nodes])
    for _ in range(steps):
        a = np.concatenate([incoming @ (h @ p["graph.incoming.weight"].T + p["graph.incoming.bias"]),
                            outgoing @ (h @ p["graph.outgoing.weight"].T + p["graph.outgoing.bias"])], 1)
        of_a = np.split(a @ p["graph.input.weight"].T + p["graph.input.bias"], 3, 1)
        of_h = np.split(h @ p["graph.state.weight"].T + p["graph.state.bias"], 3, 1)
        reset, update = sigmoid(of_a[0] + of_h[0]), sigmoid(of_a[1] + of_h[1])
        candidate = np.tanh(of_a[2] + reset * of_h[2])
        h = (1 - update) * h + update * candidate
    return np.array([h[nodes.index(item)] for item in items])


def srgnn(p, vectors, items, steps):
    v = graph_states(p, vectors, items, steps)
    query = p["query.weight"] @ v[-1] + p["query.bias"]
    whole = sum((p["weight.weight"] @ sigmoid(query + p["key.weight"] @ x)) * x for x in v)
    return p["output.weight"] @ np.concatenate([v[-1], whole])


def gcsan(p, vectors, items, steps, num_blocks, attention_weight):
    first = e = graph_states(p, vectors, items, steps)
    for block in range(num_blocks):
        at = f"blocks.{block}."
        key, value = np.split(e @ p[at + "input.weight"].T, 2, 1)
        query = e @ p[at + "query.weight"].T
        f = np.array([softmax(q @ key.T / np.sqrt(WIDTH)) @ value for q in query])
        inner = relu(f @ p[at + "feed_forward.input.weight"].T + p[at + "feed_forward.input.bias"])
        e = inner @ p[at + "feed_forward.output.weight"].T + p[at + "feed_forward.output.bias"] + f
    return attention_weight * e[-1] + (1 - attention_weight) * first[-1]


def graph_shapes():
    return {"graph.incoming.weight": (WIDTH, WIDTH), "graph.incoming.bias": (WIDTH,),
            "graph.outgoing.weight": (WIDTH, WIDTH), "graph.outgoing.bias": (WIDTH,),
            "graph.input.weight": (3 * WIDTH, 2 * WIDTH), "graph.input.bias": (3 * WIDTH,),
            "graph.state.weight": (3 * WIDTH, WIDTH), "graph.state.bias": (3 * WIDTH,)}


def srgnn_shapes():
    return graph_shapes() | {"query.weight": (WIDTH, WIDTH), "query.bias": (WIDTH,),
                             "key.weight": (WIDTH, WIDTH), "weight.weight": (1, WIDTH),
                             "output.weight": (WIDTH, 2 * WIDTH)}


def gcsan_shapes(num_blocks):
    shapes = graph_shapes()
    for block in range(num_blocks):
        at = f"blocks.{block}."
        shapes |= {at + "query.weight": (WIDTH, WIDTH), at + "input.weight": (2 * WIDTH, WIDTH),
                   at + "feed_forward.input.weight": (HIDDEN, WIDTH),
                   at + "feed_forward.input.bias": (HIDDEN,),
                   at + "feed_forward.output.weight": (WIDTH, HIDDEN),
                   at + "feed_forward.output.bias": (WIDTH,)}
    return shapes


def number(x):
    """Thirteen digits: more than the test compares."""
    return float(f"{float(x):.13g}") + 0.0


def numbers(array):
    return [number(x) for x in np.asarray(array).flatten()]


def case(shapes, model):
    """The states of all prefixes, and the gradients of sum(state * direction)."""
    p = {key: fill(shapes[key], salt).astype(complex) for salt, key in enumerate(sorted(shapes))}
    x = fill((len(IDS), STEPS, WIDTH), 3).astype(complex)
    direction = fill((len(IDS), STEPS, WIDTH), 4)

    def states():
        out = np.zeros((len(IDS), STEPS, WIDTH), complex)
        for row, ids in enumerate(IDS):
            start = sum(item < 0 for item in ids)
            for end in range(start, STEPS):
                out[row, end] = model(p, x[row, start:end + 1], ids[start:end + 1])
        return out

    def gradient(array):
        out = np.zeros(array.shape)
        for place in np.ndindex(array.shape):
            array[place] += 1e-30j
            out[place] = (states() * direction).sum().imag / 1e-30
            array[place] = array[place].real
        return numbers(out)

    return {"output": numbers(states().real), "input_gradient": gradient(x),
            "parameter_gradients": {key: gradient(p[key]) for key in sorted(p)}}


def main():
    values = {
        "made_by": "tests/references/session_graph_reference.py",
        "versions": {"python": sys.version.split()[0], "numpy": np.__version__},
        "encoders": {
            "srgnn": case(srgnn_shapes(), lambda p, x, ids: srgnn(p, x, ids, 1)),
            "srgnn_2_steps": case(srgnn_shapes(), lambda p, x, ids: srgnn(p, x, ids, 2)),
            "gcsan": case(gcsan_shapes(1), lambda p, x, ids: gcsan(p, x, ids, 1, 1, 0.6)),
            "gcsan_2_blocks": case(gcsan_shapes(2), lambda p, x, ids: gcsan(p, x, ids, 1, 2, 0.6)),
            "gcsan_2_steps": case(gcsan_shapes(1), lambda p, x, ids: gcsan(p, x, ids, 2, 1, 0.3)),
        },
    }
    path = pathlib.Path(__file__).with_name("session_graph_reference.json")
    text = json.dumps(values, indent=1)
    # A list of numbers is one line.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda m: " ".join(m.group(0).split()), text)
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
