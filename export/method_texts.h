#pragma once

#include "core/ids.h"

/// The pieces of TorchScript that an exported file's methods are put together from, by methods.cpp.
///
/// Names between @ are filled in. Of pieces with the same function names one is chosen, by what a model has.
namespace reckon::method_text {

static_assert(kPaddingId == -2 && kUnknownId == -1, "the numbers stand in the sources below");

// --- From requests to scores. Every piece is written once; pieces that say the same thing for
// --- different models have the same function names, and one of each is chosen.

inline constexpr const char* kScoreByFactors = R"(
def pool_scores(self, states: List[Tensor], pool: Tensor, whole: bool) -> Tensor:
    queries = self.queries(states)
    items = self.factor_items if whole else self.factor_items[pool]
    scores = @REDUCE@
    return (scores@BIAS@@QUERY_BIAS@).float()
)";
inline constexpr const char* kReduceSum = "torch.matmul(queries.sum(1), items.t())";
inline constexpr const char* kReduceMax = "torch.amax(torch.matmul(queries, items.t()), [1])";
inline constexpr const char* kBias =
    " + (self.factor_bias if whole else self.factor_bias[pool]).unsqueeze(0)";
inline constexpr const char* kQueryBias = " + self.query_bias(states).unsqueeze(1)";

// Without an inner product, memory grows with rows x items x width: blocks bound it.
inline constexpr const char* kScoreByBlocks = R"(
def pool_scores(self, states: List[Tensor], pool: Tensor, whole: bool) -> Tensor:
    num_rows = states[0].size(0)
    parts: List[Tensor] = []
    for begin in range(0, pool.size(0), 4096):
        block = pool[begin:begin + 4096]
        parts.append(self.score_states(states, block.unsqueeze(0).expand(num_rows, -1)))
    return torch.cat(parts, 1).float()
)";

inline constexpr const char* kScoreAll = R"(
def pool_scores(self, states: List[Tensor], pool: Tensor, whole: bool) -> Tensor:
    scores = self.score_all(states)
    return (scores if whole else scores[:, pool]).float()
)";

// What is usable in a request is the model's to say.
inline constexpr const char* kUsable = R"(
def usable@OF@(self, @DECLARED@) -> Tensor:
    return self.model.traced_usable@OF@(@PASSED@)

def rank_scores@OF@(self, @DECLARED@, pool: Tensor, whole: bool) -> Tensor:
    scores = self.pool_scores(self.encode@OF@(@PASSED@), pool, whole)
    popular = self.fallback_scores if whole else self.fallback_scores[pool]
    scores = torch.where(self.usable@OF@(@PASSED@).unsqueeze(1), scores, popular.unsqueeze(0))
    return scores.masked_fill(scores != scores, -float('inf'))
)";

inline constexpr const char* kWithFallback = R"(
def candidate_scores(self, users: Tensor, history: Tensor, candidates: Tensor) -> Tensor:
    ids = candidates.clamp(0)
    scores = self.score_states(self.encode(users, history), ids).float()
    scores = torch.where(self.usable(users, history).unsqueeze(1), scores, self.fallback_scores[ids])
    return scores.masked_fill(candidates < 0, float('nan'))
)";

inline constexpr const char* kUsableAlways = R"(
def usable@OF@(self, @DECLARED@) -> Tensor:
    return users == users

def rank_scores@OF@(self, @DECLARED@, pool: Tensor, whole: bool) -> Tensor:
    scores = self.pool_scores(self.encode@OF@(@PASSED@), pool, whole)
    return scores.masked_fill(scores != scores, -float('inf'))
)";

inline constexpr const char* kWithoutFallback = R"(
def candidate_scores(self, users: Tensor, history: Tensor, candidates: Tensor) -> Tensor:
    scores = self.score_states(self.encode(users, history), candidates.clamp(0)).float()
    return scores.masked_fill(candidates < 0, float('nan'))
)";

// --- Ranking. Equal scores go by item index, which torch.topk does not promise: neither among the
// --- k best nor at the border, where others with the same score were left out.

