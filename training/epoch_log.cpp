#include "training/epoch_log.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "training/json_number.h"

namespace reckon {

namespace {

using Json = nlohmann::json;

Json record_json(const EpochRecord& record) {
  Json validation = Json::array();
  for (const auto& [name, value] : record.validation) validation.push_back({name, value});
  return {{"epoch", record.epoch},      {"step", record.step}, {"loss", record.loss},
          {"terms", record.terms},      {"lr", record.lr},     {"validation", validation},
          {"is_whole", record.is_whole}};
}

EpochRecord record_from(const Json& json) {
  EpochRecord record;
  record.epoch = json.at("epoch");
  record.step = json.at("step");
  record.loss = number_or_nan(json.at("loss"));
  record.lr = number_or_nan(json.at("lr"));
  record.is_whole = json.value("is_whole", true);
  for (const auto& [name, value] : json.at("terms").items())
    record.terms[name] = number_or_nan(value);
  for (const auto& pair : json.at("validation"))
    record.validation.emplace_back(pair.at(0), number_or_nan(pair.at(1)));
  return record;
}

}  // namespace

void EarlyStoppingOptions::describe(Schema<EarlyStoppingOptions>& schema) {
  schema.field("metric", &EarlyStoppingOptions::metric)
      .doc("What is to get better on the validation split.");
  schema.field("patience", &EarlyStoppingOptions::patience)
      .positive()
      .doc("Validations without a better one before the run ends.");
  schema.field("evaluate_every", &EarlyStoppingOptions::evaluate_every)
      .positive()
      .doc("Epochs from one validation to the next.");
  schema.field("min_delta", &EarlyStoppingOptions::min_delta)
      .at_least(0.0)
      .doc("By how much a validation must be better to count.");
}

void EpochLog::add(EpochRecord record, bool is_last, const Procedure::Deps& deps) {
  // The end of a run is validated in any case, if only for the record.
  if (validate_every() > 0 && (is_validated(record) || is_last)) validate(record, deps);
  // An epoch that was begun before is one and the same.
  if (!records_.empty() && records_.back().epoch == record.epoch) records_.pop_back();
  records_.push_back(record);
  if (deps.observer != nullptr) deps.observer->on_epoch(record);
}

int64_t EpochLog::validate_every() const {
  return early_stopping_ ? early_stopping_->evaluate_every : validate_every_;
}

bool EpochLog::is_validated(const EpochRecord& record) const {
  const int64_t every = validate_every();
  return every > 0 && record.is_whole && (record.epoch % every == 0 || record.epoch == num_epochs_);
}

void EpochLog::validate(EpochRecord& record, const Procedure::Deps& deps) {
  std::vector<MetricName> also;
  if (early_stopping_) also.push_back(early_stopping_->metric);
  deps.model->eval();
  const auto result = deps.validate(also);
  deps.model->train();
  for (const auto& metric : result.metrics)
    record.validation.emplace_back(metric.name.to_string(), metric.mean);
  // Patience and the best epoch must not depend on where a run was stopped to be resumed.
  if (!early_stopping_ || !is_validated(record)) return;

  const auto& stopping = *early_stopping_;
  const double value = result.value(stopping.metric);
  const double gain = stopping.metric.higher_is_better() ? 1.0 : -1.0;
  const bool is_better =
      !std::isnan(value) && (!best_ || gain * (value - best_->value) > stopping.min_delta);
  if (is_better) {
    best_ = BestEpoch{record.epoch, record.step, stopping.metric.to_string(), value};
    num_worse_ = 0;
    if (deps.observer != nullptr) deps.observer->on_best(*best_);
    return;
  }
  if (++num_worse_ >= stopping.patience) has_stopped_early_ = true;
}

std::string EpochLog::to_json() const {
  Json json = {{"num_worse", num_worse_}, {"has_stopped_early", has_stopped_early_}};
  json["history"] = Json::array();
  for (const auto& record : records_) json["history"].push_back(record_json(record));
  if (best_)
    json["best"] = {{"epoch", best_->epoch},
                    {"step", best_->step},
                    {"metric", best_->metric},
                    {"value", best_->value}};
  return json.dump();
}

void EpochLog::load(const std::string& text) {
  try {
    const auto json = Json::parse(text);
    std::vector<EpochRecord> records;
    for (const auto& record : json.at("history")) records.push_back(record_from(record));
    std::optional<BestEpoch> best;
    if (json.contains("best")) {
      const auto& b = json.at("best");
      best = BestEpoch{b.at("epoch"), b.at("step"), b.at("metric"), number_or_nan(b.at("value"))};
    }
    num_worse_ = json.at("num_worse");
    has_stopped_early_ = json.at("has_stopped_early");
    records_ = std::move(records);
    if (!records_.empty() && !is_validated(records_.back())) records_.back().validation.clear();
    best_ = std::move(best);
  } catch (const Json::exception& error) {
    throw std::invalid_argument(std::string("the records of epochs cannot be read: ") +
                                error.what());
  }
}

}  // namespace reckon
