#include "cli/reference.h"

#include "cli/experiment.h"
#include "core/describe.h"

namespace reckon {

std::string reference_text(const Catalog& catalog) {
  return reference_markdown(
      {{"Experiment", "The top level of an experiment file.", &Schema<Experiment>::instance()},
       {"data", "Files, cleaning and splits.", &Schema<DataOptions>::instance()},
       {"evaluation", "What is measured; formulas stand in [metrics.md](metrics.md).",
        &Schema<EvaluationOptions>::instance()},
       {"export", "What an exported file holds beside the model.",
        &Schema<ExportOptions>::instance()},
       {"tune", "What `reckon tune` tries.", &Schema<TuneOptions>::instance()}},
      catalog);
}

}  // namespace reckon
