#include "datasets/catalog.h"

#include "datasets/edge_source.h"
#include "datasets/splitter.h"

namespace reckon {

void add_datasets(Catalog& catalog) {
  catalog.add<LeaveOneOut>(
      "leave_one_out", "The last item of each user is the test, the one before it the validation.");
  catalog.add<RatioSplit>("ratio", "Given shares, of each user or of all, at random or by time.");
  catalog.add<TimeSplit>("time", "Validation and test begin at given instants.");
  catalog.add<FilesSplit>("files", "Validation and test are files of their own.");
  catalog.add<KFoldSplit>("k_fold", "Cross-validation: each part is the test once.");
  catalog.add<NoSplit>("none", "Everything is training.");

  catalog.add<InteractionEdges>("interactions", "Users and the items of their training part.");
  catalog.add<TripleEdges>("triples",
                           "Facts about items and other entities, a relation for each kind.");
  catalog.add<AttributeEdges>("attribute",
                              "Items (or users) and the values of one column of their table.");
  catalog.add<FriendEdges>("friends", "Users and the users they know.");
}

}  // namespace reckon
