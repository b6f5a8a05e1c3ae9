#include "evaluation/options.h"

#include <algorithm>
#include <utility>

namespace reckon {

template <>
struct EnumNames<EvaluationProtocol> {
  static std::vector<std::pair<std::string, EvaluationProtocol>> all() {
    return {{"full", EvaluationProtocol::kFull}, {"sampled", EvaluationProtocol::kSampled}};
  }
};

template <>
struct EnumNames<NegativeSampling::Distribution> {
  static std::vector<std::pair<std::string, NegativeSampling::Distribution>> all() {
    return {{"uniform", NegativeSampling::Distribution::kUniform},
            {"popularity", NegativeSampling::Distribution::kPopularity}};
  }
};

template <>
struct EnumNames<Split> {
  // Training data is not among them: its users' items are masked, so nothing could be found.
  static std::vector<std::pair<std::string, Split>> all() {
    return {{"validation", Split::kValidation}, {"test", Split::kTest}};
  }
};

void NegativeSampling::describe(Schema<NegativeSampling>& schema) {
  schema.field("count", &NegativeSampling::count)
      .positive()
      .doc("Items drawn for each user; all that are left where there are fewer.");
  schema.field("distribution", &NegativeSampling::distribution)
      .doc("Every item alike, or in proportion to its training interactions.");
  schema.field("seed", &NegativeSampling::seed)
      .at_least(0)
      .doc("Another seed draws other items; the draw depends on it and the user alone.");
}

void EvaluationOptions::describe(Schema<EvaluationOptions>& schema) {
  schema.field("metrics", &EvaluationOptions::metrics)
      .non_empty()
      .doc(
          "What is measured: a name with its cut-off, such as ndcg@10; auc, rmse and mae have "
          "none.");
  schema.field("split", &EvaluationOptions::split).doc("The held-out part that is looked for.");
  schema.field("protocol", &EvaluationOptions::protocol)
      .doc("Rank the whole catalogue, or only the relevant items among drawn ones.");
  schema.field("negatives", &EvaluationOptions::negatives)
      .doc("How the items of the sampled protocol are drawn.");
  schema.field("mask_seen", &EvaluationOptions::mask_seen)
      .doc("Never rank what the user had before.");
  schema.field("relevant_from", &EvaluationOptions::relevant_from)
      .doc("Least rating of a held-out item that counts as relevant; without it all of them do.");
  schema.field("per_user", &EvaluationOptions::per_user)
      .doc("Keep the values of each user, which `reckon compare` needs.");
  schema.field("top_k_lists", &EvaluationOptions::top_k_lists)
      .at_least(0)
      .doc("Length of the lists that are kept for each user; 0 keeps none.");
  schema.field("categories", &EvaluationOptions::categories)
      .doc("Where the categories of items stand, for metrics of them and re-ranking by them.");
  schema.field("reranking", &EvaluationOptions::reranking)
      .doc("How lists are chosen from the items that the model ranks highest; none when left out.");
  schema.field("batch_size", &EvaluationOptions::batch_size)
      .positive()
      .doc("Users that are encoded at once.");
  schema.field("threads", &EvaluationOptions::threads)
      .at_least(0)
      .doc("Threads over batches of users; 0 takes all. Results do not depend on it.");
  schema.invariant("negatives", "is only read with `protocol: sampled`",
                   [](const EvaluationOptions& options) {
                     return !options.negatives || options.protocol == EvaluationProtocol::kSampled;
                   });
  schema.invariant("metrics", "names a metric twice", [](const EvaluationOptions& options) {
    for (auto name = options.metrics.begin(); name != options.metrics.end(); ++name) {
      if (std::find(options.metrics.begin(), name, *name) != name) return false;
    }
    return true;
  });
}

void check_without_ratings(const EvaluationOptions& options, const ConfigNode* section,
                           Problems& problems) {
  const auto add = [&](const std::string& path, const std::string& what, const std::string& hint) {
    const auto* value = section == nullptr ? nullptr : section->at_path(path);
    const auto* place = value == nullptr ? section : value;
    problems.add(place == nullptr ? SourceLocation{"evaluation"} : place->location(),
                 "evaluation." + path + ": " + what + ", and the data has none", hint);
  };
  for (size_t i = 0; i < options.metrics.size(); ++i) {
    if (options.metrics[i].is_rating())
      add("metrics[" + std::to_string(i) + "]",
          options.metrics[i].to_string() + " compares ratings",
          "measure how items are ranked, with ndcg@10 for instance");
  }
  if (options.relevant_from)
    add("relevant_from", "is a rating", "leave it out: every held-out item is relevant");
}

}  // namespace reckon
