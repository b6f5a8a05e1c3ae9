#pragma once

#include <optional>

#include "cli/experiment.h"

namespace reckon {

/// Adds what of model, procedure, evaluation and files does not fit together, each at its place in
/// `tree`: a procedure that the model cannot learn by, a device there is none of, parameters that
/// nobody has, early stopping without a validation part, files that are not there.
///
/// The model is built tiny and nothing is read. `has_validation` is what the prepared data says; while
/// there is none, the options of the split say it as far as they can.
void check_combinations(const ConfigNode& tree, const Experiment& experiment,
                        std::optional<bool> has_validation, Problems& problems);

}  // namespace reckon
