#include "serving/recommender.h"

#include <algorithm>

namespace reckon {
namespace {

// Rows of one call: enough to share the cost of a call, few enough to answer as one goes.
constexpr std::ptrdiff_t kMaxGroup = 256;

bool go_together(const Request& a, const Request& b) {
  return a.kind == b.kind && a.k == b.k && a.candidates == b.candidates &&
         a.exclude_seen == b.exclude_seen;
}

}  // namespace

std::vector<Recommendation> Recommender::answer(const std::vector<Request>& requests) const {
  std::vector<Recommendation> out;
  out.reserve(requests.size());
  const auto* const end = requests.data() + requests.size();
  for (const auto* begin = requests.data(); begin != end;) {
    const auto* const limit = begin + std::min(kMaxGroup, end - begin);
    const auto* const stop =
        std::find_if(begin, limit, [&](const Request& other) { return !go_together(*begin, other); });
    answer_group(begin, stop, out);
    begin = stop;
  }
  return out;
}

void Recommender::answer_group(const Request* begin, const Request* end,
                               std::vector<Recommendation>& out) const {
  ExportedFile::IdLists histories, exclude;
  ExportedFile::Ids ids;
  for (const auto* request = begin; request != end; ++request) {
    histories.push_back(request->history);
    ids.push_back(request->id);
    exclude.push_back(request->exclude);
    // Without a stored user the history is all that was seen.
    if (request->exclude_seen && request->kind == Request::Kind::kHistory)
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
      ranking = file_.recommend_user(ids, begin->k, exclude, begin->candidates, begin->exclude_seen);
      served = file_.serves_users(ids);
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
      Recommendation::Item item{.id = named[at], .score = scores.data_ptr<float>()[i], .columns = {}};
      for (size_t c = 0; c < names.size(); ++c) item.columns.emplace_back(names[c], columns[c][at]);
      answer.items.push_back(std::move(item));
    }
    if (!served[row]) answer.fallback = file_.description().fallback;
    out.push_back(std::move(answer));
  }
  note_unknown(begin, end, out.data() + first);
}

void Recommender::note_unknown(const Request* begin, const Request* end,
                               Recommendation* answers) const {
  // One call for all ids of the group: looking them up one by one costs a call each.
  ExportedFile::Ids items, users;
  std::vector<size_t> item_rows, user_rows;
  const auto add = [&](const std::vector<std::string>& ids, size_t row) {
    items.insert(items.end(), ids.begin(), ids.end());
    item_rows.insert(item_rows.end(), ids.size(), row);
  };
  for (const auto* request = begin; request != end; ++request) {
    const auto row = static_cast<size_t>(request - begin);
    if (request->kind == Request::Kind::kHistory) add(request->history, row);
    if (request->kind == Request::Kind::kSimilar) add({request->id}, row);
    add(request->exclude, row);
    if (request->kind == Request::Kind::kUser) {
      users.push_back(request->id);
      user_rows.push_back(row);
    }
  }
  const auto note = [&](const std::vector<bool>& known, const ExportedFile::Ids& ids,
                        const std::vector<size_t>& rows) {
    for (size_t i = 0; i < ids.size(); ++i) {
      auto& unknown = answers[rows[i]].unknown;
      if (!known[i] && std::find(unknown.begin(), unknown.end(), ids[i]) == unknown.end())
        unknown.push_back(ids[i]);
    }
  };
  note(file_.known_items(items), items, item_rows);
  if (!users.empty()) note(file_.known_users(users), users, user_rows);
}

}  // namespace reckon
