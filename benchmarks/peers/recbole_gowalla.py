"""What the scripts beside RecBole share: its mends, and Gowalla as it wants to read it.

RecBole 1.2.1 asks NumPy for names and SciPy for a method that are gone; both are put back here, before it is
imported.
"""

import os

import numpy as np

for name, kind in {"bool": bool, "int": int, "float": float, "object": object, "long": int, "unicode": str,
                   "float_": np.float64, "complex_": np.complex128, "bool8": np.bool_}.items():
    if name not in np.__dict__:
        setattr(np, name, kind)

import scipy.sparse  # noqa: E402

scipy.sparse.dok_matrix._update = lambda self, entries: self._dict.update(entries)

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402


def write_part(folder, part, lines):
    with open(os.path.join(folder, f"gowalla.{part}.inter"), "w") as out:
        out.write("user_id:token\titem_id:token\n")
        for user, *items in lines:
            out.writelines(f"{user}\t{item}\n" for item in items)


def prepare(model, train_path, test_path, root, **options):
    """The config, the data set, and its training and test parts; all files lie below `root`."""
    folder = os.path.join(root, "gowalla")
    os.mkdir(folder)
    test = [line.split() for line in open(test_path)]
    write_part(folder, "train", [line.split() for line in open(train_path)])
    # A validation part must be there and is not used: one interaction of the test.
    write_part(folder, "valid", [test[0][:2]])
    write_part(folder, "test", test)
    config = Config(model=model, dataset="gowalla", config_dict={
        "data_path": root, "benchmark_filename": ["train", "valid", "test"],
        "load_col": {"inter": ["user_id", "item_id"]},
        "eval_args": {"mode": "full", "order": "RO", "group_by": "user"}, "metrics": ["Recall", "NDCG"],
        "topk": [20], "valid_metric": "Recall@20", "use_gpu": False, "eval_batch_size": 4096,
        "show_progress": False, "state": "ERROR", "checkpoint_dir": root, **options})
    dataset = create_dataset(config)
    train_data, _, test_data = data_preparation(config, dataset)
    return config, dataset, train_data, test_data
