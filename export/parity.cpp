#include "export/parity.h"

#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <set>

#include "core/diagnostics.h"
#include "core/ids.h"
#include "export/exporter.h"
#include "models/feature_encoding.h"

namespace reckon {
namespace {

// A fixed seed: an export gives the same result whenever it is repeated.
constexpr uint64_t kSeed = 20260513;
constexpr int kOptimizedRuns = 3;
constexpr int64_t kOptimizedRows = 4;  // one batch size is enough for what Python will run
constexpr int64_t kListLength = 10;
// Float sums in another order; the scale of the numbers compared comes on top.
constexpr double kTolerance = 2e-5;
constexpr int64_t kMaxWholeRanking = 5000;  // catalogues up to this size are also ranked whole
constexpr int64_t kLongest = 200;           // items of a history that is drawn
constexpr int64_t kBlock = 4096;            // items scored at a time

using Ids = std::vector<std::string>;
using IdLists = std::vector<Ids>;

struct Lists {
  IdLists histories;
  Ids users;
  IdLists exclude;
  Ids candidates;
  int64_t k = kListLength;
};

class Parity {
 public:
  Parity(Model& model, const ExportedFile& file, const ExportInputs& inputs,
         const std::string& destination)
      : model_(model),
        file_(file),
        optimized_(file.with_optimizer()),
        d_(file.description()),
        inputs_(inputs),
        destination_(destination),
        random_(kSeed) {}

  ParityReport run() {
    const auto longest = std::min(d_.max_length, kLongest);
    std::vector<int64_t> lengths = {longest};
    for (const int64_t length : {int64_t{1}, longest / 2})
      if (length > 0 && length < longest) lengths.push_back(length);
    for (const int64_t rows : {1, 4, 9})
      for (const int64_t length : lengths) check_tensors(rows, length);
    for (const int64_t rows : {1, 4, 9}) {
      if (d_.method("recommend")->refusal.empty()) check_histories(rows);
      if (d_.user_ids) check_users(rows);
      if (d_.user_features) check_features(rows);
      if (d_.item_vectors) check_similar(rows);
    }
    return report_;
  }

 private:
  [[noreturn]] void differ(const std::string& what) const {
    throw DataError(
        destination_, 0, "not written: the reloaded file differs from the model in " + what,
        "a part of the model cannot be exported as it is: a number of C++ that came from a "
        "tensor, such as a size, was fixed at its first value; see export/README.md");
  }

  // The plain executor once; the optimising one as often as it takes to replace its first plan.
  std::vector<const ExportedFile*> runs(bool also_optimized) const {
    std::vector<const ExportedFile*> out = {&file_};
    if (also_optimized) out.insert(out.end(), kOptimizedRuns, &optimized_);
    return out;
  }

  // What the file throws at a size other than the traced one is a difference too.
  template <class Call>
  auto from_file(const std::string& where, const Call& call) const {
    try {
      return call();
    } catch (const std::exception& e) {
      differ(where + ", where the file fails: " + e.what());
    }
  }

  int64_t draw(int64_t end) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(end)); }

  std::string place_of(const torch::Tensor& flags) const {
    std::string out;
    const auto place = flags.nonzero()[0];
    for (int64_t i = 0; i < place.size(0); ++i)
      out += (i > 0 ? ", " : "") + std::to_string(place[i].item<int64_t>());
    return "[" + out + "]";
  }

  void compare(const std::string& where, const torch::Tensor& got, const torch::Tensor& wanted) {
    if (got.sizes() != wanted.sizes())
      differ(where + ": shape " + c10::str(got.sizes()) + " instead of " +
             c10::str(wanted.sizes()));
    if (wanted.numel() == 0) return;
    const auto a = got.to(torch::kDouble);
    const auto b = wanted.to(torch::kDouble);
    if (!b.isfinite().all().item<bool>())
      throw DataError(destination_, 0,
                      "not written: the model gives NaN or infinity in " + where + " at " +
                          place_of(b.isfinite().logical_not()),
                      "its training diverged, or a part of it divides by zero");
    const auto difference = (a - b).abs();
    const double allowed = kTolerance * (1.0 + b.abs().max().item<double>());
    const auto wrong = difference.le(allowed).logical_not();  // NaN is wrong too
    if (wrong.any().item<bool>())
      differ(where + " at " + place_of(wrong) + ": " +
             c10::str(got.index({wrong})[0].item<double>(), " instead of ",
                      wanted.index({wrong})[0].item<double>()));
    report_.largest_difference =
        std::max(report_.largest_difference, difference.max().item<double>());
  }

