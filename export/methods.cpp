#include "export/methods.h"

#include "core/ids.h"
#include "export/script.h"

namespace reckon {
namespace {

static_assert(kPaddingId == -2 && kUnknownId == -1, "the numbers stand in the sources below");

// --- From requests to scores. Every piece is written once; pieces that say the same thing for
// --- different models have the same function names, and one of each is chosen.

constexpr const char* kScoreByFactors = R"(
def pool_scores(self, states: List[Tensor], pool: Tensor, whole: bool) -> Tensor:
    queries = self.queries(states)
    items = self.factor_items if whole else self.factor_items[pool]
    scores = @REDUCE@
    return (scores@BIAS@@QUERY_BIAS@).float()
)";
constexpr const char* kReduceSum = "torch.matmul(queries.sum(1), items.t())";
constexpr const char* kReduceMax = "torch.amax(torch.matmul(queries, items.t()), [1])";
constexpr const char* kBias =
    " + (self.factor_bias if whole else self.factor_bias[pool]).unsqueeze(0)";
constexpr const char* kQueryBias = " + self.query_bias(states).unsqueeze(1)";

// Without an inner product, memory grows with rows x items x width: blocks bound it.
constexpr const char* kScoreByBlocks = R"(
def pool_scores(self, states: List[Tensor], pool: Tensor, whole: bool) -> Tensor:
    num_rows = states[0].size(0)
    parts: List[Tensor] = []
    for begin in range(0, pool.size(0), 4096):
        block = pool[begin:begin + 4096]
        parts.append(self.score_states(states, block.unsqueeze(0).expand(num_rows, -1)))
    return torch.cat(parts, 1).float()
)";

constexpr const char* kScoreAll = R"(
def pool_scores(self, states: List[Tensor], pool: Tensor, whole: bool) -> Tensor:
    scores = self.score_all(states)
    return (scores if whole else scores[:, pool]).float()
)";

// What is usable in a request is the model's to say.
constexpr const char* kUsable = R"(
def usable@OF@(self, @DECLARED@) -> Tensor:
    return self.model.traced_usable@OF@(@PASSED@)

def rank_scores@OF@(self, @DECLARED@, pool: Tensor, whole: bool) -> Tensor:
    scores = self.pool_scores(self.encode@OF@(@PASSED@), pool, whole)
    popular = self.fallback_scores if whole else self.fallback_scores[pool]
    scores = torch.where(self.usable@OF@(@PASSED@).unsqueeze(1), scores, popular.unsqueeze(0))
    return scores.masked_fill(scores != scores, -float('inf'))
)";

constexpr const char* kWithFallback = R"(
def candidate_scores(self, users: Tensor, history: Tensor, candidates: Tensor) -> Tensor:
    ids = candidates.clamp(0)
    scores = self.score_states(self.encode(users, history), ids).float()
    scores = torch.where(self.usable(users, history).unsqueeze(1), scores, self.fallback_scores[ids])
    return scores.masked_fill(candidates < 0, float('nan'))
)";

constexpr const char* kUsableAlways = R"(
def usable@OF@(self, @DECLARED@) -> Tensor:
    return users == users

def rank_scores@OF@(self, @DECLARED@, pool: Tensor, whole: bool) -> Tensor:
    scores = self.pool_scores(self.encode@OF@(@PASSED@), pool, whole)
    return scores.masked_fill(scores != scores, -float('inf'))
)";

constexpr const char* kWithoutFallback = R"(
def candidate_scores(self, users: Tensor, history: Tensor, candidates: Tensor) -> Tensor:
    scores = self.score_states(self.encode(users, history), candidates.clamp(0)).float()
    return scores.masked_fill(candidates < 0, float('nan'))
)";

// --- Ranking. Equal scores go by item index, which torch.topk does not promise: neither among the
// --- k best nor at the border, where others with the same score were left out.

constexpr const char* kRank = R"(
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
constexpr const char* kRankRows = R"(
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

constexpr const char* kWholePool = R"(
def whole_pool(self) -> Tensor:
    return torch.arange(@NUM_ITEMS@)
)";

// --- Raw ids in and out.