inline constexpr const char* kRank = R"(
def select_best(self, scores: Tensor, count: int) -> Tuple[Tensor, Tensor]:
    values, places = torch.topk(scores, count, 1)
    places, order = torch.sort(places, 1)
    values = values.gather(1, order)
    values, order = torch.sort(values, stable=True, dim=1, descending=True)
    places = places.gather(1, order)
    worst = values[:, count - 1:count]
    at_border = ((scores >= worst).sum(1) > count).logical_and(worst.squeeze(1) > -float('inf'))
    rows: List[int] = at_border.nonzero().squeeze(1).tolist()
    for row in rows:
        at = (scores[row] >= worst[row]).nonzero().squeeze(1)
        best, order = torch.sort(scores[row][at], stable=True, dim=0, descending=True)
        values[row] = best[:count]
        places[row] = at[order[:count]]
    return places, values

)";

// The same for requests of ids and for those of features, with other tensors in them.
inline constexpr const char* kRankRows = R"(
def rank@OF@(self, @DECLARED@, k: int, exclude: Tensor, pool: Tensor, whole: bool) -> Tuple[Tensor, Tensor]:
    if k < 1:
        raise ValueError("k must be at least 1, got " + str(k))
    num_rows = users.size(0)
    count = min(k, pool.size(0))
    if num_rows == 0 or count == 0:
        return torch.full([num_rows, 0], -2, dtype=torch.long), torch.full([num_rows, 0], 0.0)
    step = max(1, @BLOCK@ // @WIDTH@)
    items: List[Tensor] = []
    values: List[Tensor] = []
    for begin in range(0, num_rows, step):
        end = min(begin + step, num_rows)
        scores = self.rank_scores@OF@(@BLOCK_PASSED@, pool, whole)
        inside = exclude[:, (exclude[0] >= begin).logical_and(exclude[0] < end)]
        if inside.size(1) > 0:
            places = torch.searchsorted(pool, inside[1]).clamp(0, pool.size(0) - 1)
            found = pool[places] == inside[1]
            scores = scores.index_put([inside[0][found] - begin, places[found]], torch.tensor(-float('inf')))
        best, value = self.select_best(scores, count)
        items.append(pool[best].masked_fill(value == -float('inf'), -2))
        values.append(value)
    return torch.cat(items), torch.cat(values)
)";

inline constexpr const char* kWholePool = R"(
def whole_pool(self) -> Tensor:
    return torch.arange(@NUM_ITEMS@)
)";

// --- Raw ids in and out.

inline constexpr const char* kNames = R"(
def pairs(self, lists: List[List[str]]) -> Tensor:
    flat: List[str] = []
    rows: List[int] = []
    for row in range(len(lists)):
        for id in lists[row]:
            flat.append(id)
            rows.append(row)
    ids = self.item_ids.find(flat)
    return torch.stack([torch.tensor(rows, dtype=torch.long), ids])[:, ids >= 0]

def pad(self, pairs: Tensor, num_rows: int) -> Tensor:
    counts = torch.bincount(pairs[0], None, num_rows)
    begins = counts.cumsum(0) - counts
    back = counts[pairs[0]] - 1 - (torch.arange(pairs.size(1)) - begins[pairs[0]])
    width = min(@MAX_LENGTH@, max(1, int(counts.max())))
    kept = back < width
    history = torch.full([num_rows, width], -2, dtype=torch.long)
    return history.index_put([pairs[0][kept], width - 1 - back[kept]], pairs[1][kept])

def pool_of(self, candidates: List[str]) -> Tensor:
    if len(candidates) == 0:
        return self.whole_pool()
    ids = self.item_ids.find(candidates)
    known, order = torch.sort(ids[ids >= 0])
    distinct, inverse, counts = torch.unique_consecutive(known)
    return distinct

def unknown_users(self, num_rows: int) -> Tensor:
    return torch.full([num_rows], -1, dtype=torch.long)

def check_rows(self, what: str, got: int, wanted: int):
    if got != wanted:
        raise ValueError(what + " must have one list for each of the " + str(wanted) + " requests, got " + str(got))

