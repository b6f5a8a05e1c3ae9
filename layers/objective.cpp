#include "layers/objective.h"

namespace reckon {

void Objective::Common::describe(Schema<Common>& schema) {
  schema.field("weight", &Common::weight)
      .positive()
      .doc("Factor of this objective in the sum of all.");
  schema.field("every", &Common::every).positive().doc("Counts only in every n-th step.");
}

}  // namespace reckon
