#include "serving/recommender.h"

#include <algorithm>
#include <set>

#include "kernels/vector_math.h"

namespace reckon {
namespace {

// Rows of one call: enough to share the cost of a call, few enough to answer as one goes.
constexpr std::ptrdiff_t kMaxGroup = 256;

bool go_together(const Request& a, const Request& b) {
  return a.kind == b.kind && a.k == b.k && a.candidates == b.candidates &&
         a.exclude_seen == b.exclude_seen;
}

bool has_history(const Request& request) {
  return request.kind == Request::Kind::kHistory ||
         request.kind == Request::Kind::kUserWithHistory ||
         request.kind == Request::Kind::kFeatures;
}

bool has_user(const Request& request) {
  return request.kind == Request::Kind::kUser || request.kind == Request::Kind::kUserWithHistory;
}

}  // namespace

Recommender::Recommender(const std::string& path) : file_(path) { prepare_vector_math(); }

std::vector<Recommendation> Recommender::answer(const std::vector<Request>& requests) const {
  std::vector<Recommendation> out;
  out.reserve(requests.size());
  const auto* const end = requests.data() + requests.size();
  for (const auto* begin = requests.data(); begin != end;) {
    const auto* const limit = begin + std::min(kMaxGroup, end - begin);
    const auto* const stop = std::find_if(begin, limit, [&](const Request& other) {
      return !go_together(*begin, other);
    });
    answer_group(begin, stop, out);
    begin = stop;
  }
  return out;
}

void Recommender::answer_group(const Request* begin, const Request* end,
                               std::vector<Recommendation>& out) const {
  ExportedFile::IdLists histories, exclude;
  ExportedFile::Ids ids;
  ExportedFile::Features features;
  bool any_history = false;
  for (const auto* request = begin; request != end; ++request) {
    features.push_back(request->features);
    any_history = any_history || !request->history.empty();
    histories.push_back(request->history);
    ids.push_back(request->id);
    exclude.push_back(request->exclude);
    // Without a stored user the history is all that was seen.
    if (request->exclude_seen && has_history(*request) && !has_user(*request))
      exclude.back().insert(exclude.back().end(), request->history.begin(), request->history.end());
  }
  NamedRanking ranking;
  std::vector<bool> served(ids.size(), true);
  switch (begin->kind) {
    case Request::Kind::kHistory:
      ranking = file_.recommend(histories, begin->k, exclude, begin->candidates);
      served = file_.serves_histories(histories);
      break;
    case Request::Kind::kUser:
      ranking =
          file_.recommend_user(ids, begin->k, exclude, begin->candidates, begin->exclude_seen);
      served = file_.serves_users(ids);
      break;
    case Request::Kind::kUserWithHistory:
      ranking = file_.recommend_user(ids, begin->k, exclude, begin->candidates, begin->exclude_seen,
                                     histories);
      served = file_.serves_users(ids, histories);
      break;
    case Request::Kind::kFeatures:
      if (!any_history) histories.clear();  // a model without histories refuses empty ones too
      ranking = file_.recommend_features(features, begin->k, exclude, begin->candidates, histories);
      served = file_.serves_features(features, histories);
      break;
    case Request::Kind::kSimilar:
      ranking = file_.similar_items(ids, begin->k);
      break;
  }
  ExportedFile::Ids named;
  for (const auto& items : ranking.items) named.insert(named.end(), items.begin(), items.end());
  const auto& names = file_.description().display;
  const auto columns = file_.display(named);
  const auto first = out.size();
  size_t at = 0;
  for (size_t row = 0; row < ids.size(); ++row) {
    Recommendation answer;
    const auto scores = ranking.scores[static_cast<int64_t>(row)].contiguous();  // [K]
    for (size_t i = 0; i < ranking.items[row].size(); ++i, ++at) {
      Recommendation::Item item{.id = named[at],
                                .score = scores.data_ptr<float>()[i],
                                .columns = {}};
      for (size_t c = 0; c < names.size(); ++c) item.columns.emplace_back(names[c], columns[c][at]);
      answer.items.push_back(std::move(item));
    }
    if (!served[row]) answer.fallback = file_.description().fallback;
    out.push_back(std::move(answer));
  }
  note_unknown(begin, end, out.data() + first);
  if (has_user(*begin)) note_left_out(begin, end, out.data() + first);
}

void Recommender::note_unknown(const Request* begin, const Request* end,
                               Recommendation* answers) const {
  // One call for all ids of the group: looking them up one by one costs a call each.
  ExportedFile::Ids items, users;
  std::vector<size_t> item_rows;
  const auto add = [&](const std::vector<std::string>& ids, size_t row) {
    items.insert(items.end(), ids.begin(), ids.end());
    item_rows.insert(item_rows.end(), ids.size(), row);
  };
  for (const auto* request = begin; request != end; ++request) {
    const auto row = static_cast<size_t>(request - begin);
    if (has_history(*request)) add(request->history, row);
    if (request->kind == Request::Kind::kSimilar) add({request->id}, row);
    add(request->exclude, row);
    if (has_user(*request)) users.push_back(request->id);
  }
  const auto num_rows = static_cast<size_t>(end - begin);
  std::vector<std::set<std::string>> noted(num_rows);
  const auto note = [&](size_t row, const std::string& id) {
    if (noted[row].insert(id).second) answers[row].unknown.push_back(id);
  };
  const auto known = file_.known_items(items);
  for (size_t i = 0; i < items.size(); ++i)
    if (!known[i]) note(item_rows[i], items[i]);
  // Requests of a group have their candidates in common.
  const auto& candidates = begin->candidates;
  const auto known_candidates = file_.known_items(candidates);
  const bool none_known =
      !candidates.empty() &&
      std::find(known_candidates.begin(), known_candidates.end(), true) == known_candidates.end();
  for (size_t row = 0; row < num_rows; ++row) {
    for (size_t i = 0; i < candidates.size(); ++i)
      if (!known_candidates[i]) note(row, candidates[i]);
    answers[row].no_candidates = none_known;
  }
  if (users.empty()) return;
  const auto user_is_known = file_.known_users(users);
  for (size_t row = 0; row < num_rows; ++row) {
    answers[row].unknown_user = !user_is_known[row];
    // First: the most important of what is unknown, and perhaps called like an item.
    if (!user_is_known[row]) answers[row].unknown.insert(answers[row].unknown.begin(), users[row]);
  }
}

void Recommender::note_left_out(const Request* begin, const Request* end,
                                Recommendation* answers) const {
  const auto& d = file_.description();
  if (d.user_items == 0) return;
  const bool is_read = begin->kind == Request::Kind::kUser && d.user_items < d.max_length;
  if (!begin->exclude_seen && !is_read) return;
  ExportedFile::Ids users;
  for (const auto* request = begin; request != end; ++request) users.push_back(request->id);
  const auto counts = file_.items_left_out(users);
  for (size_t row = 0; row < users.size(); ++row) answers[row].items_left_out = counts[row];
}

ItemExplanation Recommender::explain(const Request& request, const std::string& item,
                                     int64_t k) const {
  const bool by_user = has_user(request);
  const ExportedFile::IdLists histories = {request.history};
  const auto sent = request.kind == Request::Kind::kUser ? ExportedFile::IdLists() : histories;
  ItemExplanation out;
  out.item = item;
  out.by_users = file_.description().explained_by == "users";
  out.unknown_item = !file_.known_items({item})[0];
  out.unknown_user = by_user && !file_.known_users({request.id})[0];
  const auto known = file_.known_items(request.history);
  for (size_t i = 0; i < known.size(); ++i)
    if (!known[i] &&
        std::find(out.unknown.begin(), out.unknown.end(), request.history[i]) == out.unknown.end())
      out.unknown.push_back(request.history[i]);
  const bool served =
      by_user ? file_.serves_users({request.id}, sent)[0] : file_.serves_histories(histories)[0];
  if (!served) out.fallback = file_.description().fallback;
  // Also where nothing can be said of the item: a file that explains nothing refuses.
  const auto shares = by_user ? file_.explain_user({request.id}, {item}, k, sent)
                              : file_.explain(histories, {item}, k);
  if (out.unknown_item) return out;
  const auto score =
      by_user ? file_.score_user({request.id}, {{item}}, sent) : file_.score(histories, {{item}});
  out.score = score.item<double>();
  out.others = shares.others.item<double>();
  out.rest = shares.rest.item<double>();
  const auto& names = shares.sources[0];
  const auto& columns = file_.description().display;
  auto shown = names;
  shown.push_back(item);
  const auto texts = file_.display(shown);
  for (size_t c = 0; c < columns.size(); ++c) out.columns.emplace_back(columns[c], texts[c].back());
  const auto values = shares.contributions[0].contiguous();  // [K]
  for (size_t i = 0; i < names.size(); ++i) {
    ItemExplanation::Source source{.id = names[i],
                                   .contribution = values.data_ptr<float>()[i],
                                   .columns = {}};
    // Columns say something of items, also where a user is called like one.
    for (size_t c = 0; c < columns.size() && !out.by_users; ++c)
      source.columns.emplace_back(columns[c], texts[c][i]);
    out.sources.push_back(std::move(source));
  }
  return out;
}

}  // namespace reckon