def name_rows(self, ranked: Tuple[Tensor, Tensor]) -> Tuple[List[List[str]], Tensor]:
    items, scores = ranked
    valid = items >= 0
    counts: List[int] = valid.sum(1).tolist()
    names = self.item_ids.texts(items[valid])
    out: List[List[str]] = []
    begin = 0
    width = 0
    for count in counts:
        out.append(names[begin:begin + count])
        begin += count
        width = max(width, count)
    return out, scores[:, :width]

def place_candidates(self, items: List[List[str]], num_rows: int) -> Tensor:
    if len(items) != 1:
        self.check_rows("items", len(items), num_rows)
    flat: List[str] = []
    places: List[int] = []
    width = 0
    for row in items:
        width = max(width, len(row))
    for i in range(len(items)):
        for j in range(len(items[i])):
            flat.append(items[i][j])
            places.append(i * width + j)
    candidates = torch.full([len(items) * width], -1, dtype=torch.long)
    candidates = candidates.index_put([torch.tensor(places, dtype=torch.long)], self.item_ids.find(flat))
    return candidates.reshape(len(items), width).expand(num_rows, width)

def known_items(self, ids: List[str]) -> List[bool]:
    out: List[bool] = (self.item_ids.find(ids) >= 0).tolist()
    return out

def describe(self) -> str:
    return self.description
)";

inline constexpr const char* kRecommend = R"(
def recommend(self, histories: List[List[str]], k: int, exclude: List[List[str]] = [], candidates: List[str] = []) -> Tuple[List[List[str]], Tensor]:
    if len(exclude) > 0:
        self.check_rows("exclude", len(exclude), len(histories))
    users = self.unknown_users(len(histories))
    history = self.dense_histories(histories)
    return self.name_rows(self.rank(users, history, k, self.pairs(exclude), self.pool_of(candidates), len(candidates) == 0))

def serves_histories(self, histories: List[List[str]]) -> List[bool]:
    out: List[bool] = self.usable(self.unknown_users(len(histories)), self.dense_histories(histories)).tolist()
    return out

def score(self, histories: List[List[str]], items: List[List[str]]) -> Tensor:
    users = self.unknown_users(len(histories))
    return self.candidate_scores(users, self.dense_histories(histories), self.place_candidates(items, len(histories)))
)";

// --- Users given by raw values of the columns that describe them. Each column has its own few lines,
// --- which features_source() puts together from these.

inline constexpr const char* kFeatures = R"(
def feature_texts(self, features: List[Dict[str, str]], column: int) -> List[str]:
    name = self.feature_names[column]
    out: List[str] = []
    for row in features:
        out.append(row[name].strip(self.feature_blanks) if name in row else "")
    return out

def check_feature_names(self, features: List[Dict[str, str]]):
    for row in features:
        for name in row.keys():
            if name not in self.feature_names:
                raise ValueError("there is no feature '" + name + "'; this file knows " + ", ".join(self.feature_names))

def list_codes(self, rows: List[int], codes: List[int], num_rows: int, length: int) -> Tensor:
    counts = [0] * num_rows
    out = [-2] * (num_rows * length)
    for i in range(len(codes)):
        begin = rows[i] * length
        count = counts[rows[i]]
        is_new = count < length
        for j in range(count):
            if out[begin + j] == codes[i]:
                is_new = False
        if is_new:
            out[begin + count] = codes[i]
            counts[rows[i]] = count + 1
    for row in range(num_rows):
        if counts[row] == 0:
            out[row * length] = -1
    return torch.tensor(out, dtype=torch.long).reshape(num_rows, length)

