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

HISTORY = "{history: {max_length: 10, encoder: {type: mean_pooling}}}"
MODELS = {
    "transformer": "{preset: esasrec, dim: 16, user: {history: {max_length: 10, encoder: {hidden: 16}}}}",
    "users": "{preset: bpr_mf, dim: 16}",
    "users_and_histories": "{family: retrieval, dim: 16, user: {id: {}, history: {max_length: 10, encoder: "
                           "{type: mean_pooling}}}, scorer: {type: dot, user_bias: true}, objectives: [{type: bpr}]}",
    "mlp": "{family: retrieval, dim: 16, user: " + HISTORY + ", scorer: {type: mlp}, objectives: [{type: bce}]}",
    "popularity": "popularity",
    "neighbors": "{preset: item_knn}",
    "graph": "{preset: lightgcn, dim: 16}",
}
NUM_ITEMS = 40


def write_data(folder):
    draw = random.Random(3)
    with open(folder / "sequences.txt", "w") as out:
        for user in range(80):
            items = draw.sample(range(NUM_ITEMS), draw.randint(5, 15))
            out.write(" ".join([f"user-{user}"] + [f"item_é{item}" for item in items]) + "\n")
    with open(folder / "items.tsv", "w") as out:
        out.write("item\ttitle\tyear\n")
        for item in range(NUM_ITEMS):
            out.write(f"item_é{item}\tTitle “{item}”\t{1990 + item}\n")


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"reckon {' '.join(map(str, arguments))} failed:\n{done.stderr}")
    return done.stdout


class File:
    """One exported file, called from Python and, as `reckon recommend`, from C++."""

    def __init__(self, program, folder, name, model):
        self.program, self.folder, self.name = program, folder, name
        experiment = folder / f"{name}.yaml"
        experiment.write_text(
            f"data:\n  directory: {json.dumps(str(folder))}\n  cache: {json.dumps(str(folder / 'cache'))}\n"
            "  files:\n    interactions: {path: sequences.txt, format: sequences}\n"
            "    items: {path: items.tsv, display: [title, year]}\n  split: {type: leave_one_out}\n"
            f"model: {model}\nexport: {{include_users: true, sidecar: true}}\n")
        run(program, "train", experiment, "--quiet", "--limit-batches", 3, "--run", folder / name)
        self.path = folder / f"{name}.pt"
        run(program, "export", folder / name, "--output", self.path)
        self.loaded = torch.jit.load(str(self.path))
        self.description = json.loads(self.loaded.describe())
        assert self.description["num_items"] == NUM_ITEMS, self.description
        ids = json.loads((folder / f"{name}.pt.ids.json").read_text())
        self.items, self.users = ids["items"], ids["users"]

    def offers(self, method):
        return self.description["methods"][method]["available"]

    def ask(self, requests, extra=()):
        lines = self.folder / "requests.jsonl"
        lines.write_text("".join(json.dumps(request) + "\n" for request in requests))
        answers = run(self.program, "recommend", self.path, "--input", lines, "--format", "json", *extra)
        answers = [json.loads(line)["items"] for line in answers.splitlines()]
        assert len(answers) == len(requests), (self.name, requests, answers)
        return answers

    def same(self, ranking, requests, extra=()):
        lists, scores = ranking
        assert len(lists) == len(requests), (self.name, requests, lists)
        for row, expected in enumerate(self.ask(requests, extra)):
            assert [item["item"] for item in expected] == lists[row], (self.name, requests[row], expected, lists[row])
            for column, item in enumerate(expected):
                assert abs(item["score"] - float(scores[row, column])) < 1e-4, (self.name, requests[row], column)
        assert any(lists), (self.name, requests)

    def same_score(self, scores, requests, items):
        """`scores` [B, C] of the same `items` for all are those of the whole lists."""
        whole = self.ask([{**request, "k": NUM_ITEMS} for request in requests])
        assert list(scores.shape) == [len(requests), len(items)], (self.name, scores.shape)
        for row, answer in enumerate(whole):
            by_item = {item["item"]: item["score"] for item in answer}
            for column, item in enumerate(items):
                if item not in by_item:
                    assert scores[row, column].isnan(), (self.name, requests[row], item)
                else:
                    assert abs(by_item[item] - float(scores[row, column])) < 1e-4, (self.name, requests[row], item)


def check_histories(file):
    loaded = file.loaded
    histories = [["item_é1", "item_é7"], ["item_é3"], ["unknown", "item_é2"], [], ["item_é%d" % i for i in range(25)]]
    requests = [{"history": history} for history in histories]
    for k in (1, 5, 100):
        file.same(loaded.recommend(histories, k), [{**request, "k": k} for request in requests])
    file.same(loaded.recommend(histories, 5, histories), [{**request, "k": 5} for request in requests], ["--exclude-seen"])
    some = ["item_é4", "unknown", "item_é30", "item_é7", "item_é12"]
    file.same(loaded.recommend(histories, 3, [["item_é12"]] * len(histories), some),
              [{**request, "k": 3, "candidates": some, "exclude": ["item_é12"]} for request in requests])
    file.same_score(loaded.score(histories, [some]), requests, some)


