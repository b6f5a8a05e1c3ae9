#include "models/item_knn.h"

#include <limits>

#include "models/interaction_matrix.h"

namespace reckon {

void ItemKnn::Options::describe(Schema<Options>& schema) {
  schema.field("neighbors", &Options::neighbors)
      .at_least(0)
      .doc("Most similar items that are kept of each; 0: all that have anything in common.");
  schema.field("neighbors_of", &Options::neighbors_of)
      .doc("Whose neighbors count: those of the items in the history, or of the candidate.");
  schema.field("similarity", &Options::similarity)
      .doc("How alike two items are, seen as rows of users.");
}

ItemKnn::ItemKnn(const Options& options, const Deps& deps)
    : ItemWeightsModel(deps), options_(options) {
  if (options.similarity.compares_ratings() && !deps.has_ratings)
    throw ConfigError({{{"model"},
                        "model.similarity: compares ratings, and the data has none",
                        "name their column in data.files.interactions.roles.rating, or compare "
                        "what was chosen: measure: cosine, weighting: ones"}});
}

double ItemKnn::fit(const Interactions& train, const Context&) {
  TORCH_CHECK(train.num_items == num_items(), "item_knn: made for ", num_items(),
              " items, got data of ", train.num_items);
  const auto users = matrix_to_compare(train, options_.similarity);
  const auto similar = similar_rows(transpose(users, num_items()), train.num_users,
                                    options_.similarity, options_.neighbors);
  weights_->fill(options_.neighbors_of == NeighborsOf::kHistory ? similar
                                                                : transpose(similar, num_items()));
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace reckon
