"""Reference values of the metrics, from their definitions in plain Python.

Run from the root of the project:
    python3 tests/references/metrics_reference.py > tests/evaluation/metrics_reference.h

Written apart from evaluation/metrics.cpp and in the slow obvious way: pairs are looped over where
the library sorts or sums. Inputs are integers from a linear congruential generator, so both sides
hold exactly the same numbers.
"""

import math
import platform


class Lcg:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) % 2**31
        return (self.state >> 8) % n

    def distinct(self, count, n):
        out = []
        while len(out) < count:
            x = self.below(n)
            if x not in out:
                out.append(x)
        return out


def recall(ranked, relevant, k):
    return len(set(ranked[:k]) & set(relevant)) / len(relevant)


def precision(ranked, relevant, k):
    return len(set(ranked[:k]) & set(relevant)) / k


def hit_rate(ranked, relevant, k):
    return float(any(i in relevant for i in ranked[:k]))


def mrr(ranked, relevant, k):
    for place, item in enumerate(ranked[:k], start=1):
        if item in relevant:
            return 1 / place
    return 0.0


def average_precision(ranked, relevant, k):
    total = 0.0
    for place, item in enumerate(ranked[:k], start=1):
        if item in relevant:
            total += precision(ranked, relevant, place)
    return total / min(len(relevant), k)


def ndcg(ranked, relevant, k):
    def dcg(gains):
        return sum(g * math.log(2) / math.log(place + 1) for place, g in enumerate(gains, start=1))

    gains = [1 if i in relevant else 0 for i in ranked[:k]]
    ideal = ([1] * len(relevant))[:k]
    return dcg(gains) / dcg(ideal)


def auc(relevant, others):
    won = sum(1.0 if r > o else 0.5 if r == o else 0.0 for r in relevant for o in others)
    return won / (len(relevant) * len(others))


def gini(counts):
    # Half the relative mean absolute difference.
    mean = sum(counts) / len(counts)
    differences = sum(abs(a - b) for a in counts for b in counts)
    return differences / (2 * len(counts) ** 2 * mean)


def novelty(ranked, counts):
    total = sum(counts)
    return sum(-math.log(max(counts[i], 1) / total, 2) for i in ranked) / len(ranked)


def diversity(vectors):
    cosines = []
    for a in range(len(vectors)):
        for b in range(a):
            dot = sum(x * y for x, y in zip(vectors[a], vectors[b]))
            length = math.sqrt(sum(x * x for x in vectors[a]) * sum(y * y for y in vectors[b]))
            cosines.append(dot / length if length else 0.0)
    return 1 - sum(cosines) / len(cosines)


def braces(values):
    return "{" + ", ".join(repr(v) for v in values) + "}"


def main():
    print("#pragma once\n")
    print("// Made by tests/references/metrics_reference.py, Python " + platform.python_version() + ".")
    print("// clang-format off\n")
    print("#include <cstdint>\n#include <vector>\n")
    print("namespace reckon::reference {\n")
    print("struct RankingCase {")
    print("  std::vector<int64_t> list, relevant;")
    print("  int64_t k;")
    print("  double recall, ndcg, hit_rate, mrr, average_precision, precision;\n};")
    print("inline const std::vector<RankingCase> kRanking = {")
    random = Lcg(1)
    for items, length, num_relevant, k in [
        (1, 1, 1, 1), (5, 5, 2, 1), (5, 5, 2, 3), (5, 5, 5, 3), (5, 3, 4, 10), (20, 10, 1, 10),
        (20, 10, 3, 5), (20, 20, 7, 20), (20, 20, 7, 25), (50, 30, 12, 10), (50, 50, 25, 40),
        (100, 10, 1, 10), (100, 100, 40, 77), (12, 12, 3, 2), (12, 4, 6, 4)]:
        ranked = random.distinct(length, items)
        relevant = sorted(random.distinct(num_relevant, items))
        row = [f(ranked, relevant, k)
               for f in (recall, ndcg, hit_rate, mrr, average_precision, precision)]
        print(f"    {{{braces(ranked)}, {braces(relevant)}, {k}, {', '.join(map(repr, row))}}},")
    print("};\n")

    print("struct AucCase {\n  std::vector<float> relevant, others;\n  double auc;\n};")
    print("inline const std::vector<AucCase> kAuc = {")
    for num_relevant, num_others, levels in [(1, 1, 2), (1, 9, 100), (3, 10, 4), (8, 25, 1000), (5, 40, 3)]:
        relevant = [random.below(levels) for _ in range(num_relevant)]
        others = [random.below(levels) for _ in range(num_others)]
        print(f"    {{{braces(relevant)}, {braces(others)}, {auc(relevant, others)!r}}},")
    print("};\n")

    print("struct RatingCase {\n  std::vector<float> predictions, labels;\n  double rmse, mae;\n};")
    print("inline const std::vector<RatingCase> kRating = {")
    for n in (1, 2, 7, 30):
        # Quarters are exact in a float.
        predictions = [random.below(20) / 4 for _ in range(n)]
        labels = [float(1 + random.below(5)) for _ in range(n)]
        squares = [(p - l) ** 2 for p, l in zip(predictions, labels)]
        errors = [abs(p - l) for p, l in zip(predictions, labels)]
        print(f"    {{{braces(predictions)}, {braces(labels)}, "
              f"{math.sqrt(sum(squares) / n)!r}, {sum(errors) / n!r}}},")
    print("};\n")

    print("struct GiniCase {\n  std::vector<int64_t> counts;\n  double gini, coverage;\n};")
    print("inline const std::vector<GiniCase> kGini = {")
    for n, top in [(1, 5), (4, 2), (10, 30), (40, 4), (25, 1000)]:
        counts = [random.below(top) for _ in range(n)]
        counts[0] += 1
        covered = sum(1 for c in counts if c) / n
        print(f"    {{{braces(counts)}, {gini(counts)!r}, {covered!r}}},")
    print("};\n")

    print("struct ListCase {")
    print("  std::vector<int64_t> list, counts;\n  std::vector<std::vector<float>> vectors;")
    print("  double average_popularity, novelty, diversity;\n};")
    print("inline const std::vector<ListCase> kLists = {")
    for items, length, width in [(4, 2, 1), (6, 3, 2), (12, 10, 4), (30, 20, 8)]:
        counts = [random.below(9) * random.below(9) for _ in range(items)]
        counts[0] += 1
        vectors = [[float(random.below(7) - 3) for _ in range(width)] for _ in range(items)]
        ranked = random.distinct(length, items)
        popularity = sum(counts[i] for i in ranked) / length
        rows = "{" + ", ".join(braces(v) for v in vectors) + "}"
        print(f"    {{{braces(ranked)}, {braces(counts)}, {rows}, {popularity!r}, "
              f"{novelty(ranked, counts)!r}, {diversity([vectors[i] for i in ranked])!r}}},")
    print("};\n")
    print("}  // namespace reckon::reference")


if __name__ == "__main__":
    main()