def feature_numbers(self, texts: List[str], name: str, from_zero: bool) -> Tensor:
    out: List[float] = []
    for text in texts:
        if len(text) == 0:
            out.append(float('nan'))
        else:
            # float() leaves what it cannot read to C++, whose sentence says nothing: so it is read here.
            digits = 0
            power_digits = 0
            power = 0
            is_number = True
            has_dot = False
            has_power = False
            before = "e"
            for c in text:
                digit = "0123456789".find(c)
                if digit >= 0:
                    if has_power:
                        power_digits += 1
                        power = min(power * 10 + digit, 1000)
                    else:
                        digits += 1
                elif c == "+" or c == "-":
                    is_number = is_number and before == "e"
                elif c == ".":
                    is_number = is_number and not has_dot and not has_power
                    has_dot = True
                elif c == "e" or c == "E":
                    is_number = is_number and not has_power and digits > 0
                    has_power = True
                else:
                    is_number = False
                before = "e" if c == "E" else c
            if has_power and power_digits == 0:
                is_number = False
            if not is_number or digits == 0 or digits + power > 300:
                raise ValueError(name + ": expected a number, got '" + text + "'")
            number = float(text)
            if from_zero and number < 0.0:
                raise ValueError(name + ": expected a number of at least 0, got '" + text + "'")
            out.append(number)
    return torch.tensor(out, dtype=torch.double).unsqueeze(1)
)";

inline constexpr const char* kReadFeatures = R"(
def read_features(self, features: List[Dict[str, str]]) -> Tuple[Tensor, Tensor]:
    self.check_feature_names(features)
    num_rows = len(features)
    codes: List[Tensor] = [torch.full([num_rows, 0], -2, dtype=torch.long)]
    numbers: List[Tensor] = [torch.full([num_rows, 0], 0.0, dtype=torch.double)]
@COLUMNS@    return torch.cat(codes, 1), torch.cat(numbers, 1)
)";
inline constexpr const char* kReadCategory = R"(
    codes.append(self.feature_@C@.find(self.feature_texts(features, @C@)).unsqueeze(1))
)";
inline constexpr const char* kReadCategories = R"(
    texts_@C@ = self.feature_texts(features, @C@)
    rows_@C@: List[int] = []
    values_@C@: List[str] = []
    for i in range(num_rows):
        for value in texts_@C@[i].split(self.feature_separators[@C@]):
            stripped = value.strip(self.feature_blanks)
            if len(stripped) > 0:
                rows_@C@.append(i)
                values_@C@.append(stripped)
    found_@C@: List[int] = self.feature_@C@.find(values_@C@).tolist()
    codes.append(self.list_codes(rows_@C@, found_@C@, num_rows, @LENGTH@))
)";
inline constexpr const char* kReadNumber = R"(
    numbers.append(self.feature_numbers(self.feature_texts(features, @C@), self.feature_names[@C@], @FROM_ZERO@))
)";

inline constexpr const char* kRecommendFeatures = R"(
def histories_beside(self, features: List[Dict[str, str]], histories: List[List[str]]) -> Tensor:
    if len(histories) > 0:
        self.check_rows("histories", len(histories), len(features))
        return self.dense_histories(histories)
    return torch.full([len(features), @EMPTY_WIDTH@], -2, dtype=torch.long)

def recommend_features(self, features: List[Dict[str, str]], k: int, exclude: List[List[str]] = [], candidates: List[str] = [], histories: List[List[str]] = []) -> Tuple[List[List[str]], Tensor]:
    if len(exclude) > 0:
        self.check_rows("exclude", len(exclude), len(features))
    users = self.unknown_users(len(features))
    history = self.histories_beside(features, histories)
    codes, numbers = self.read_features(features)
    return self.name_rows(self.rank_features(users, history, codes, numbers, k, self.pairs(exclude), self.pool_of(candidates), len(candidates) == 0))

def serves_features(self, features: List[Dict[str, str]], histories: List[List[str]] = []) -> List[bool]:
    users = self.unknown_users(len(features))
    codes, numbers = self.read_features(features)
    out: List[bool] = self.usable_features(users, self.histories_beside(features, histories), codes, numbers).tolist()
    return out
)";

inline constexpr const char* kReadHistories = R"(
def dense_histories(self, histories: List[List[str]]) -> Tensor:
    if len(histories) == 0:
        return torch.full([0, 1], -2, dtype=torch.long)
    return self.pad(self.pairs(histories), len(histories))
)";

inline constexpr const char* kReadNoHistories = R"(
def dense_histories(self, histories: List[List[str]]) -> Tensor:
    return torch.full([len(histories), 0], -2, dtype=torch.long)
)";

