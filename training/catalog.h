#pragma once

#include "core/catalog.h"

namespace reckon {

/// Registers training procedures, optimisers and learning-rate schedules.
void add_training(Catalog& catalog);

}  // namespace reckon
