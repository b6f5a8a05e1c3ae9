#pragma once

#include <memory>
#include <string>
#include <vector>

#include "export/exported_file.h"
#include "serving/explanation.h"
#include "serving/requests.h"

namespace reckon {

/// Answers requests from an exported file, whatever model is in it.
///
/// The plain methods (recommend, recommend_user, similar_items, score, describe) are those of the
/// file; answer() adds what people want to know beside a list: titles, unknown ids, the fallback.
/// Several threads may call one recommender.
class Recommender {
 public:
  /// Throws   DataError when the file cannot be used.
  explicit Recommender(const std::string& path);

  const ExportedFile& file() const { return file_; }
  std::string describe() const { return file_.archive().description; }

  NamedRanking recommend(const ExportedFile::IdLists& histories, int64_t k,
                         const ExportedFile::IdLists& exclude = {},
                         const ExportedFile::Ids& candidates = {}) const {
    return file_.recommend(histories, k, exclude, candidates);
  }
  NamedRanking recommend_user(const ExportedFile::Ids& users, int64_t k,
                              const ExportedFile::IdLists& exclude = {},
                              const ExportedFile::Ids& candidates = {}, bool exclude_seen = false,
                              const ExportedFile::IdLists& histories = {}) const {
    return file_.recommend_user(users, k, exclude, candidates, exclude_seen, histories);
  }
  NamedRanking similar_items(const ExportedFile::Ids& items, int64_t k) const {
    return file_.similar_items(items, k);
  }
  torch::Tensor score(const ExportedFile::IdLists& histories,
                      const ExportedFile::IdLists& items) const {
    return file_.score(histories, items);  // [B, C]
  }

  /// The answers to `requests`, in their order. Neighbours that ask for the same kind and number are
  /// answered together.
  /// Throws   DataError when the file does not serve such requests, with what it does serve.
  std::vector<Recommendation> answer(const std::vector<Request>& requests) const;

  /// What carried the score that such a request gives `item`, the k largest shares by name. The
  /// request is one by user, history or both; of it nothing but these counts.
  /// Throws   DataError when the file explains no such score.
  ItemExplanation explain(const Request& request, const std::string& item, int64_t k) const;

 private:
  void answer_group(const Request* begin, const Request* end,
                    std::vector<Recommendation>& out) const;
  void note_unknown(const Request* begin, const Request* end, Recommendation* answers) const;
  void note_left_out(const Request* begin, const Request* end, Recommendation* answers) const;

  ExportedFile file_;
};

}  // namespace reckon