constexpr const char* kNames = R"(
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

constexpr const char* kRecommend = R"(
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

constexpr const char* kFeatures = R"(
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

constexpr const char* kReadFeatures = R"(
def read_features(self, features: List[Dict[str, str]]) -> Tuple[Tensor, Tensor]:
    self.check_feature_names(features)
    num_rows = len(features)
    codes: List[Tensor] = [torch.full([num_rows, 0], -2, dtype=torch.long)]
    numbers: List[Tensor] = [torch.full([num_rows, 0], 0.0, dtype=torch.double)]
@COLUMNS@    return torch.cat(codes, 1), torch.cat(numbers, 1)
)";
constexpr const char* kReadCategory = R"(
    codes.append(self.feature_@C@.find(self.feature_texts(features, @C@)).unsqueeze(1))
)";
constexpr const char* kReadCategories = R"(
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
constexpr const char* kReadNumber = R"(
    numbers.append(self.feature_numbers(self.feature_texts(features, @C@), self.feature_names[@C@], @FROM_ZERO@))
)";

constexpr const char* kRecommendFeatures = R"(
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

constexpr const char* kReadHistories = R"(
def dense_histories(self, histories: List[List[str]]) -> Tensor:
    if len(histories) == 0:
        return torch.full([0, 1], -2, dtype=torch.long)
    return self.pad(self.pairs(histories), len(histories))
)";

constexpr const char* kReadNoHistories = R"(
def dense_histories(self, histories: List[List[str]]) -> Tensor:
    return torch.full([len(histories), 0], -2, dtype=torch.long)
)";

constexpr const char* kUsers = R"(
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

constexpr const char* kSentHistories = R"(
def sent_histories(self, ids: Tensor, histories: List[List[str]]) -> Tensor:
    self.check_rows("histories", len(histories), ids.size(0))
    return self.dense_histories(histories)
)";

constexpr const char* kNoSentHistories = R"(
def sent_histories(self, ids: Tensor, histories: List[List[str]]) -> Tensor:
    raise ValueError("this model reads no history, it knows users by their ids; leave `histories` out")
)";

constexpr const char* kStoredItems = R"(
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

constexpr const char* kNoStoredItems = R"(
def seen_pairs(self, users: Tensor, sent: bool) -> Tensor:
    if not sent:
        raise RuntimeError("@NO_SEEN@")
    return torch.full([2, 0], 0, dtype=torch.long)
)";

// How many older items of each user export.user_items left out.
constexpr const char* kItemsLeftOut = R"(
def items_left_out(self, users: List[str]) -> List[int]:
    ids = self.user_ids.find(users)
    out: List[int] = self.user_left_out[ids.clamp(0)].long().masked_fill(ids < 0, 0).tolist()
    return out
)";

constexpr const char* kNoItemsLeftOut = R"(
def items_left_out(self, users: List[str]) -> List[int]:
    out: List[int] = []
    for user in users:
        out.append(0)
    return out
)";

constexpr const char* kStoredHistories = R"(
def stored_histories(self, users: Tensor) -> Tensor:
    if users.size(0) == 0:
        return torch.full([0, 1], -2, dtype=torch.long)
    return self.pad(self.stored_pairs(users), users.size(0))
)";

constexpr const char* kNoStoredHistories = R"(
def stored_histories(self, users: Tensor) -> Tensor:
    return torch.full([users.size(0), @EMPTY_WIDTH@], -2, dtype=torch.long)
)";

constexpr const char* kSimilar = R"(
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

constexpr const char* kExplain = R"(
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

constexpr const char* kExplainHistories = R"(
def explain(self, histories: List[List[str]], items: List[str], k: int = 10) -> Tuple[List[List[str]], Tensor, Tensor, Tensor]:
    return self.explain_rows(self.unknown_users(len(histories)), self.dense_histories(histories), items, k)
)";

constexpr const char* kExplainUsers = R"(
def explain_user(self, users: List[str], items: List[str], k: int = 10, histories: List[List[str]] = []) -> Tuple[List[List[str]], Tensor, Tensor, Tensor]:
    ids = self.user_ids.find(users)
    return self.explain_rows(ids, self.histories_of(ids, histories), items, k)
)";

