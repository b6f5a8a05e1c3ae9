"""One epoch of a model of RecBole, timed, and its full-ranking metrics after it. Prints JSON.

RecBole needs the same mends as in recbole_evaluate.py, and for its graphs a method that scipy no longer has.
"""

import json
import os
import resource
import sys
import tempfile
import time

import numpy as np

for name, kind in {"bool": bool, "int": int, "float": float, "object": object, "long": int, "unicode": str,
                   "float_": np.float64, "complex_": np.complex128, "bool8": np.bool_}.items():
    if name not in np.__dict__:
        setattr(np, name, kind)

import scipy.sparse  # noqa: E402
import torch  # noqa: E402
from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.utils import get_model  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402


scipy.sparse.dok_matrix._update = lambda self, entries: self._dict.update(entries)

OPTIONS = {
    "MultiVAE": {"mlp_hidden_dimension": [600], "latent_dimension": 200, "dropout_prob": 0.5, "anneal_cap": 0.2,
                 "total_anneal_steps": 10000, "train_neg_sample_args": None},
    "LightGCN": {"embedding_size": 64, "n_layers": 3, "reg_weight": 1e-4, "require_pow": True},
}


def write_part(folder, part, lines):
    with open(os.path.join(folder, f"gowalla.{part}.inter"), "w") as out:
        out.write("user_id:token\titem_id:token\n")
        for user, *items in lines:
            out.writelines(f"{user}\t{item}\n" for item in items)


def main():
    name, train_path, test_path, batch_size, seed = sys.argv[1:]
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, "gowalla")
        os.mkdir(folder)
        test = [line.split() for line in open(test_path)]
        write_part(folder, "train", [line.split() for line in open(train_path)])
        # A validation part must be there and is not used: one interaction of the test.
        write_part(folder, "valid", [test[0][:2]])
        write_part(folder, "test", test)
        config = Config(model=name, dataset="gowalla", config_dict={
            **OPTIONS[name], "data_path": root, "benchmark_filename": ["train", "valid", "test"],
            "train_batch_size": int(batch_size), "learning_rate": 1e-3, "epochs": 1, "load_col": {"inter": ["user_id", "item_id"]}, "seed": int(seed),
            "eval_args": {"mode": "full", "order": "RO", "group_by": "user"}, "metrics": ["Recall", "NDCG"],
            "topk": [20], "valid_metric": "Recall@20", "use_gpu": False, "eval_batch_size": 4096,
            "show_progress": False, "state": "ERROR", "checkpoint_dir": root})
        torch.manual_seed(int(seed))
        dataset = create_dataset(config)
        train_data, _, test_data = data_preparation(config, dataset)
        model = get_model(name)(config, train_data.dataset)
        trainer = Trainer(config, model)
        begin = time.perf_counter()
        trainer._train_epoch(train_data, 0, show_progress=False)
        seconds = time.perf_counter() - begin
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        result = trainer.evaluate(test_data, load_best_model=False)
    print(json.dumps({"epoch_seconds": seconds, "peak_gib": kib / 2 ** 20,
                      "recall@20": float(result["recall@20"]), "ndcg@20": float(result["ndcg@20"])}))


main()
