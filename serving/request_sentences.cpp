#include "serving/request_sentences.h"

#include <algorithm>

#include "core/diagnostics.h"
#include "core/format.h"

namespace reckon {
namespace {

constexpr size_t kShownIds = 10;
constexpr const char* kAgain = "export the run again with --set export.include_users=true";

bool names_user(const Request& request) {
  return request.kind == Request::Kind::kUser || request.kind == Request::Kind::kUserWithHistory;
}

}  // namespace

std::optional<Refusal> refusal_of(const Description& d, const Request& request) {
  const bool is_line = request.line > 0;
  const std::string history = is_line ? "'history'" : "--history",
                    user = is_line ? "'user'" : "--user";
  const std::string again = kAgain;
  const bool by_history = d.new_user_with_history;
  if (request.kind == Request::Kind::kFeatures) {
    if (!d.user_features) return Refusal{"this model reads no columns that describe a user", ""};
    if (!request.history.empty() && !by_history)
      return Refusal{"this model reads no history", "leave out " + history};
    for (const auto& [name, _] : request.features)
      if (std::find(d.user_columns.begin(), d.user_columns.end(), name) == d.user_columns.end())
        return Refusal{"there is no feature '" + name + "'", suggest(name, d.user_columns)};
    return std::nullopt;
  }
  if (request.kind == Request::Kind::kHistory && !by_history)
    return Refusal{"this model cannot use a history, it knows users by their ids",
                   "give " + user + " instead"};
  if (names_user(request) && !d.user_ids) {
    if (d.known_user)
      return Refusal{"this file holds no users; it was exported without their ids", ""};
    const bool is_alone = request.kind == Request::Kind::kUser;
    return Refusal{"this file holds no users, and the model has no user ids",
                   (is_alone ? "give " + history + " instead" : "leave out " + user) + ", or " +
                       again};
  }
  if (request.kind == Request::Kind::kUserWithHistory && !by_history)
    return Refusal{"this model reads no history, it knows users by their ids",
                   "leave out " + history};
  if (request.kind == Request::Kind::kUser && request.exclude_seen && !d.user_histories)
    return Refusal{"the items that users have seen are not in this file",
                   (by_history && d.max_length > 0 ? "give " + history + " too, or "
                    : is_line                      ? "name them in 'exclude', or "
                                                   : "") +
                       again};
  if (request.kind == Request::Kind::kSimilar && !d.item_vectors)
    return Refusal{"this model has no item vectors to compare", ""};
  return std::nullopt;
}

std::optional<Refusal> refusal_to_explain(const Description& d, const Request& request) {
  if (d.explained_by.empty())
    return Refusal{
        "this model explains nothing: its scores are no sums over items or users, so that none of "
        "them has a share that could be told",
        ""};
  if (!d.explains())
    return Refusal{
        "what has a share in a score of this model are users of the training data, whom this file "
        "does not name",
        kAgain};
  if (auto refusal = refusal_of(d, request)) return refusal;
  if (names_user(request) && !d.explains_users())
    return Refusal{"what users did in training explains them, and it is not in this file", kAgain};
  return std::nullopt;
}

std::string some_of(const std::vector<std::string>& ids) {
  const auto shown = std::min(ids.size(), kShownIds);
  const auto rest = static_cast<int64_t>(ids.size() - shown);
  return join({ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(shown)}) +
         (rest > 0 ? " and " + format_count(rest) + " more" : "");
}

}  // namespace reckon
