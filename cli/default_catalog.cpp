#include "cli/default_catalog.h"

#include <string>

#include "datasets/catalog.h"
#include "evaluation/catalog.h"
#include "layers/catalog.h"
#include "models/catalog.h"
#include "models/presets.h"
#include "training/catalog.h"

namespace reckon {

Catalog default_catalog() {
  Catalog catalog;
  add_datasets(catalog);
  add_layers(catalog);
  add_models(catalog);
  add_evaluation(catalog);
  add_training(catalog);
  for (const auto& preset : embedded_presets())
    catalog.add_preset(std::string(preset.name), std::string(preset.text));
  return catalog;
}

}  // namespace reckon
