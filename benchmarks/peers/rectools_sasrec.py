"""One epoch of RecTools' SASRec on a file of sequences, timed, and its quality on the test items.

Leave-one-out as in reckon: the last item of a user is the test, the one before it the validation, the
rest is training; the history at test time holds the validation item, and seen items are left out.
Prints one line of JSON.
"""

import argparse
import json
import math
import os
import time
import warnings

warnings.filterwarnings("ignore")

import pandas as pd  # noqa: E402
import pytorch_lightning as pl  # noqa: E402
import torch  # noqa: E402
from rectools import Columns  # noqa: E402
from rectools.dataset import Dataset  # noqa: E402
from rectools.models import SASRecModel  # noqa: E402


class EpochClock(pl.Callback):
    """Of the class, since the trainer may work with a copy."""

    begin = seconds = None

    def on_train_epoch_start(self, trainer, module):
        EpochClock.begin = time.perf_counter()

    def on_train_epoch_end(self, trainer, module):
        EpochClock.seconds = time.perf_counter() - EpochClock.begin


def interactions(path, drop_last):
    users, items, places = [], [], []
    for line in open(path):
        user, *sequence = line.split()
        kept = sequence[: len(sequence) - drop_last]
        users += [user] * len(kept)
        items += kept
        places += range(len(kept))
    frame = pd.DataFrame({Columns.User: users, Columns.Item: items, Columns.Weight: 1.0})
    frame[Columns.Datetime] = pd.to_datetime(places, unit="s")
    return frame


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--blocks", type=int, required=True)
    parser.add_argument("--heads", type=int, required=True)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--max-length", type=int, default=50)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--loss", choices=["softmax", "sampled_softmax"], required=True)
    parser.add_argument("--negatives", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    pl.seed_everything(arguments.seed)

    def trainer():
        return pl.Trainer(max_epochs=arguments.epochs, min_epochs=arguments.epochs, accelerator="cpu", devices=1,
                          logger=False, enable_checkpointing=False, enable_progress_bar=False,
                          enable_model_summary=False, callbacks=[EpochClock()])

    train, history = interactions(arguments.file, 2), interactions(arguments.file, 1)
    model = SASRecModel(
        n_factors=arguments.dim, n_blocks=arguments.blocks, n_heads=arguments.heads,
        session_max_len=arguments.max_length, dropout_rate=arguments.dropout, loss=arguments.loss,
        n_negatives=arguments.negatives, batch_size=arguments.batch_size, epochs=arguments.epochs,
        lr=1e-3, dataloader_num_workers=0, get_trainer_func=trainer, recommend_batch_size=256)
    model.fit(Dataset.construct(train))

    known = set(train[Columns.Item])
    test = {user: last for user, *_, last in (line.split() for line in open(arguments.file))}
    begin = time.perf_counter()
    # Items that training has not seen have no vector in it: they stay out of the history.
    lists = model.recommend(history[Columns.User].unique(),
                            Dataset.construct(history[history[Columns.Item].isin(known)]), k=10, filter_viewed=True)
    recommend_seconds = time.perf_counter() - begin
    hits = lists[lists[Columns.Item] == lists[Columns.User].map(test)]
    print(json.dumps({
        "epoch_seconds": EpochClock.seconds,
        "recommend_seconds": recommend_seconds,
        "recall@10": len(hits) / len(test),
        "ndcg@10": sum(1 / math.log2(rank + 1) for rank in hits[Columns.Rank]) / len(test),
        "threads": torch.get_num_threads(),
        "processes": os.cpu_count(),
    }))


main()
