"""RecBole's full-ranking evaluation of given matrix-factorisation vectors, timed. Prints JSON.

Three things keep RecBole 1.2.1 from running beside current libraries and are mended here, before it is
imported: it loads its own checkpoints with torch.load, whose default has changed; it asks NumPy for
names that are gone; and its trainer wants a file that this benchmark has no use for.
"""

import json
import os
import sys
import tempfile
import time

import numpy as np

for name, kind in {"bool": bool, "int": int, "float": float, "object": object, "long": int, "unicode": str,
                   "float_": np.float64, "complex_": np.complex128, "bool8": np.bool_}.items():
    if name not in np.__dict__:
        setattr(np, name, kind)

import torch  # noqa: E402
from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.model.general_recommender import BPR  # noqa: E402
from recbole.trainer import Trainer  # noqa: E402


def write_part(folder, part, lines):
    with open(os.path.join(folder, f"gowalla.{part}.inter"), "w") as out:
        out.write("user_id:token\titem_id:token\n")
        for user, *items in lines:
            out.writelines(f"{user}\t{item}\n" for item in items)


def main():
    users_path, items_path, train_path, test_path, rounds = sys.argv[1:]
    with tempfile.TemporaryDirectory() as root:
        folder = os.path.join(root, "gowalla")
        os.mkdir(folder)
        train = [line.split() for line in open(train_path)]
        test = [line.split() for line in open(test_path)]
        write_part(folder, "train", train)
        # A validation part must be there and is not used: one interaction of the test.
        write_part(folder, "valid", [test[0][:2]])
        write_part(folder, "test", test)
        config = Config(model="BPR", dataset="gowalla", config_dict={
            "data_path": root, "benchmark_filename": ["train", "valid", "test"], "embedding_size": 64,
            "load_col": {"inter": ["user_id", "item_id"]}, "eval_args": {"mode": "full", "order": "RO",
                                                                         "group_by": "user"},
            "metrics": ["Recall", "NDCG"], "topk": [20], "valid_metric": "Recall@20", "use_gpu": False,
            "eval_batch_size": 4096, "show_progress": False, "state": "ERROR", "checkpoint_dir": root})
        dataset = create_dataset(config)
        train_data, _, test_data = data_preparation(config, dataset)
        model = BPR(config, train_data.dataset)
        with torch.no_grad():
            for field, path, table in (("user_id", users_path, model.user_embedding),
                                       ("item_id", items_path, model.item_embedding)):
                vectors = torch.from_numpy(np.load(path)).float()
                for token, row in dataset.field2token_id[field].items():
                    if token != "[PAD]":
                        table.weight[row] = vectors[int(token)]
        trainer = Trainer(config, model)
        seconds, result = [], None
        for _ in range(int(rounds)):
            begin = time.perf_counter()
            result = trainer.evaluate(test_data, load_best_model=False)
            seconds.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": seconds, "recall@20": float(result["recall@20"]),
                      "ndcg@20": float(result["ndcg@20"])}))


main()
