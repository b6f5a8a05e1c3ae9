#pragma once

#include "models/model.h"

namespace reckon {

/// Adds up the shares of sources that stand several times in a row: what a history repeats is one
/// source. Traceable.
Explanation with_distinct_sources(const Explanation& all);

}  // namespace reckon
