#pragma once

#include "datasets/interactions.h"
#include "layers/objective.h"

namespace reckon {

/// Distinct items of each user and users of each item, and with `num_neighbours` above 0 the items
/// closest to each by the users that they have in common, the closest first.
InteractionStatistics interaction_statistics(const Interactions& train, int64_t num_neighbours);

}  // namespace reckon
