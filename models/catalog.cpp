#include "models/catalog.h"

#include "models/ials.h"
#include "models/autoencoder.h"
#include "models/popularity.h"
#include "models/propagation.h"
#include "models/random.h"
#include "models/retrieval.h"

namespace reckon {

void add_models(Catalog& catalog) {
  catalog.of<Propagation>();
  catalog.add<Retrieval>("retrieval", "Users and items in one space; slots for every part.");
  catalog.add<Autoencoder>("autoencoder", "A set of items through a narrow network and back.");
  catalog.add<Popularity>("popularity", "What most interactions in training chose.");
  catalog.add<Ials>("ials", "Matrix factorisation by alternating least squares.");
  catalog.add<Random>("random", "A fixed random ranking for each user.");
}

}  // namespace reckon
