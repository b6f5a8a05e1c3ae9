"""An exported file gives the same lists in Python, with nothing but torch, as `reckon recommend` does.

Arguments: the program, an empty folder.
"""
import json
import pathlib
import random
import shutil
import subprocess
import sys

import torch

MODELS = {
    "transformer": "{preset: esasrec, dim: 16, user: {history: {max_length: 10, encoder: {hidden: 16}}}}",
    "recurrent": "{preset: gru4rec, dim: 16, user: {history: {max_length: 10}}}",
    "users": "{preset: bpr_mf, dim: 16}",
    "popularity": "popularity",
}


def write_data(folder):
    draw = random.Random(3)
    with open(folder / "sequences.txt", "w") as out:
        for user in range(80):
            items = draw.sample(range(40), draw.randint(5, 15))
            out.write(" ".join([f"user-{user}"] + [f"item_é{item}" for item in items]) + "\n")


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"reckon {' '.join(map(str, arguments))} failed:\n{done.stderr}")
    return done.stdout


def check(program, folder, name, model):
    experiment = folder / f"{name}.yaml"
    experiment.write_text(
        f"data:\n  directory: {json.dumps(str(folder))}\n  cache: {json.dumps(str(folder / 'cache'))}\n"
        "  files: {interactions: {path: sequences.txt, format: sequences}}\n  split: {type: leave_one_out}\n"
        f"model: {model}\nexport: {{include_users: true}}\n")
    run(program, "train", experiment, "--quiet", "--limit-batches", 3, "--run", folder / name)
    path = folder / f"{name}.pt"
    run(program, "export", folder / name, "--output", path)
    loaded = torch.jit.load(str(path))
    description = json.loads(loaded.describe())
    assert description["num_items"] == 40, description

    def same(lists, scores, requests, extra=()):
        lines = folder / "requests.jsonl"
        lines.write_text("".join(json.dumps(request) + "\n" for request in requests))
        answers = run(program, "recommend", path, "--input", lines, "--format", "json", *extra).splitlines()
        assert len(answers) == len(lists) == len(requests)
        for row, answer in enumerate(answers):
            expected = json.loads(answer)["items"]
            assert [item["item"] for item in expected] == lists[row], (name, row, expected, lists[row])
            for column, item in enumerate(expected):
                assert abs(item["score"] - float(scores[row, column])) < 1e-4, (name, row, column)

    if name != "users":
        histories = [["item_é1", "item_é7"], ["item_é3"], ["unknown", "item_é2"], [], ["item_é%d" % i for i in range(25)]]
        for k in (1, 5, 100):
            lists, scores = loaded.recommend(histories, k)
            same(lists, scores, [{"history": history, "k": k} for history in histories])
        lists, scores = loaded.recommend(histories, 5, histories)
        same(lists, scores, [{"history": history, "k": 5} for history in histories], ["--exclude-seen"])
    users = ["user-0", "user-41", "nobody"]
    lists, scores = loaded.recommend_user(users, 6)
    same(lists, scores, [{"user": user, "k": 6} for user in users])


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_data(folder)
    for name, model in MODELS.items():
        check(program, folder, name, model)
    print(f"{len(MODELS)} files give the same lists in Python as in C++")


main()
