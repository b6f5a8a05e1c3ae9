#pragma once

#include "datasets/fetch.h"

namespace reckon {

/// MovieLens 100K: interactions.tsv (user, item, rating, timestamp), items.tsv (item, title, year,
/// genres) and users.tsv (user, age, gender, occupation, zip), in UTF-8, in the publisher's order.
KnownDataset movielens_100k();

}  // namespace reckon
