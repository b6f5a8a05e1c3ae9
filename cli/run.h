#pragma once

#include "core/catalog.h"

namespace reckon {

/// The command line of `reckon`, over a catalog that the caller may have added components to.
///
/// Returns the exit code: 0 success, 1 a problem with the input (said on stderr), 2 wrong usage,
/// 130 stopped by an interrupt after a checkpoint. Never throws.
int run(int argc, char** argv, const Catalog& catalog);

}  // namespace reckon
