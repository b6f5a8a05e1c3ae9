#pragma once

#include "core/catalog.h"

namespace reckon {

/// Every component, model, procedure and preset that reckon brings along.
Catalog default_catalog();

}  // namespace reckon
