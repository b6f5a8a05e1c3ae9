#include "evaluation/catalog.h"

#include "evaluation/calibrated.h"
#include "evaluation/category_caps.h"
#include "evaluation/dpp.h"
#include "evaluation/mmr.h"
#include "evaluation/popularity_discount.h"

namespace reckon {

void add_evaluation(Catalog& catalog) {
  catalog.add<Mmr>("mmr", "Maximal marginal relevance: good, and unlike what is in the list.");
  catalog.add<Dpp>("dpp",
                   "Determinantal point process, greedily: a list of items unlike each other.");
  catalog.add<Calibrated>("calibrated", "Categories spread as in the user's history.");
  catalog.add<PopularityDiscount>("popularity_discount",
                                  "Popular items lose a part of their score.");
  catalog.add<CategoryCaps>("category_caps", "At most so many items of each category.");
}

}  // namespace reckon