def check_users(file):
    loaded = file.loaded
    users = ["user-0", "user-41", "nobody"]
    requests = [{"user": user} for user in users]
    file.same(loaded.recommend_user(users, 6), [{**request, "k": 6} for request in requests])
    file.same(loaded.recommend_user(users, NUM_ITEMS, exclude_seen=True),
              [{**request, "k": NUM_ITEMS, "exclude_seen": True} for request in requests])
    lists, _ = loaded.recommend_user(["user-0"], NUM_ITEMS, exclude_seen=True)
    with open(file.folder / "sequences.txt") as lines:
        seen = lines.readline().split()[1:]
    assert sorted(lists[0] + seen) == sorted(file.items), (file.name, "all that user-0 has is left out, and no more")
    some = ["item_é4", "unknown", "item_é30", "item_é7"]
    file.same(loaded.recommend_user(users, 2, [], some), [{**request, "k": 2, "candidates": some} for request in requests])
    file.same_score(loaded.score_user(users, [some]), requests, some)
    assert loaded.items_left_out(users) == [0, 0, 0]
    if not file.offers("recommend"):
        return
    histories = [["item_é1", "item_é7"], [], ["item_é3", "unknown"]]
    file.same(loaded.recommend_user(users, 6, histories=histories),
              [{"user": user, "history": history, "k": 6} for user, history in zip(users, histories)])


def check_similar(file):
    items = ["item_é1", "unknown", "item_é39"]
    file.same(file.loaded.similar_items(items, 7), [{"similar_to": item, "k": 7} for item in items])


def check_display(file):
    items = ["item_é7", "unknown", "item_é0"]
    shown = file.loaded.display(items)
    assert shown == [{"title": "Title “7”", "year": "1997"}, {"title": "", "year": ""},
                     {"title": "Title “0”", "year": "1990"}], (file.name, shown)
    request = {"user": "user-0"} if file.offers("recommend_user") else {"history": ["item_é1"]}
    for answer in file.ask([request])[0]:
        assert [{"title": answer["title"], "year": answer["year"]}] == file.loaded.display([answer["item"]])


def check_tensors(file):
    """forward and top_k take dense ids, line numbers of the sidecar."""
    length, reads_users = file.description["max_length"], file.description["reads_users"]
    user, history = "user-41", ["item_é1", "item_é7", "item_é3"]
    request, inputs = {"k": NUM_ITEMS}, []
    if reads_users or length == 0:
        request["user"] = user
        inputs.append(torch.tensor([file.users.index(user)]))
    if length > 0:
        request["history"] = history
        inputs.append(torch.tensor([[-2, -2] + [file.items.index(item) for item in history]]))
    scores = file.loaded(*inputs)
    assert list(scores.shape) == [1, NUM_ITEMS]
    answer = file.ask([request])[0]
    assert len(answer) == NUM_ITEMS
    for item in answer:
        assert abs(float(scores[0, file.items.index(item["item"])]) - item["score"]) < 1e-4, (file.name, item)
    best, values = file.loaded.top_k(*inputs, 5)
    assert [file.items[item] for item in best[0].tolist()] == [item["item"] for item in answer[:5]], file.name
    assert torch.allclose(values[0], torch.tensor([item["score"] for item in answer[:5]]), atol=1e-4), file.name


def check_explanations(file):
    items = ["item_é4", "item_é30", "unknown"]
    asked = {"--history": ["item_é1,item_é7", "item_é3", "unknown,item_é2"], "--user": ["user-0", "user-41", "nobody"]}
    for option, requests in asked.items():
        if option == "--history":
            histories = [request.split(",") for request in requests]
            names, shares, others, rest = file.loaded.explain(histories, items, 2)
            scores = file.loaded.score(histories, [[item] for item in items])[:, 0]
        else:
            names, shares, others, rest = file.loaded.explain_user(requests, items, 2)
            scores = file.loaded.score_user(requests, [[item] for item in items])[:, 0]
        assert torch.allclose(shares.sum(1) + others + rest, scores, atol=1e-4, equal_nan=True), (file.name, option)
        for row, (request, item) in enumerate(zip(requests, items)):
            told = json.loads(run(file.program, "explain", file.path, option, request, "--item", item, "-k", 2, "--json"))
            assert [source["item"] for source in told["sources"]] == names[row], (file.name, request, item, told, names)
            for column, source in enumerate(told["sources"]):
                assert abs(source["contribution"] - float(shares[row, column])) < 1e-4, (file.name, request, item)


CHECKS = {"recommend": check_histories, "recommend_user": check_users, "similar_items": check_similar,
          "display": check_display, "forward": check_tensors, "explain": check_explanations}


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_data(folder)
    times = dict.fromkeys(CHECKS, 0)
    for name, model in MODELS.items():
        file = File(program, folder, name, model)
        for method, check in CHECKS.items():
            if file.offers(method):
                check(file)
                times[method] += 1
    assert min(times.values()) > 2, times
    print(f"{len(MODELS)} files give the same in Python as in C++: {times}")


main()
