#include "training/catalog.h"

#include "training/adagrad.h"
#include "training/adam.h"
#include "training/fit.h"
#include "training/lock_free.h"
#include "training/schedule.h"
#include "training/sgd.h"
#include "training/supervised.h"

namespace reckon {

void add_training(Catalog& catalog) {
  catalog.add<Supervised>("supervised", "Gradients of a loss over epochs of shuffled batches.");
  catalog.add<Fit>("fit", "Counting, a closed form, or sweeps without gradients.");
  catalog.add<LockFree>("lock_free", "Single updates of pairs, by threads without locks.");

  catalog.add<Adam>("adam", "Adam; weight decay is an L2 term.");
  catalog.add<AdamW>("adamw", "Adam with decoupled weight decay.");
  catalog.add<Adagrad>("adagrad", "Steps that shrink with the squares of past gradients.");
  catalog.add<Sgd>("sgd", "Gradient descent, with momentum if asked for.");

  catalog.add<ConstantSchedule>("constant", "Always the same learning rate.");
  catalog.add<LinearSchedule>("linear", "Falls in equal steps to its end.");
  catalog.add<CosineSchedule>("cosine", "Falls along half a cosine to its end.");
  catalog.add<StepSchedule>("step", "Drops after every so many epochs.");
  catalog.add<ExponentialSchedule>("exponential", "Falls by the same factor in each epoch.");
}

}  // namespace reckon
