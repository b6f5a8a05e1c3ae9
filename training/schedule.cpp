#include "training/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace reckon {

namespace {

// How far a run is, from 0 at its first step to 1 at its last.
double progress(int64_t step, int64_t total_steps) {
  if (total_steps <= 1) return 0.0;
  return std::min(1.0, static_cast<double>(step) / static_cast<double>(total_steps - 1));
}

template <class Options>
void describe_end(Schema<Options>& schema) {
  schema.field("end", &Options::end)
      .must_be_in(0.0, 1.0)
      .doc("What is left of the learning rate at the last step.");
}

template <class Options>
void describe_gamma(Schema<Options>& schema, const char* doc) {
  schema.field("gamma", &Options::gamma).positive().at_most(1.0).doc(doc);
}

}  // namespace

void Schedule::Common::describe(Schema<Common>& schema) {
  schema.field("warmup_steps", &Common::warmup_steps)
      .at_least(0)
      .doc(
          "Steps in which the learning rate rises from near zero; the schedule begins after them.");
}

double scheduled_factor(const Component<Schedule>& schedule, const Schedule::Deps& deps,
                        int64_t step) {
  const int64_t warmup = schedule.common().warmup_steps;
  auto after = deps;
  after.total_steps = std::max<int64_t>(1, deps.total_steps - warmup);
  const double factor = schedule.build(after)->factor(std::max<int64_t>(0, step - warmup));
  if (step >= warmup) return factor;
  return factor * static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
}

void LinearSchedule::Options::describe(Schema<Options>& schema) { describe_end(schema); }

double LinearSchedule::factor(int64_t step) const {
  return 1.0 + (options_.end - 1.0) * progress(step, deps_.total_steps);
}

void CosineSchedule::Options::describe(Schema<Options>& schema) { describe_end(schema); }

double CosineSchedule::factor(int64_t step) const {
  const double angle = std::numbers::pi * progress(step, deps_.total_steps);
  return options_.end + (1.0 - options_.end) * 0.5 * (1.0 + std::cos(angle));
}

void StepSchedule::Options::describe(Schema<Options>& schema) {
  schema.field("every", &Options::every).positive().doc("Epochs between two drops.");
  describe_gamma(schema, "What is left of the learning rate after a drop.");
}

double StepSchedule::factor(int64_t step) const {
  const int64_t drops = step / (options_.every * deps_.steps_per_epoch);
  return std::pow(options_.gamma, static_cast<double>(drops));
}

void ExponentialSchedule::Options::describe(Schema<Options>& schema) {
  describe_gamma(schema, "What is left of the learning rate after an epoch.");
}

double ExponentialSchedule::factor(int64_t step) const {
  const double epochs = static_cast<double>(step) / static_cast<double>(deps_.steps_per_epoch);
  return std::pow(options_.gamma, epochs);
}

}  // namespace reckon