// --- Tensors in and out.

constexpr const char* kForward = R"(
def forward(self, @INPUTS@) -> Tensor:
    return self.rank_scores(@USERS@, @HISTORY@, self.whole_pool(), True)

def top_k(self, @INPUTS@, k: int) -> Tuple[Tensor, Tensor]:
    nothing = torch.full([2, 0], 0, dtype=torch.long)
    return self.rank(@USERS@, @HISTORY@, k, nothing, self.whole_pool(), True)
)";

std::string refusing(const MethodDescription& method) {
  return "\ndef " + method.name + method.signature + ":\n    raise RuntimeError(\"" +
         method.refusal + "\")\n";
}

// `states[0], states[1]`
std::string spread_states(int64_t count) {
  std::string out;
  for (int64_t i = 0; i < count; ++i)
    out += (i > 0 ? ", " : "") + std::string("states[") + std::to_string(i) + "]";
  return out;
}

// What the methods that rank are called, and what they are given of each request.
struct RequestForm {
  std::string suffix;
  std::vector<std::string> tensors;
};

std::vector<RequestForm> request_forms(const Description& d) {
  std::vector<RequestForm> forms = {{"", {"users", "history"}}};
  if (d.user_features) forms.push_back({"_features", {"users", "history", "codes", "numbers"}});
  return forms;
}

std::string in_form(const std::string& source, const RequestForm& form) {
  std::string declared, passed, block;
  for (const auto& name : form.tensors) {
    const std::string comma = declared.empty() ? "" : ", ";
    declared += comma + name + ": Tensor";
    passed += comma + name;
    block += comma + name + "[begin:end]";
  }
  auto out = replaced(source, "@OF@", form.suffix);
  out = replaced(out, "@DECLARED@", declared);
  out = replaced(out, "@BLOCK_PASSED@", block);
  return replaced(out, "@PASSED@", passed);
}

std::string model_calls(const Description& d) {
  const auto states = spread_states(d.num_states);
  std::string names;
  for (int64_t i = 0; i < d.num_states; ++i) names += (i > 0 ? ", s" : "s") + std::to_string(i);
  std::string encode = "\ndef encode@OF@(self, @DECLARED@) -> List[Tensor]:\n    ";
  encode += names + " = self.model.traced_encode@OF@(@PASSED@)\n    return [" + names + "]\n";
  std::string out;
  for (const auto& form : request_forms(d)) out += in_form(encode, form);
  out +=
      "\ndef score_states(self, states: List[Tensor], candidates: Tensor) -> Tensor:\n"
      "    return self.model.traced_score(" +
      states + ", candidates)\n";
  if (d.scores_all)
    out +=
        "\ndef score_all(self, states: List[Tensor]) -> Tensor:\n"
        "    return self.model.traced_score_all(" +
        states + ")\n";
  if (d.inner_product)
    out +=
        "\ndef queries(self, states: List[Tensor]) -> Tensor:\n"
        "    return self.model.traced_queries(" +
        states + ")\n";
  if (d.query_bias)
    out +=
        "\ndef query_bias(self, states: List[Tensor]) -> Tensor:\n"
        "    return self.model.traced_query_bias(" +
        states + ")\n";
  return out;
}

std::string display_source(const Description& d) {
  std::string out =
      "\ndef display(self, items: List[str]) -> List[Dict[str, str]]:\n"
      "    ids = self.item_ids.find(items)\n"
      "    known = ids >= 0\n"
      "    rows = ids.clamp(0)\n"
      "    out: List[Dict[str, str]] = []\n"
      "    for i in range(len(items)):\n"
      "        columns: Dict[str, str] = {}\n"
      "        out.append(columns)\n";
  for (size_t c = 0; c < d.display.size(); ++c) {
    const auto column = std::to_string(c);
    out += "    texts_" + column + " = self.column_" + column +
           ".texts(rows)\n"
           "    for i in range(len(items)):\n"
           "        out[i][self.column_names[" +
           column + "]] = texts_" + column + "[i] if bool(known[i]) else \"\"\n";
  }
  return out + "    return out\n";
}

