#pragma once

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/catalog.h"
#include "evaluation/item_categories.h"

namespace reckon {

/// What a list is chosen from, for one user.   Shapes  N candidates
struct RerankRequest {
  std::span<const int64_t> items;     ///< [N] dense ids, best first.
  std::span<const double> relevance;  ///< [N] the scores, brought into [0, 1] (relevance_of()).
  std::span<const int32_t> history;   ///< What the user had before.
};

/// Chooses a list from the candidates that a model ranked highest.
class Reranker {
 public:
  using Kind = Reranker;
  static constexpr const char* kKind = "re-ranker";

  /// What only the running program knows.
  struct Deps {
    int64_t num_items = 0;
    torch::Tensor item_counts;  ///< [I] int64, training interactions.
    /// Item vectors of length 1 or 0, [I, D] float32 contiguous; undefined when the model has none.
    /// Asked for only when needed.
    std::function<torch::Tensor()> unit_vectors;
    std::shared_ptr<const ItemCategories> categories;  ///< Null when the config names none.
  };
  /// Keys that every re-ranker takes beside its own.
  struct Common {
    int64_t candidates = 100;
    static void describe(Schema<Common>& schema);
  };

  virtual ~Reranker() = default;

  /// Places of the chosen candidates, distinct and in the order of the list; `length` of them, or all
  /// candidates where there are fewer, or fewer yet where the rule lets no other in. A shorter list is
  /// the beginning of a longer one.
  virtual std::vector<size_t> choose(const RerankRequest& request, size_t length) const = 0;
};

/// Scores brought into [0, 1] by the lowest and the highest finite one; all 1 when they are equal.
std::vector<double> relevance_of(std::span<const float> scores);

/// Appends the candidates that are not in `list` as they were ranked, up to `length` in all.
void fill_as_ranked(std::vector<size_t>& list, size_t num_candidates, size_t length);

/// deps.categories, and deps.unit_vectors().
/// Throws   ConfigError, with what to write, when there are none.
std::shared_ptr<const ItemCategories> require_categories(const Reranker::Deps& deps);
torch::Tensor require_unit_vectors(const Reranker::Deps& deps);

/// The chosen re-ranker.
/// Throws   ConfigError that names it, at its place in the config, when it lacks something.
std::shared_ptr<Reranker> build_reranker(const Component<Reranker>& chosen,
                                         const Reranker::Deps& deps);

}  // namespace reckon
