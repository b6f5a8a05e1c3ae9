#pragma once

#include <torch/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "export/archive.h"
#include "export/description.h"

namespace reckon {

/// Raw ids, best first, one list for each request, and their scores.
///
/// Shapes   scores [B, K], K the longest list; minus infinity behind the end of a shorter one
struct NamedRanking {
  std::vector<std::vector<std::string>> items;
  torch::Tensor scores;
};

/// What carried the score of one item of each request, largest by magnitude first: the sum of row
/// b of `contributions`, others[b] and rest[b] are that score together.
///
/// Shapes   contributions [B, K], K the longest list; zero behind the end of a shorter one
struct NamedExplanation {
  std::vector<std::vector<std::string>> sources;  ///< Items or users: Description::explained_by.
  torch::Tensor contributions;                    // [B, K]
  torch::Tensor others;                           // [B], of sources behind the first k
  torch::Tensor rest;                             // [B], of no source; NaN for unknown items
};

/// A loaded file of `reckon export`: its methods as C++ functions, callable from several threads.
///
/// What each method does stands in the file itself (description().methods) and in
/// export/methods.cpp. Every method throws DataError with a sentence when this file does not offer
/// it, when an argument is out of its range, or when LibTorch fails in it.
class ExportedFile {
 public:
  using Ids = std::vector<std::string>;
  using IdLists = std::vector<Ids>;
  using Features =
      std::vector<std::map<std::string, std::string>>;  ///< Column to text, by request.

  /// Throws   DataError when the file is missing, damaged, cut short, foreign, or of another version.
  explicit ExportedFile(const std::string& path);

  /// The same file, not loaded again, run by TorchScript's optimising executor as Python runs it: the
  /// first calls of each method take a tenth of a second, later ones are no faster here.
  ExportedFile with_optimizer() const;

  const std::string& path() const;
  const Description& description() const;
  const Archive& archive() const;
  double load_seconds() const;

  // --- Raw ids in and out. Empty `exclude` and `candidates` mean: none left out, all to choose from.

  NamedRanking recommend(const IdLists& histories, int64_t k, const IdLists& exclude = {},
                         const Ids& candidates = {}) const;
  /// `histories`: one list for each user in place of what the file holds of it, or empty.
  NamedRanking recommend_user(const Ids& users, int64_t k, const IdLists& exclude = {},
                              const Ids& candidates = {}, bool exclude_seen = false,
                              const IdLists& histories = {}) const;
  /// Users given by what describes them (description().user_columns).
  NamedRanking recommend_features(const Features& features, int64_t k, const IdLists& exclude = {},
                                  const Ids& candidates = {}, const IdLists& histories = {}) const;
  NamedRanking similar_items(const Ids& items, int64_t k) const;
  torch::Tensor score(const IdLists& histories, const IdLists& items) const;  // [B, C]
  torch::Tensor score_user(const Ids& users, const IdLists& items,
                           const IdLists& histories = {}) const;  // [B, C]
  /// What carried the scores of `items`, one for each request.
  NamedExplanation explain(const IdLists& histories, const Ids& items, int64_t k = 10) const;
  NamedExplanation explain_user(const Ids& users, const Ids& items, int64_t k = 10,
                                const IdLists& histories = {}) const;
  std::vector<bool> known_items(const Ids& ids) const;
  std::vector<bool> known_users(const Ids& users) const;

  /// Which requests the model answers itself; the others get description().fallback.
  std::vector<bool> serves_histories(const IdLists& histories) const;
  std::vector<bool> serves_users(const Ids& users, const IdLists& histories = {}) const;
  std::vector<bool> serves_features(const Features& features, const IdLists& histories = {}) const;

  /// How many older items of each user the file does not hold, though it holds newer ones.
  std::vector<int64_t> items_left_out(const Ids& users) const;

  /// What to show beside items: for each of description().display, one text for each item; empty
  /// texts for unknown items.
  std::vector<Ids> display(const Ids& items) const;

  // --- Dense ids and tensors.

  /// Shapes   users [B] int64, history [B, T] int64 left-padded -> tensors of B rows
  std::vector<torch::Tensor> encode(const torch::Tensor& users, const torch::Tensor& history) const;
  /// Which requests hold something that the model can use.
  /// Shapes   users [B], history [B, T] as for encode -> [B] bool
  torch::Tensor usable(const torch::Tensor& users, const torch::Tensor& history) const;
  /// Shapes   candidates [B, C] int64 -> [B, C]
  torch::Tensor score_states(const std::vector<torch::Tensor>& states,
                             const torch::Tensor& candidates) const;
  /// Shapes   -> [B, I]
  torch::Tensor score_all(const std::vector<torch::Tensor>& states) const;
  /// Shapes   -> [B, M, D]
  torch::Tensor queries(const std::vector<torch::Tensor>& states) const;
  /// The three tensors of an Explanation (models/model.h).
  /// Shapes   users [B], history [B, T] as for encode, B > 0, items [B] -> [B, P], [B, P], [B]
  std::vector<torch::Tensor> contributions(const torch::Tensor& users, const torch::Tensor& history,
                                           const torch::Tensor& items) const;
  /// Undefined when there is none.
  /// Shapes   -> [B]
  torch::Tensor query_bias(const std::vector<torch::Tensor>& states) const;
  /// The scores of all items, with the fallback for rows that have nothing usable.
  /// Shapes   inputs as description().methods says -> [B, I]
  torch::Tensor forward(const std::vector<torch::Tensor>& inputs) const;

  torch::Tensor factor_items() const;                 // [I, D]; undefined without inner product
  torch::Tensor factor_bias() const;                  // [I], undefined when there is none
  std::optional<torch::Tensor> item_vectors() const;  // [I, D]

 private:
  struct Impl;
  explicit ExportedFile(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

  std::shared_ptr<const Impl> impl_;
};

}  // namespace reckon
