"""LightGCN on Gowalla by its formulas in plain PyTorch: one epoch, and its full-ranking metrics. Prints JSON.

Beside RecBole it says what of a difference is reckon's: lightgcn_formula.py TRAIN TEST [SEED]. Three layers of
the normalised graph and their mean, BPR with one uniform negative that the user has not, L2 of the step's own
vectors, Adam, batches of 2,048, first vectors by Xavier's rule.
"""

import json
import sys

import numpy as np
import scipy.sparse
import torch

LAYERS, WIDTH, BATCH, RATE, L2, K = 3, 64, 2048, 1e-3, 1e-4, 20


def pairs(path):
    rows = [[int(x) for x in line.split()] for line in open(path)]
    return (np.concatenate([np.full(len(row) - 1, row[0]) for row in rows]),
            np.concatenate([np.array(row[1:], dtype=np.int64) for row in rows]))


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    train_path, test_path, seed = (sys.argv[1:] + ["1"])[:3]
    torch.manual_seed(int(seed))
    random = np.random.default_rng(int(seed))
    users, items = pairs(train_path)
    test_users, test_items = pairs(test_path)
    num_users = max(users.max(), test_users.max()) + 1
    num_items = max(items.max(), test_items.max()) + 1

    sources, targets = np.concatenate([users, items + num_users]), np.concatenate([items + num_users, users])
    degrees = np.maximum(np.bincount(sources, minlength=num_users + num_items), 1).astype(np.float64)
    weights = (degrees[sources] * degrees[targets]) ** -0.5
    graph = scipy.sparse.csr_matrix((weights.astype(np.float32), (sources, targets)), shape=(len(degrees),) * 2)
    graph = torch.sparse_csr_tensor(*(torch.from_numpy(x) for x in (graph.indptr, graph.indices, graph.data)),
                                    size=graph.shape)

    class Propagation(torch.autograd.Function):
        """The mean of the layers: a symmetric map, which is its own transpose."""

        @staticmethod
        def mean_of_layers(x):
            total = x
            for _ in range(LAYERS):
                total = torch.sparse.mm(graph, total) + x
            return total / (LAYERS + 1)

        @staticmethod
        def forward(context, x):
            return Propagation.mean_of_layers(x)

        @staticmethod
        def backward(context, gradient):
            return Propagation.mean_of_layers(gradient)

    vectors = torch.empty(num_users + num_items, WIDTH)
    for part in (vectors[:num_users], vectors[num_users:]):
        torch.nn.init.xavier_uniform_(part)
    vectors.requires_grad_()
    optimizer = torch.optim.Adam([vectors], lr=RATE)
    chosen = np.sort(users * num_items + items)

    def is_chosen(user, item):
        key = user * num_items + item
        return chosen[np.minimum(np.searchsorted(chosen, key), len(chosen) - 1)] == key

    order = random.permutation(len(users))
    for begin in range(0, len(users), BATCH):
        rows = order[begin:begin + BATCH]
        negatives = random.integers(0, num_items, len(rows))
        while (again := is_chosen(users[rows], negatives)).any():
            negatives[again] = random.integers(0, num_items, again.sum())
        nodes = [torch.from_numpy(x) for x in (users[rows], items[rows] + num_users, negatives + num_users)]
        mixed = Propagation.apply(vectors)
        user, target, negative = (mixed[x] for x in nodes)
        loss = torch.nn.functional.softplus(-(user * (target - negative)).sum(1)).mean()
        loss = loss + L2 / 2 * sum(vectors[x].square().sum() for x in nodes) / len(rows)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    relevant = [set() for _ in range(num_users)]
    for user, item in zip(test_users, test_items):
        relevant[user].add(item)
    with torch.no_grad():
        final = Propagation.mean_of_layers(vectors)
    discounts = 1 / np.log2(np.arange(2, K + 2))
    recall, ndcg, count = 0.0, 0.0, 0
    seen = scipy.sparse.csr_matrix((np.ones(len(users)), (users, items)), shape=(num_users, num_items))
    for begin in range(0, num_users, 1024):
        scores = final[begin:min(begin + 1024, num_users)].detach() @ final[num_users:].T
        scores[torch.from_numpy(seen[begin:begin + 1024].toarray() > 0)] = -torch.inf
        for user, ranked in enumerate(scores.topk(K).indices.tolist(), begin):
            if not relevant[user]:
                continue
            hits = np.array([item in relevant[user] for item in ranked])
            recall += hits.sum() / len(relevant[user])
            ndcg += (hits * discounts).sum() / discounts[:len(relevant[user])].sum()
            count += 1
    print(json.dumps({"recall@20": recall / count, "ndcg@20": ndcg / count}))


main()