inline constexpr const char* kUsers = R"(
def histories_of(self, ids: Tensor, histories: List[List[str]]) -> Tensor:
    if len(histories) == 0:
        return self.stored_histories(ids)
    return self.sent_histories(ids, histories)

def recommend_user(self, users: List[str], k: int, exclude: List[List[str]] = [], candidates: List[str] = [], exclude_seen: bool = False, histories: List[List[str]] = []) -> Tuple[List[List[str]], Tensor]:
    if len(exclude) > 0:
        self.check_rows("exclude", len(exclude), len(users))
    ids = self.user_ids.find(users)
    history = self.histories_of(ids, histories)
    left_out = self.pairs(exclude)
    if exclude_seen:
        left_out = torch.cat([left_out, self.pairs(histories), self.seen_pairs(ids, len(histories) > 0)], 1)
    return self.name_rows(self.rank(ids, history, k, left_out, self.pool_of(candidates), len(candidates) == 0))

def score_user(self, users: List[str], items: List[List[str]], histories: List[List[str]] = []) -> Tensor:
    ids = self.user_ids.find(users)
    return self.candidate_scores(ids, self.histories_of(ids, histories), self.place_candidates(items, len(users)))

def serves_users(self, users: List[str], histories: List[List[str]] = []) -> List[bool]:
    ids = self.user_ids.find(users)
    out: List[bool] = self.usable(ids, self.histories_of(ids, histories)).tolist()
    return out

def known_users(self, users: List[str]) -> List[bool]:
    out: List[bool] = (self.user_ids.find(users) >= 0).tolist()
    return out
)";

inline constexpr const char* kSentHistories = R"(
def sent_histories(self, ids: Tensor, histories: List[List[str]]) -> Tensor:
    self.check_rows("histories", len(histories), ids.size(0))
    return self.dense_histories(histories)
)";

inline constexpr const char* kNoSentHistories = R"(
def sent_histories(self, ids: Tensor, histories: List[List[str]]) -> Tensor:
    raise ValueError("this model reads no history, it knows users by their ids; leave `histories` out")
)";

inline constexpr const char* kStoredItems = R"(
def stored_pairs(self, users: Tensor) -> Tensor:
    known = users.clamp(0)
    begins = self.user_offsets[known]
    counts = (self.user_offsets[known + 1] - begins).masked_fill(users < 0, 0)
    rows = torch.repeat_interleave(torch.arange(users.size(0)), counts)
    first = counts.cumsum(0) - counts
    places = begins[rows] + torch.arange(rows.size(0)) - first[rows]
    return torch.stack([rows, self.user_items[places].long()])

def seen_pairs(self, users: Tensor, sent: bool) -> Tensor:
    return self.stored_pairs(users)
)";

inline constexpr const char* kNoStoredItems = R"(
def seen_pairs(self, users: Tensor, sent: bool) -> Tensor:
    if not sent:
        raise RuntimeError("@NO_SEEN@")
    return torch.full([2, 0], 0, dtype=torch.long)
)";

// How many older items of each user export.user_items left out.
inline constexpr const char* kItemsLeftOut = R"(
def items_left_out(self, users: List[str]) -> List[int]:
    ids = self.user_ids.find(users)
    out: List[int] = self.user_left_out[ids.clamp(0)].long().masked_fill(ids < 0, 0).tolist()
    return out
)";

inline constexpr const char* kNoItemsLeftOut = R"(
def items_left_out(self, users: List[str]) -> List[int]:
    out: List[int] = []
    for user in users:
        out.append(0)
    return out
)";

inline constexpr const char* kStoredHistories = R"(
def stored_histories(self, users: Tensor) -> Tensor:
    if users.size(0) == 0:
        return torch.full([0, 1], -2, dtype=torch.long)
    return self.pad(self.stored_pairs(users), users.size(0))
)";

inline constexpr const char* kNoStoredHistories = R"(
def stored_histories(self, users: Tensor) -> Tensor:
    return torch.full([users.size(0), @EMPTY_WIDTH@], -2, dtype=torch.long)
)";

