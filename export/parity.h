#pragma once

#include <cstdint>
#include <string>

#include "export/exported_file.h"
#include "models/model.h"

namespace reckon {

struct ExportInputs;

struct ParityReport {
  int64_t num_comparisons = 0;      ///< Requests that were compared, each row counted.
  double largest_difference = 0.0;  ///< Of all numbers compared.
};

/// Compares a reloaded file with the model that it was made from, at several batch sizes and history
/// lengths: encoded states, scores and inner-product form on dense ids, then whole lists on raw ids,
/// against a ranking that is made here from the model's scores alone.
///
/// Some requests run several times by the optimising executor, as Python would run them: it replaces
/// a method by an optimised one after its first runs. `destination` is the path that messages speak of.
/// Throws   c10::Error with the method, the request and the place of the first difference.
ParityReport check_parity(Model& model, const ExportedFile& file, const ExportInputs& inputs,
                          const std::string& destination);

}  // namespace reckon
