#pragma once

#include "core/catalog.h"

namespace reckon {

/// Everything of this room that a config may name.
void add_evaluation(Catalog& catalog);

}  // namespace reckon
