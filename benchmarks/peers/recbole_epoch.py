"""One epoch of a model of RecBole, timed, and its full-ranking metrics after it. Prints JSON."""

import json
import resource
import sys
import tempfile
import time

import recbole_gowalla  # first: it mends what the imports below run into
import torch
from recbole.trainer import Trainer
from recbole.utils import get_model

OPTIONS = {
    # Half of what it calls the latent dimension are means, and the other half variances.
    "MultiVAE": {"mlp_hidden_size": [600], "latent_dimension": 400, "dropout_prob": 0.5, "anneal_cap": 0.2,
                 "total_anneal_steps": 10000, "train_neg_sample_args": None},
    "LightGCN": {"embedding_size": 64, "n_layers": 3, "reg_weight": 1e-4, "require_pow": True},
}


def main():
    name, train_path, test_path, batch_size, seed = sys.argv[1:]
    torch.manual_seed(int(seed))
    with tempfile.TemporaryDirectory() as root:
        config, _, train_data, test_data = recbole_gowalla.prepare(
            name, train_path, test_path, root, train_batch_size=int(batch_size), learning_rate=1e-3, epochs=1,
            # In pairs: a hundred users at once. With the number of other rows each user would be scored alone.
            eval_batch_size=100 * 40981, seed=int(seed), **OPTIONS[name])
        model = get_model(name)(config, train_data.dataset)
        trainer = Trainer(config, model)
        begin = time.perf_counter()
        trainer._train_epoch(train_data, 0, show_progress=False)
        seconds = time.perf_counter() - begin
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = trainer.evaluate(test_data, load_best_model=False)
    print(json.dumps({"epoch_seconds": seconds, "peak_bytes": kib * 1024,
                      "recall@20": float(result["recall@20"]), "ndcg@20": float(result["ndcg@20"])}))


main()