inline constexpr const char* kSimilar = R"(
def similar_items(self, items: List[str], k: int) -> Tuple[List[List[str]], Tensor]:
    if k < 1:
        raise ValueError("k must be at least 1, got " + str(k))
    if len(items) == 0:
        return self.name_rows((torch.full([0, 0], -2, dtype=torch.long), torch.full([0, 0], 0.0)))
    ids = self.item_ids.find(items)
    lengths = self.item_vectors.float().norm(2, 1, True).clamp(1e-12)
    vectors = self.item_vectors.float() / lengths
    cosines = torch.matmul(vectors[ids.clamp(0)], vectors.t())
    cosines = cosines.masked_fill(ids.unsqueeze(1) == self.whole_pool().unsqueeze(0), -float('inf'))
    cosines = cosines.masked_fill((ids < 0).unsqueeze(1), -float('inf'))
    places, values = self.select_best(cosines, min(k, cosines.size(1)))
    return self.name_rows((places.masked_fill(values == -float('inf'), -2), values))
)";

// --- Explanations. What has a share in a score goes by size, whatever its sign; equal ones keep
// --- the order that the model gives them in.

inline constexpr const char* kExplain = R"(
def contributions(self, users: Tensor, history: Tensor, items: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    return self.model.traced_contributions(users, history, items)

def explain_rows(self, users: Tensor, history: Tensor, items: List[str], k: int) -> Tuple[List[List[str]], Tensor, Tensor, Tensor]:
    num_rows = users.size(0)
    if k < 1:
        raise ValueError("k must be at least 1, got " + str(k))
    if len(items) != num_rows:
        raise ValueError("items must have one id for each of the " + str(num_rows) + " requests, got " + str(len(items)))
    names: List[List[str]] = []
    if num_rows == 0:
        return names, torch.full([0, 0], 0.0), torch.full([0], 0.0), torch.full([0], 0.0)
    found = self.item_ids.find(items)
    ids = found.clamp(0)
    usable = self.usable(users, history)
    sources, values, rest = self.contributions(users, history, ids)
    counted = usable.logical_and(found >= 0).unsqueeze(1)
    counted = counted.logical_and(sources >= 0).logical_and(values != 0.0)
    values = values.float().masked_fill(counted.logical_not(), 0.0)
    sizes, order = torch.sort(values.abs(), stable=True, dim=1, descending=True)
    values = values.gather(1, order)
    best = sources.masked_fill(counted.logical_not(), -2).gather(1, order)[:, :k]
    texts = self.@SOURCES@.texts(best[best >= 0])
    counts: List[int] = (best >= 0).sum(1).tolist()
    begin = 0
    width = 0
    for count in counts:
        names.append(texts[begin:begin + count])
        begin += count
        width = max(width, count)
    rest = torch.where(usable, rest.float(), self.fallback_scores[ids])
    return names, values[:, :width], values[:, k:].sum(1), rest.masked_fill(found < 0, float('nan'))
)";

inline constexpr const char* kExplainHistories = R"(
def explain(self, histories: List[List[str]], items: List[str], k: int = 10) -> Tuple[List[List[str]], Tensor, Tensor, Tensor]:
    return self.explain_rows(self.unknown_users(len(histories)), self.dense_histories(histories), items, k)
)";

inline constexpr const char* kExplainUsers = R"(
def explain_user(self, users: List[str], items: List[str], k: int = 10, histories: List[List[str]] = []) -> Tuple[List[List[str]], Tensor, Tensor, Tensor]:
    ids = self.user_ids.find(users)
    return self.explain_rows(ids, self.histories_of(ids, histories), items, k)
)";

// --- Tensors in and out.

inline constexpr const char* kForward = R"(
def forward(self, @INPUTS@) -> Tensor:
    return self.rank_scores(@USERS@, @HISTORY@, self.whole_pool(), True)

def top_k(self, @INPUTS@, k: int) -> Tuple[Tensor, Tensor]:
    nothing = torch.full([2, 0], 0, dtype=torch.long)
    return self.rank(@USERS@, @HISTORY@, k, nothing, self.whole_pool(), True)
)";

}  // namespace reckon::method_text
