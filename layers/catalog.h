#pragma once

#include "core/catalog.h"

namespace reckon {

/// Registers the positions, encoders, scorers and objectives of this room.
void add_layers(Catalog& catalog);

}  // namespace reckon