// What a tensor-only request consists of, and how the parts it lacks are made from it.
struct TensorInputs {
  std::string declared, users, history;
};

TensorInputs tensor_inputs(const Description& d) {
  const std::string no_users = "torch.full([history.size(0)], -1, dtype=torch.long)";
  const std::string no_history = "torch.full([users.size(0), 0], -2, dtype=torch.long)";
  if (d.max_length == 0) return {"users: Tensor", "users", no_history};
  const auto newest = "history[:, -" + std::to_string(d.max_length) + ":]";
  if (!d.reads_users) return {"history: Tensor", no_users, newest};
  return {"users: Tensor, history: Tensor", "users", newest};
}

// Why exclude_seen is refused, and what to do instead.
std::string no_seen(const Description& d) {
  return std::string("the items that users have seen are not in this file; ") +
         (d.new_user_with_history && d.max_length > 0 ? "send `histories`, " : "") +
         "name the items to leave out with `exclude`, or export with `export: {include_users: "
         "true}`";
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

// What recommend_user ranks by.
std::string meaning_of_user(const Description& d) {
  if (d.ranks_for_everybody) return "The same list for users that the file knows.";
  std::string out = "The same for users that the file knows, ranked by ";
  if (d.max_length == 0) return out + "their ids.";
  const std::string held =
      d.user_items == 0 || d.user_items >= d.max_length
          ? "the history that the file holds of each"
          : "the newest " + std::to_string(d.user_items) + " items that the file holds of each";
  if (!d.reads_users)
    out += held + ".";
  else if (d.user_histories)
    out += "their ids and " + held + ".";
  else
    out +=
        "their ids and `histories`. The file holds no histories: without `histories` a user is "
        "ranked by the id alone, which the metrics of this file did not measure.";
  return out +
         " histories: one list for each user, oldest item first, in place of what the file "
         "holds, or empty.";
}

// Why no score of this file is divided.
std::string why_not_explained(const Description& d) {
  if (d.explains()) return "";
  if (d.explained_by.empty())
    return "scores of this model are no sums over items or users, so that none of them has a share "
           "that could be told";
  return "what has a share in a score of this model are users of the training data, whom this file "
         "does not name; export with `export: {include_users: true}`";
}

std::string features_source(const Description& d, const FeatureEncoding& features) {
  std::string columns;
  for (size_t c = 0; c < features.columns().size(); ++c) {
    const auto& column = features.columns()[c];
    std::string source = column.length == 0                        ? kReadNumber
                         : column.type == FeatureType::kCategories ? kReadCategories
                                                                   : kReadCategory;
    source = replaced(source.substr(1), "@C@", std::to_string(c));
    source = replaced(source, "@LENGTH@", std::to_string(column.length));
    columns += replaced(source, "@FROM_ZERO@", column.at_least ? "True" : "False");
  }
  return kFeatures + replaced(kReadFeatures, "@COLUMNS@", columns) +
         replaced(kRecommendFeatures, "@EMPTY_WIDTH@", d.max_length > 0 ? "1" : "0");
}

}  // namespace

