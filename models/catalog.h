#pragma once

#include "core/catalog.h"

namespace reckon {

/// Registers the families and stand-alone models of this room.
void add_models(Catalog& catalog);

}  // namespace reckon
