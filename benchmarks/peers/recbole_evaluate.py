"""RecBole's full-ranking evaluation of given matrix-factorisation vectors, timed. Prints JSON."""

import json
import sys
import tempfile
import time

import recbole_gowalla  # first: it mends what the imports below run into
import numpy as np
import torch
from recbole.model.general_recommender import BPR
from recbole.trainer import Trainer


def main():
    users_path, items_path, train_path, test_path, rounds = sys.argv[1:]
    with tempfile.TemporaryDirectory() as root:
        config, dataset, train_data, test_data = recbole_gowalla.prepare("BPR", train_path, test_path, root,
                                                                         embedding_size=64)
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