std::vector<MethodDescription> describe_methods(const Description& d) {
  const std::string lists = "Tuple[List[List[str]], Tensor]";
  std::string no_history, no_users, no_vectors;
  if (!d.new_user_with_history)
    no_history =
        "this model cannot use a history, it knows users by their ids; call recommend_user "
        "or score_user";
  const bool has_both = d.reads_users && d.max_length > 0;
  if (!d.user_ids && d.known_user)
    no_users = "this file holds no users; it was exported without their ids";
  else if (!d.user_ids)
    no_users =
        "this file holds no users: the model has no user ids, and it was exported without "
        "`export: {include_users: true}`; call recommend or score with a history";
  if (!d.item_vectors) no_vectors = "this model has no item vectors to compare";
  const std::string explained = "Tuple[List[List[str]], Tensor, Tensor, Tensor]";
  const auto no_shares = why_not_explained(d);
  const std::string no_training =
      d.explains_users() || !d.user_ids
          ? ""
          : "what users did in training is not in this file, which explains them; export with "
            "`export: {include_users: true}` and without `user_items`";
  const auto first_of = [](const std::string& a, const std::string& b) {
    return a.empty() ? b : a;
  };
  const std::string no_features =
      d.user_features ? "" : "this model reads no columns that describe a user";
  const auto inputs = tensor_inputs(d).declared;
  return {
      {"recommend",
       "(self, histories: List[List[str]], k: int, exclude: List[List[str]] = [], candidates: "
       "List[str] = []) -> " +
           lists,
       "The k best items for each history (oldest item first) and their scores [B, K], minus "
       "infinity behind the end of a shorter list. Ids that the file does not know are ignored; "
       "equal scores go by item index. exclude: items to leave out, one list for each history, or "
       "empty; pass the histories again to leave out what was seen. candidates: the only items to "
       "choose from, or empty for all." +
           std::string(has_both ? " The model reads user ids too; recommend_user takes both." : ""),
       no_history},
      {"recommend_user",
       "(self, users: List[str], k: int, exclude: List[List[str]] = [], candidates: List[str] = "
       "[], "
       "exclude_seen: bool = False, histories: List[List[str]] = []) -> " +
           lists,
       meaning_of_user(d) +
           " exclude_seen leaves out the items that the file holds of each user, and "
           "those of `histories`. A user without anything usable gets the fallback.",
       no_users},
      {"recommend_features",
       "(self, features: List[Dict[str, str]], k: int, exclude: List[List[str]] = [], candidates: "
       "List[str] = [], histories: List[List[str]] = []) -> " +
           lists,
       "The same for users given by what describes them: column name to raw text" +
           (d.user_columns.empty() ? std::string() : ", of " + joined(d.user_columns)) +
           ". Columns left out, empty texts and values that training never had count as unknown. "
           "histories: one list for each user, oldest item first, or empty.",
       no_features},
      {"similar_items", "(self, items: List[str], k: int) -> " + lists,
       "The k items whose vectors have the largest cosine with that of each given item, without "
       "itself; an empty list for an unknown item.",
       no_vectors},
      {"score", "(self, histories: List[List[str]], items: List[List[str]]) -> Tensor",
       "The scores [B, C] of one list of items for each history, or of a single list for all; NaN "
       "for unknown items and behind the end of a shorter list.",
       no_history},
      {"score_user",
       "(self, users: List[str], items: List[List[str]], histories: List[List[str]] = []) -> "
       "Tensor",
       "The same for users that the file knows; histories as in recommend_user.", no_users},
      {"explain",
       "(self, histories: List[List[str]], items: List[str], k: int = 10) -> " + explained,
       "What carried the score of one item for each history: the " +
           (d.explained_by == "users" ? std::string("users of the training data")
                                      : std::string("items")) +
           " with the k largest shares in it by magnitude, their shares [B, K] (zero behind the "
           "end of a shorter list), the sum of all other shares [B], and what is no share of any "
           "[B]: vectors of ids, biases, the fallback. Together they are what score gives.",
       first_of(no_shares, no_history)},
      {"explain_user",
       "(self, users: List[str], items: List[str], k: int = 10, histories: List[List[str]] = []) "
       "-> " +
           explained,
       std::string("The same for users that the file knows; histories as in recommend_user.") +
           (d.explains_by_training
                ? " Users that training had are explained by what they did there."
                : ""),
       first_of(no_shares, first_of(no_users, no_training))},
      {"forward", "(self, " + inputs + ") -> Tensor",
       "Dense ids to the scores [B, I] of all items. users [B] int64, -1 for unknown; history [B, "
       "T] "
       "int64, oldest first, left-padded with -2; the newest max_length are read.",
       ""},
      {"top_k", "(self, " + inputs + ", k: int) -> Tuple[Tensor, Tensor]",
       "Dense ids to the dense ids [B, K] of the best items and their scores.", ""},
      {"known_items", "(self, ids: List[str]) -> List[bool]", "Which item ids the file knows.", ""},
      {"known_users", "(self, users: List[str]) -> List[bool]", "Which user ids the file knows.",
       no_users},
      {"serves_histories", "(self, histories: List[List[str]]) -> List[bool]",
       "Which histories hold something the model can use; the others get the fallback.",
       no_history},
      {"serves_users", "(self, users: List[str], histories: List[List[str]] = []) -> List[bool]",
       "Which users the model can serve: those that it learnt from, or that have a history it "
       "reads; "
       "the others get the fallback.",
       no_users},
      {"serves_features",
       "(self, features: List[Dict[str, str]], histories: List[List[str]] = []) -> List[bool]",
       "Which of these users have a value or a history that the model can use; the others get the "
       "fallback.",
       no_features},
      {"items_left_out", "(self, users: List[str]) -> List[int]",
       "How many older items of each user export.user_items kept out of the file, so that "
       "exclude_seen "
       "cannot leave them out.",
       no_users},
      {"display", "(self, items: List[str]) -> List[Dict[str, str]]",
       "What to show beside each item id: column name to text.", ""},
      {"describe", "(self) -> str", "This description, as JSON.", ""},
  };
}

