#include "export/methods.h"

#include "export/method_texts.h"
#include "export/script.h"

namespace reckon {
namespace {

using namespace method_text;

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