  Batch request(const torch::Tensor& users, const torch::Tensor& history) const {
    Batch out(users.size(0));
    if (d_.reads_users) out.set(batch_key::kUsers, users);         // [B]
    if (d_.max_length > 0) out.set(batch_key::kHistory, history);  // [B, T]
    return out;
  }

  // --- Dense ids.

  torch::Tensor draw_history(int64_t rows, int64_t length) {
    auto out = torch::full({rows, length}, kPaddingId, torch::kLong);  // [B, T]
    auto values = out.accessor<int64_t, 2>();
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t filled = row == 0 ? length : 1 + draw(std::max<int64_t>(length, 1));
      for (int64_t t = std::max<int64_t>(length - filled, 0); t < length; ++t)
        values[row][t] = draw(d_.num_items);
    }
    return out;
  }

  void check_tensors(int64_t rows, int64_t length) {
    const auto at = " (batch " + std::to_string(rows) + ", history " + std::to_string(length) + ")";
    const auto history = draw_history(rows, length);  // [B, T]
    auto users = torch::empty({rows}, torch::kLong);  // [B]
    for (int64_t row = 0; row < rows; ++row)
      users[row] = d_.user_ids && d_.reads_users ? draw(d_.num_users + 1) - 1 : kUnknownId;
    auto candidates = torch::empty({rows, length + 2}, torch::kLong);  // [B, C]
    for (int64_t i = 0; i < candidates.numel(); ++i) candidates.view(-1)[i] = draw(d_.num_items);

    const auto state = model_.encode(request(users, history));
    const auto scores = model_.score(state, candidates);         // [B, C]
    const auto usable = model_.usable(request(users, history));  // [B]
    for (const auto* file : runs(rows == kOptimizedRows)) {
      const auto states = from_file("encode" + at, [&] { return file->encode(users, history); });
      if (states.size() != state.tensors.size()) differ("encode" + at + ": number of tensors");
      for (size_t i = 0; i < states.size(); ++i)
        compare("encode" + at + ", tensor " + std::to_string(i), states[i], state.tensors[i]);
      compare("usable" + at, from_file("usable" + at, [&] { return file->usable(users, history); }),
              usable);
      compare("score" + at,
              from_file("score" + at, [&] { return file->score_states(states, candidates); }),
              scores);
      if (d_.scores_all)
        compare("score_all" + at,
                from_file("score_all" + at, [&] { return file->score_all(states); }),
                model_.score_all(state));
      if (d_.inner_product) {
        const auto queries = from_file("queries" + at, [&] { return file->queries(states); });
        compare("queries" + at, queries, model_.queries(state));
        auto products = product_scores(queries, candidates);  // [B, C]
        if (d_.query_bias) {
          const auto bias = from_file("query_bias" + at, [&] { return file->query_bias(states); });
          compare("query_bias" + at, bias, model_.query_bias(state));
          products = products + bias.unsqueeze(1);  // [B, C]
        }
        compare("the inner-product form" + at, products, scores);
      }
      if (d_.explains()) compare_shares(*file, at, users, history, candidates.select(1, 0));
      report_.num_comparisons += rows;
    }
  }

  void compare_shares(const ExportedFile& file, const std::string& at, const torch::Tensor& users,
                      const torch::Tensor& history, const torch::Tensor& items) {
    const auto asked = d_.explains_users() || !d_.explains_by_training
                           ? users
                           : torch::full_like(users, kUnknownId);  // [B]
    const auto wanted = model_.contributions(request(asked, history), items);
    const auto got =
        from_file("explain" + at, [&] { return file.contributions(asked, history, items); });
    compare("explain" + at + ", sources", got[0], wanted.sources);
    compare("explain" + at + ", shares", got[1], wanted.contributions);
    compare("explain" + at + ", rest", got[2], wanted.rest);
  }

  // The shares of an explanation are those of the score: `scores` [I] by row.
  void compare_explanation(const std::string& where, const NamedExplanation& got,
                           const std::vector<int64_t>& items,
                           const std::vector<torch::Tensor>& scores) {
    std::vector<double> wanted;
    for (size_t row = 0; row < items.size(); ++row)
      wanted.push_back(scores[row][items[row]].item<double>());
    compare(where, got.contributions.sum(1) + got.others + got.rest,
            torch::tensor(wanted, torch::kDouble));
    report_.num_comparisons += static_cast<int64_t>(items.size());
  }

  std::vector<int64_t> draw_items(int64_t rows) {
    std::vector<int64_t> items;
    for (int64_t row = 0; row < rows; ++row) items.push_back(draw(d_.num_items));
    return items;
  }

  Ids raw_items(const std::vector<int64_t>& items) const {
    Ids out;
    for (const auto item : items) out.push_back(raw_item(item));
    return out;
  }

  // The definition of Factors (models/model.h) without the query's bias, for a few items of each row.
  torch::Tensor product_scores(const torch::Tensor& queries,
                               const torch::Tensor& candidates) const {
    const auto items = file_.factor_items().index({candidates});                  // [B, C, D]
    const auto products = queries.matmul(items.transpose(1, 2));                  // [B, M, C]
    const auto reduced = d_.sum_of_queries ? products.sum(1) : products.amax(1);  // [B, C]
    const auto bias = file_.factor_bias();
    return bias.defined() ? reduced + bias.index({candidates}) : reduced;  // [B, C]
  }

  // --- Raw ids.

  std::string raw_item(int64_t dense) const { return std::string(inputs_.items->raw(dense)); }

  // Longer and shorter than what the model reads, with ids that nobody knows, and nothing at all.
  Ids draw_ids(int64_t row) {
    if (row % 4 == 1) return {};
    if (row % 4 == 3) return {"\x01no such item"};
    if (row % 4 == 2 && !inputs_.sample_histories.empty())
      return inputs_.sample_histories[draw(static_cast<int64_t>(inputs_.sample_histories.size()))];
    Ids out;
    const auto count = 1 + draw(std::min(d_.max_length, kLongest) + 3);
    for (int64_t i = 0; i < count; ++i)
      out.push_back(draw(5) == 0 ? "\x01no such item" : raw_item(draw(d_.num_items)));
    return out;
  }

  std::vector<int64_t> known(const Ids& ids) const {
    std::vector<int64_t> out;
    for (const auto& id : ids)
      if (const auto dense = inputs_.items->find(id); dense != kUnknownId) out.push_back(dense);
    return out;
  }

  // The history that the model reads of a user with these items.   Shapes  -> [1, T]
  torch::Tensor newest(const std::vector<int64_t>& items) const {
    const auto count = std::min<int64_t>(d_.max_length, static_cast<int64_t>(items.size()));
    if (count == 0) return torch::full({1, 1}, kPaddingId, torch::kLong);
    return torch::tensor(std::vector<int64_t>(items.end() - count, items.end()), torch::kLong)
        .unsqueeze(0);
  }

  // The model's scores of every item for one request, in double.   Shapes  -> [I]
  torch::Tensor all_scores(int64_t user, const std::vector<int64_t>& items) {
    return scores_of(request(torch::full({1}, user, torch::kLong), newest(items)));
  }

  // Shapes   asked of one row -> [I]
  torch::Tensor scores_of(const Batch& asked) {
    if (!model_.usable(asked).item<bool>())
      return inputs_.item_counts.to(torch::kFloat).to(torch::kDouble);  // [I]
    const auto state = model_.encode(asked);
    std::vector<torch::Tensor> parts;
    for (int64_t begin = 0; begin < d_.num_items; begin += kBlock) {
      const auto ids = torch::arange(begin, std::min(begin + kBlock, d_.num_items));  // [C]
      parts.push_back(model_.score(state, ids.unsqueeze(0)).squeeze(0));
    }
    return torch::cat(parts).to(torch::kDouble);  // [I]
  }

  // Compares one list of the file with the order that `scores` imply. Neighbours whose scores are
  // within the tolerance may change places; items with the very same score may not.
  void compare_list(const std::string& where, const Ids& got, const torch::Tensor& got_scores,
                    const torch::Tensor& scores, const Ids& exclude, const Ids& candidates,
                    int64_t k) {
    const auto* score = scores.data_ptr<double>();
    std::vector<char> allowed(static_cast<size_t>(d_.num_items), candidates.empty());
    for (const auto id : known(candidates)) allowed[id] = 1;
    for (const auto id : known(exclude)) allowed[id] = 0;
    std::vector<int64_t> order;
    for (int64_t i = 0; i < d_.num_items; ++i)
      if (allowed[i]) order.push_back(i);
    const auto length = std::min<int64_t>(k, static_cast<int64_t>(order.size()));
    std::partial_sort(order.begin(), order.begin() + length, order.end(), [&](auto a, auto b) {
      return score[a] != score[b] ? score[a] > score[b] : a < b;
    });
    if (static_cast<int64_t>(got.size()) != length)
      differ(where + ": " + std::to_string(got.size()) + " items instead of " +
             std::to_string(length));
    double scale = 1.0;
    for (int64_t r = 0; r < length; ++r) scale = std::max(scale, std::abs(score[order[r]]));
    const double tolerance = kTolerance * (1.0 + scale);
    std::set<int64_t> seen;
    for (int64_t r = 0; r < length; ++r) {
      const auto id = inputs_.items->find(got[r]);
      const auto rank = where + ", rank " + std::to_string(r + 1);
      if (id == kUnknownId || !allowed[id] || !seen.insert(id).second)
        differ(rank + ": '" + got[r] + "' may not stand there");
      const double value = got_scores[r].item<double>();
      if (std::abs(value - score[id]) > tolerance ||
          std::abs(score[id] - score[order[r]]) > tolerance)
        differ(rank + ": '" + got[r] + "' with " + std::to_string(value) + " instead of '" +
               raw_item(order[r]) + "' with " + std::to_string(score[order[r]]));
      if (r > 0) {
        const double before = got_scores[r - 1].item<double>();
        const auto other = inputs_.items->find(got[r - 1]);
        if (before < value || (before == value && other > id))
          differ(rank + ": '" + got[r] + "' stands behind '" + got[r - 1] + "'");
      }
      report_.largest_difference =
          std::max(report_.largest_difference, std::abs(value - score[id]));
    }
  }

  // Three kinds of request of the same rows: plain; without what the history holds; from a few candidates.
  std::vector<Lists> variants(int64_t rows) {
    Lists plain;
    for (int64_t row = 0; row < rows; ++row) {
      plain.histories.push_back(draw_ids(row));
      if (d_.user_ids)
        plain.users.push_back(row % 3 == 2 ? "\x01no such user"
                                           : std::string(inputs_.users->raw(draw(d_.num_users))));
    }
    auto unseen = plain;
    unseen.exclude = plain.histories;
    if (d_.num_items <= kMaxWholeRanking) unseen.k = d_.num_items + 5;
    auto few = unseen;
    few.k = kListLength;
    for (int i = 0; i < 6; ++i) few.candidates.push_back(raw_item(draw(d_.num_items)));
    few.candidates.push_back("\x01no such item");
    return {plain, unseen, few};
  }

  static const Ids& exclude_of(const Lists& lists, int64_t row) {
    static const Ids nothing;
    return lists.exclude.empty() ? nothing : lists.exclude[row];
  }

  void check_histories(int64_t rows) {
    const auto at = " (batch " + std::to_string(rows) + ")";
    const auto all = variants(rows);
    std::vector<torch::Tensor> scores;
    for (const auto& history : all[0].histories)
      scores.push_back(all_scores(kUnknownId, known(history)));  // [I]
    for (const auto& lists : all) {
      for (const auto* file : runs(rows == kOptimizedRows && &lists == &all.back())) {
        const auto got = from_file("recommend" + at, [&] {
          return file->recommend(lists.histories, lists.k, lists.exclude, lists.candidates);
        });
        for (int64_t row = 0; row < rows; ++row)
          compare_list("recommend" + at + ", row " + std::to_string(row), got.items[row],
                       got.scores[row], scores[row], exclude_of(lists, row), lists.candidates,
                       lists.k);
        report_.num_comparisons += rows;
      }
    }
    if (!d_.method("explain")->refusal.empty()) return;
    const auto items = draw_items(rows);
    for (const auto* file : runs(rows == kOptimizedRows))
      compare_explanation("explain" + at,
                          from_file("explain" + at,
                                    [&] {
                                      return file->explain(all[0].histories, raw_items(items), 3);
                                    }),
                          items, scores);
  }

  int64_t num_items_of(int64_t user) const {
    return (inputs_.user_offsets[user + 1] - inputs_.user_offsets[user]).item<int64_t>();
  }

  // Dense ids of what the file should have stored of `user`.
  std::vector<int64_t> stored(int64_t user) const {
    if (!d_.user_histories || user == kUnknownId) return {};
    auto begin = inputs_.user_offsets[user].item<int64_t>();
    const auto end = inputs_.user_offsets[user + 1].item<int64_t>();
    if (d_.user_items > 0) begin = std::max(begin, end - d_.user_items);
    std::vector<int64_t> out;
    for (auto row = begin; row < end; ++row) out.push_back(inputs_.user_items[row].item<int64_t>());
    return out;
  }

  void check_users(int64_t rows) {
    const auto at = " (batch " + std::to_string(rows) + ")";
    const auto all = variants(rows);
    std::vector<std::vector<int64_t>> items;
    std::vector<torch::Tensor> scores;
    for (const auto& raw : all[0].users) {
      const auto user = inputs_.users->find(raw);
      items.push_back(stored(user));
      scores.push_back(all_scores(user, items.back()));  // [I]
    }
    for (const auto& lists : all) {
      const bool exclude_seen = d_.user_histories && !lists.exclude.empty();
      const auto got = from_file("recommend_user" + at, [&] {
        return file_.recommend_user(lists.users, lists.k, lists.exclude, lists.candidates,
                                    exclude_seen);
      });
      for (int64_t row = 0; row < rows; ++row) {
        auto exclude = exclude_of(lists, row);
        if (exclude_seen)
          for (const auto item : items[row]) exclude.push_back(raw_item(item));
        compare_list("recommend_user" + at + ", row " + std::to_string(row), got.items[row],
                     got.scores[row], scores[row], exclude, lists.candidates, lists.k);
      }
      report_.num_comparisons += rows;
    }
    const auto left_out =
        from_file("items_left_out" + at, [&] { return file_.items_left_out(all[0].users); });
    for (int64_t row = 0; row < rows; ++row) {
      const auto user = inputs_.users->find(all[0].users[row]);
      const auto wanted = d_.user_items > 0 && user != kUnknownId
                              ? num_items_of(user) - static_cast<int64_t>(items[row].size())
                              : 0;
      if (left_out[row] != wanted)
        differ("items_left_out" + at + ", row " + std::to_string(row) + ": " +
               std::to_string(left_out[row]) + " instead of " + std::to_string(wanted));
    }
    if (d_.explains_users()) {
      const auto asked = draw_items(rows);
      compare_explanation("explain_user" + at,
                          from_file("explain_user" + at,
                                    [&] {
                                      return file_.explain_user(all[0].users, raw_items(asked), 3);
                                    }),
                          asked, scores);
    }
    if (!d_.new_user_with_history) return;
    // Users whose histories are sent, as the metrics were measured.
    const auto& sent = all[0];
    const auto got = from_file("recommend_user" + at, [&] {
      return file_.recommend_user(sent.users, sent.k, {}, {}, false, sent.histories);
    });
    for (int64_t row = 0; row < rows; ++row)
      compare_list("recommend_user with histories" + at + ", row " + std::to_string(row),
                   got.items[row], got.scores[row],
                   all_scores(inputs_.users->find(sent.users[row]), known(sent.histories[row])), {},
                   {}, sent.k);
    report_.num_comparisons += rows;
  }

  // Somebody whose values are known, rare, of another kind of text, or not given.
  std::map<std::string, std::string> draw_features() {
    std::map<std::string, std::string> out;
    for (const auto& column : model_.user_encoding()->columns()) {
      const auto draw_value = [&] {
        const auto size = column.vocabulary.size();
        return size == 0 || draw(4) == 0 ? std::string("\x01no such value")
                                         : std::string(column.vocabulary.value(draw(size)));
      };
      if (draw(5) == 0) continue;
      if (column.length == 0) {
        out[column.name] = draw(5) == 0 ? std::string() : std::to_string(draw(100)) + ".5";
        continue;
      }
      out[column.name] = draw_value();
      if (column.type == FeatureType::kCategories)
        for (auto more = draw(column.length + 2); more > 0; --more)
          out[column.name] += column.separator + " " + draw_value();
    }
    return out;
  }

  void check_features(int64_t rows) {
    const auto at = " (batch " + std::to_string(rows) + ")";
    const auto& encoding = *model_.user_encoding();
    std::vector<std::map<std::string, std::string>> described;
    for (int64_t row = 0; row < rows; ++row) described.push_back(draw_features());
    const auto all = variants(rows);
    for (const bool with_histories : {false, true}) {
      if (with_histories && d_.max_length == 0) continue;
      std::vector<torch::Tensor> scores;
      std::vector<bool> usable;
      for (int64_t row = 0; row < rows; ++row) {
        const auto [codes, numbers] = encoding.encode({described[row]});
        const auto items = with_histories ? known(all[0].histories[row]) : std::vector<int64_t>();
        auto asked = request(torch::full({1}, kUnknownId, torch::kLong), newest(items));
        asked.set(batch_key::kUserCodes, codes);
        asked.set(batch_key::kUserNumbers, numbers);
        usable.push_back(model_.usable(asked).item<bool>());
        scores.push_back(scores_of(asked));  // [I]
      }
      const auto name =
          std::string("recommend_features") + (with_histories ? " with histories" : "");
      for (const auto& lists : all) {
        const auto histories = with_histories ? lists.histories : IdLists();
        for (const auto* file : runs(rows == kOptimizedRows && &lists == &all.back())) {
          const auto got = from_file(name + at, [&] {
            return file->recommend_features(described, lists.k, lists.exclude, lists.candidates,
                                            histories);
          });
          for (int64_t row = 0; row < rows; ++row)
            compare_list(name + at + ", row " + std::to_string(row), got.items[row],
                         got.scores[row], scores[row], exclude_of(lists, row), lists.candidates,
                         lists.k);
          report_.num_comparisons += rows;
        }
      }
      const auto served = from_file("serves_features" + at, [&] {
        return file_.serves_features(described, with_histories ? all[0].histories : IdLists());
      });
      if (served != usable) differ("serves_features" + at);
    }
  }

  void check_similar(int64_t rows) {
    const auto at = " (batch " + std::to_string(rows) + ")";
    const auto vectors = model_.item_vectors()->to(torch::kDouble);  // [I, D]
    const auto lengths = vectors.norm(2, 1).clamp_min(1e-12);        // [I]
    Ids items;
    for (int64_t row = 0; row < rows; ++row) items.push_back(raw_item(draw(d_.num_items)));
    const auto got =
        from_file("similar_items" + at, [&] { return file_.similar_items(items, kListLength); });
    for (int64_t row = 0; row < rows; ++row) {
      const auto id = inputs_.items->find(items[row]);
      const auto cosines = vectors.mv(vectors[id]) / (lengths * lengths[id]);  // [I]
      compare_list("similar_items" + at + ", row " + std::to_string(row), got.items[row],
                   got.scores[row], cosines, {items[row]}, {}, kListLength);
    }
    report_.num_comparisons += rows;
  }

  Model& model_;
  const ExportedFile& file_;
  const ExportedFile optimized_;
  const Description& d_;
  const ExportInputs& inputs_;
  const std::string& destination_;
  std::mt19937_64 random_;
  ParityReport report_;
};

}  // namespace

ParityReport check_parity(Model& model, const ExportedFile& file, const ExportInputs& inputs,
                          const std::string& destination) {
  const torch::NoGradGuard no_grad;
  return Parity(model, file, inputs, destination).run();
}

}  // namespace reckon
