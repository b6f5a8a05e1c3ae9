#include "training/misfit.h"

#include "core/diagnostics.h"

namespace reckon {

namespace {

std::string in_one_line(const std::vector<Misfit>& misfits) {
  std::vector<std::string> sentences;
  for (const auto& misfit : misfits)
    sentences.push_back(misfit.key + ": " + misfit.message +
                        (misfit.hint.empty() ? "" : " (" + misfit.hint + ")"));
  return join(sentences, "; ");
}

}  // namespace

MisfitError::MisfitError(std::vector<Misfit> misfits)
    : std::invalid_argument(in_one_line(misfits)), misfits_(std::move(misfits)) {}

}  // namespace reckon
