#include "models/model.h"

namespace reckon {

torch::Tensor Model::queries(const State&) {
  TORCH_CHECK(false, "queries: this model has no inner-product form; ask factors() first");
}

}  // namespace reckon