std::string method_source(const Description& d, bool has_factor_bias,
                          const FeatureEncoding* features) {
  std::string out = model_calls(d);
  if (d.inner_product) {
    auto text = replaced(kScoreByFactors, "@REDUCE@", d.sum_of_queries ? kReduceSum : kReduceMax);
    text = replaced(text, "@BIAS@", has_factor_bias ? kBias : "");
    out += replaced(text, "@QUERY_BIAS@", d.query_bias ? kQueryBias : "");
  } else {
    out += d.scores_all ? kScoreAll : kScoreByBlocks;
  }
  for (const auto& form : request_forms(d))
    out += in_form(d.ranks_for_everybody ? kUsableAlways : kUsable, form);
  out += d.ranks_for_everybody ? kWithoutFallback : kWithFallback;
  // Rows at a time: 16 million scores, or without an inner product 64 thousand in blocks of items.
  const bool by_whole_rows = d.inner_product || d.scores_all;
  out += kRank;
  auto rank = replaced(kRankRows, "@BLOCK@", by_whole_rows ? "16777216" : "65536");
  rank = replaced(rank, "@WIDTH@",
                  d.scores_all      ? std::to_string(d.num_items)
                  : d.inner_product ? "max(1, pool.size(0))"
                                    : "min(4096, max(1, pool.size(0)))");
  for (const auto& form : request_forms(d)) out += in_form(rank, form);
  out += replaced(kWholePool, "@NUM_ITEMS@", std::to_string(d.num_items));
  out += replaced(kNames, "@MAX_LENGTH@", std::to_string(d.max_length));
  out += display_source(d);
  out += d.max_length > 0 ? kReadHistories : kReadNoHistories;
  for (const auto& method : d.methods)
    if (!method.refusal.empty()) out += refusing(method);
  if (d.method("recommend")->refusal.empty()) out += kRecommend;
  if (d.user_ids) {
    out += d.user_histories ? std::string(kStoredItems)
                            : replaced(kNoStoredItems, "@NO_SEEN@", no_seen(d));
    out += d.user_items > 0 ? kItemsLeftOut : kNoItemsLeftOut;
    out += d.new_user_with_history ? kSentHistories : kNoSentHistories;
    if (d.user_histories && d.max_length > 0)
      out += kStoredHistories;
    else
      out += replaced(kNoStoredHistories, "@EMPTY_WIDTH@", d.max_length > 0 ? "1" : "0");
    out += kUsers;
  }
  if (features != nullptr) out += features_source(d, *features);
  if (d.item_vectors) out += kSimilar;
  if (d.explains()) {
    out += replaced(kExplain, "@SOURCES@", d.explained_by == "users" ? "user_ids" : "item_ids");
    if (d.method("explain")->refusal.empty()) out += kExplainHistories;
    if (d.method("explain_user")->refusal.empty()) out += kExplainUsers;
  }
  const auto inputs = tensor_inputs(d);
  auto forward = replaced(kForward, "@INPUTS@", inputs.declared);
  forward = replaced(forward, "@USERS@", inputs.users);
  out += replaced(forward, "@HISTORY@", inputs.history);
  return out;
}

}  // namespace reckon
