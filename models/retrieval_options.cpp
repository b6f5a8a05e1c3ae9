#include "models/retrieval.h"

namespace reckon {

void IdOptions::describe(Schema<IdOptions>& schema) {
  schema.field("sparse", &IdOptions::sparse)
      .doc("Update only the rows that a step touches; for catalogues of a million and more.");
  schema.field("pretrained", &IdOptions::pretrained)
      .doc("File of vectors (.parquet or .tsv with raw ids, or .npy in order of dense ids).");
  schema.field("frozen", &IdOptions::frozen).doc("Keep the vectors as they were read or drawn.");
  schema.field("init", &IdOptions::init).doc("How the vectors are drawn.");
  schema.invariant("frozen",
                   "needs `pretrained`: random vectors that are never trained say nothing",
                   [](const IdOptions& o) { return !o.frozen || !o.pretrained.empty(); });
}

void HistoryOptions::describe(Schema<HistoryOptions>& schema) {
  schema.field("max_length", &HistoryOptions::max_length)
      .positive()
      .at_most(1000000)
      .doc("The newest items that are read; older ones are left out.");
  schema.field("windows", &HistoryOptions::windows)
      .doc(
          "Learn a longer history in windows of max_length, one after the other; without it, from "
          "its newest window alone.");
  schema.field("scale", &HistoryOptions::scale)
      .doc("Multiply item vectors by sqrt(dim) before positions are added.");
  schema.field("one_target", &HistoryOptions::one_target)
      .doc(
          "Of encoders of sets: learn each interaction in an example of its own, beside the whole "
          "set, in place of all items of a user in one; training.batch_size then counts "
          "interactions.");
  schema.field("norm", &HistoryOptions::norm)
      .doc(
          "Layer norm of items and positions together, before the dropout, as BERT has it; not of "
          "sets.");
  schema.field("dropout", &HistoryOptions::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc("Drop probability of the encoder's input.");
  schema.field("id", &HistoryOptions::id)
      .doc(
          "Vectors of its own for the items of a history, as FISM and SimpleX have them; left out, "
          "they are those of the items that are scored.");
  schema.field("position", &HistoryOptions::position)
      .default_type("learned")
      .doc("Where in the history an item stands.");
  schema.field("encoder", &HistoryOptions::encoder)
      .required()
      .doc("Turns the history into a state.");
}

void ItemOptions::describe(Schema<ItemOptions>& schema) {
  schema.field("id", &ItemOptions::id)
      .doc("A vector for each item id; `null` leaves it to the features alone.");
  schema.field("features", &ItemOptions::features)
      .doc("What columns of data.files.items say of it, so that new items can be ranked.");
  schema.field("dropout", &ItemOptions::dropout)
      .at_least(0.0)
      .less_than(1.0)
      .doc(
          "Drop probability of item vectors in training: one mask for an item and step, the same "
          "in "
          "histories, targets and negatives.");
  schema.invariant("needs `id`, `features` or both",
                   [](const ItemOptions& o) { return o.id.has_value() || o.features.has_value(); });
}

void UserOptions::describe(Schema<UserOptions>& schema) {
  schema.field("id", &UserOptions::id).doc("A vector for each user id.");
  schema.field("features", &UserOptions::features)
      .doc("What columns of data.files.users say of it, so that new users can be served.");
  schema.field("history", &UserOptions::history).doc("The user as the items of the history.");
  schema.field("id_weight", &UserOptions::id_weight)
      .must_be_in(0.0, 1.0)
      .doc(
          "Weight of the id's vector and of the features', the history having the rest; left out, "
          "both count whole.");
  schema.invariant("id_weight", "needs both `id` and `history` to weigh", [](const UserOptions& o) {
    return !o.id_weight || (o.id.has_value() && o.history.has_value());
  });
  schema.invariant("needs `id`, `history`, `features` or several of them",
                   [](const UserOptions& o) {
                     return o.id.has_value() || o.history.has_value() || o.features.has_value();
                   });
}

void Retrieval::Options::describe(Schema<Options>& schema) {
  schema.field("dim", &Options::dim)
      .positive()
      .at_most(65536)
      .doc("Width D of item vectors and user states.");
  schema.field("item", &Options::item).doc("What represents an item.");
  schema.field("user", &Options::user)
      .required()
      .doc("What represents a user; parts are added up.");
  schema.field("propagation", &Options::propagation)
      .doc("Mixes user and item vectors along the graph of training interactions.");
  schema.field("scorer", &Options::scorer)
      .default_type("dot")
      .doc("How a user state and an item vector become a score.");
  schema.field("objectives", &Options::objectives)
      .required()
      .non_empty()
      .doc("What is minimised: the weighted sum of these.");
}

}  // namespace reckon
