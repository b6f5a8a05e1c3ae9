#include "training/train.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "core/memory.h"
#include "evaluation/evaluator.h"
#include "training/checkpoint.h"
#include "training/event_writer.h"
#include "training/metrics_log.h"
#include "training/profile.h"
#include "training/progress.h"

namespace reckon {

namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kDigits = 4;

/// Writes what it hears to log, metrics and events, and saves the best weights.
class RunObserver : public TrainingObserver {
 public:
  RunObserver(const RunFolder& folder, bool quiet, int64_t first_step, int64_t num_metric_lines,
              std::function<void(const BestEpoch&)> save_best)
      : metrics_(folder.metrics_path(), num_metric_lines),
        events_(folder.path(), first_step),
        progress_(!quiet),
        save_best_(std::move(save_best)) {}

  void on_step(const StepReport& report) override {
    progress_.on_step(report);
    last_ = report;
    if (const auto line = progress_.due_line(report)) log_info(*line);
    if (!report.is_logged) return;
    const Json line = {{"kind", "step"},      {"epoch", report.epoch},
                       {"step", report.step}, {"loss", report.loss},
                       {"lr", report.lr},     {"gradient_norm", report.gradient_norm}};
    metrics_.write(line.dump());
    events_.add(report.step, {{"step/loss", report.loss},
                              {"step/lr", report.lr},
                              {"step/gradient_norm", report.gradient_norm}});
    progress_.clear();
    progress_.line_written();
    log_info("step " + format_count(report.step) + ": loss " + format_fixed(report.loss, kDigits));
  }

  void on_epoch(const EpochRecord& record) override {
    const auto pace = progress_.pace();
    Json line = {{"kind", "epoch"},
                 {"epoch", record.epoch},
                 {"step", record.step},
                 {"loss", record.loss},
                 {"lr", record.lr},
                 {"terms", record.terms},
                 {"seconds", progress_.seconds()},
                 {"targets_per_second", pace.targets_per_second}};
    std::vector<std::pair<std::string, double>> scalars;
    std::string text = "epoch " + std::to_string(record.epoch);
    if (last_.num_epochs > 0) text += "/" + std::to_string(last_.num_epochs);
    if (!record.is_whole) text += " in part";
    text += ":";
    const auto say = [&](const std::string& part) {
      text += (text.back() == ':' ? " " : ", ") + part;
    };
    if (!std::isnan(record.loss)) {
      scalars.emplace_back("train/loss", record.loss);
      scalars.emplace_back("train/lr", record.lr);
      scalars.emplace_back("train/targets_per_second", pace.targets_per_second);
      say("loss " + format_fixed(record.loss, kDigits));
    }
    for (const auto& [name, value] : record.terms) scalars.emplace_back("train/" + name, value);
    if (!record.is_whole) line["is_whole"] = false;
    if (!record.validation.empty()) line["validation"] = Json::object();
    for (const auto& [name, value] : record.validation) {
      line["validation"][name] = value;
      scalars.emplace_back("validation/" + name, value);
      say(name + " " + format_fixed(value, kDigits));
    }
    if (pace.targets_per_second > 0.0)
      say(format_count(static_cast<int64_t>(pace.targets_per_second)) + " targets/s");
    if (pace.seconds_left > 0.0) say(format_duration(pace.seconds_left) + " left");
    metrics_.write(line.dump());
    events_.add(record.step, scalars);
    progress_.clear();
    progress_.line_written();
    log_info(text);
    progress_.pause();
  }

  void on_best(const BestEpoch& best) override { save_best_(best); }

  MetricsLog& metrics() { return metrics_; }
  Progress& progress() { return progress_; }

 private:
  MetricsLog metrics_;
  EventWriter events_;
  Progress progress_;
  std::function<void(const BestEpoch&)> save_best_;
  StepReport last_;
};

/// One run: its procedure, its folder and what passes between them.
class Run {
 public:
  Run(const Component<Procedure>& component, Model& model, const Dataset& dataset,
      const EvaluationOptions& evaluation, const RunFolder& folder, const TrainContext& context)
      : model_(model),
        dataset_(dataset),
        evaluation_(evaluation),
        folder_(folder),
        context_(context) {
    chosen_ = component ? component : default_procedure(model);
    build();
  }

  TrainOutcome go() {
    if (context_.resume) resume();
    begin_folder();
    say_what_teaches_nothing();
    RunObserver observer(folder_, context_.quiet, resumed_from_ > 0 ? resumed_from_ + 1 : 0,
                         num_metric_lines_, [this](const BestEpoch& best) { save_best(best); });
    observer_ = &observer;
    TrainOutcome outcome;
    last_saved_ = Clock::now();
    last_saved_step_ = procedure_->num_steps();
    bool is_interrupted = false;
    StepProfile profile(context_.profile ? folder_.trace_path() : "");
    while (!procedure_->is_finished()) {
      if (context_.interrupted != nullptr && context_.interrupted->load()) {
        is_interrupted = true;
        break;
      }
      if (has_enough_epochs()) break;
      profile.before_step();
      try {
        procedure_->step();
      } catch (const DivergenceError& error) {
        keep_last_weights(error);
      }
      if (is_checkpoint_due()) save_last();
    }
    profile.before_step(/*is_end=*/true);
    save_last();
    observer_ = nullptr;

    outcome.end = end(is_interrupted);
    outcome.procedure = chosen_.type();
    outcome.num_steps = procedure_->num_steps();
    outcome.history = procedure_->history();
    outcome.best = procedure_->best();
    outcome.seconds = observer.progress().seconds();
    outcome.targets_per_second = observer.progress().pace().targets_per_second;
    outcome.resumed_from_step = resumed_from_;
    if (!is_interrupted && outcome.best)
      load_best(*outcome.best);
    else
      procedure_->exchange_weights();
    model_.eval();
    return outcome;
  }

 private:
  void build() {
    Procedure::Deps deps;
    deps.model = &model_;
    deps.dataset = &dataset_;
    deps.seed = context_.seed;
    deps.limit_batches = context_.limit_batches;
    deps.observer = &relay_;
    if (dataset_.evaluation(Split::kValidation).users.numel() > 0)
      deps.validate = [this](const std::vector<MetricName>& also) { return validate(also); };
    procedure_ = build_procedure(chosen_, deps, context_.config);
  }

  // What is there to look at after a run has diverged: the state from before the step that failed.
  [[noreturn]] void keep_last_weights(const DivergenceError& error) {
    for (const auto& [name, tensor] : model_tensors(model_))
      if (tensor.is_floating_point() && !tensor.isfinite().all().item<bool>()) throw error;
    save_last();
    auto diagnostics = error.diagnostics();
    diagnostics.back().hint += ", kept in " + folder_.last_checkpoint();
    throw DivergenceError(std::move(diagnostics));
  }

  void say_what_teaches_nothing() const {
    const auto* learnable = model_.learnable();
    if (learnable == nullptr || learnable->needs().examples != Needs::Examples::kSequences) return;
    const auto train = dataset_.part(Split::kTrain);
    const auto num_alone = train.user_offsets.diff().eq(1).sum().item<int64_t>();
    if (num_alone == 0) return;
    log_info(
        format_count(num_alone) + (num_alone == 1 ? " user has" : " users have") +
        " one interaction in training and nothing to learn from: a sequence model learns the next "
        "item from those before it");
  }

  EvaluationResult validate(const std::vector<MetricName>& also) const {
    auto options = evaluation_;
    options.split = Split::kValidation;
    options.per_user = false;
    options.top_k_lists = 0;
    for (const auto& name : also)
      if (std::find(options.metrics.begin(), options.metrics.end(), name) == options.metrics.end())
        options.metrics.push_back(name);
    return evaluate(model_, dataset_, options);
  }

  void begin_folder() {
    write_file_atomic(folder_.config_path(), emit_yaml(context_.config));
    write_file_atomic(folder_.environment_path(),
                      environment_json({.command = context_.command,
                                        .data_fingerprint = dataset_.fingerprint(),
                                        .seed = context_.seed,
                                        .threads = procedure_->num_threads(),
                                        .device = procedure_->device().str(),
                                        .resumed_from_step = resumed_from_}));
  }

  void resume() {
    const auto path = folder_.last_checkpoint();
    if (!std::filesystem::exists(path)) {
      if (std::filesystem::exists(folder_.config_path()))
        check_same_config(load_yaml(folder_.config_path()), context_.config);
      log_info("no checkpoint yet in " + folder_.path() + ": from the beginning");
      return;
    }
    const auto checkpoint = load_checkpoint(path);
    check_same_config(parse_yaml(checkpoint.config, path), context_.config);
    const auto refuse = [&](const std::string& what, const std::string& was,
                            const std::string& is) {
      throw ConfigError(
          {{{path, 0, 0}, what + ": the run to resume has " + was + ", now it is " + is, ""}});
    };
    if (checkpoint.seed != context_.seed)
      refuse("seed", std::to_string(checkpoint.seed), std::to_string(context_.seed));
    if (checkpoint.data_fingerprint != dataset_.fingerprint())
      refuse("data fingerprint", checkpoint.data_fingerprint, dataset_.fingerprint());
    if (checkpoint.procedure != chosen_.type())
      refuse("training.type", checkpoint.procedure, chosen_.type());
    load_model(model_, checkpoint.model, path);
    try {
      procedure_->load(checkpoint.state);
    } catch (const std::invalid_argument& error) {
      throw DataError(path, 0, std::string("the checkpoint does not fit: ") + error.what());
    }
    if (checkpoint.generator.defined()) {
      auto generator = at::detail::getDefaultCPUGenerator();
      generator.set_state(checkpoint.generator);
    }
    resumed_from_ = checkpoint.step;
    num_metric_lines_ = checkpoint.num_metric_lines;
    log_info("resumed from step " + format_count(resumed_from_));
  }

  bool has_enough_epochs() const {
    if (context_.limit_epochs == 0) return false;
    const auto& history = procedure_->history();
    return !history.empty() && history.back().is_whole &&
           history.back().epoch >= context_.limit_epochs;
  }

  bool is_checkpoint_due() const {
    const auto policy = procedure_->checkpoint_policy();
    if (policy.steps > 0 && procedure_->num_steps() - last_saved_step_ >= policy.steps) return true;
    const std::chrono::duration<double> passed = Clock::now() - last_saved_;
    return policy.seconds > 0.0 && passed.count() >= policy.seconds;
  }

  Checkpoint checkpoint_of_model() const {
    Checkpoint checkpoint;
    checkpoint.config = emit_yaml(context_.config);
    checkpoint.data_fingerprint = dataset_.fingerprint();
    checkpoint.procedure = chosen_.type();
    checkpoint.seed = context_.seed;
    checkpoint.step = procedure_->num_steps();
    checkpoint.best = procedure_->best();
    checkpoint.model = model_tensors(model_);
    return checkpoint;
  }

  // Checkpoints hold the weights that are to be used; what learning goes on from is in the state.
  void save_last() {
    auto state = procedure_->state();
    const UsedWeights used(*procedure_);
    auto checkpoint = checkpoint_of_model();
    checkpoint.state = std::move(state);
    checkpoint.num_metric_lines = observer_->metrics().num_lines();
    checkpoint.generator = at::detail::getDefaultCPUGenerator().get_state();
    save_checkpoint(folder_.last_checkpoint(), checkpoint);
    last_saved_ = Clock::now();
    last_saved_step_ = checkpoint.step;
    observer_->progress().pause();
  }

  // Before the checkpoint that speaks of it: killed in between, the run makes the same one again.
  void save_best(const BestEpoch& best) const {
    const UsedWeights used(*procedure_);
    auto checkpoint = checkpoint_of_model();
    checkpoint.best = best;
    save_checkpoint(folder_.best_checkpoint(), checkpoint);
  }

  void load_best(const BestEpoch& best) {
    const auto path = folder_.best_checkpoint();
    const auto checkpoint = load_checkpoint(path);
    if (!checkpoint.best || *checkpoint.best != best)
      throw DataError(path, 0,
                      "the checkpoint is not that of epoch " + std::to_string(best.epoch) +
                          ", the best of this run",
                      "a resume with fewer epochs cannot go back to it: train again");
    load_model(model_, checkpoint.model, path);
  }

  TrainOutcome::End end(bool is_interrupted) const {
    if (is_interrupted) return TrainOutcome::End::kInterrupted;
    if (procedure_->has_stopped_early()) return TrainOutcome::End::kStoppedEarly;
    if (context_.limit_batches > 0 && procedure_->num_steps() >= context_.limit_batches)
      return TrainOutcome::End::kLimited;
    if (!procedure_->is_finished()) return TrainOutcome::End::kLimited;
    return TrainOutcome::End::kCompleted;
  }

  // The procedure is built before the files are opened that the observer writes to.
  struct Relay : TrainingObserver {
    explicit Relay(Run& run) : run(run) {}
    void on_step(const StepReport& report) override { run.observer_->on_step(report); }
    void on_epoch(const EpochRecord& record) override { run.observer_->on_epoch(record); }
    void on_best(const BestEpoch& best) override { run.observer_->on_best(best); }
    Run& run;
  };

  Model& model_;
  const Dataset& dataset_;
  const EvaluationOptions& evaluation_;
  const RunFolder& folder_;
  const TrainContext& context_;
  Component<Procedure> chosen_;
  Relay relay_{*this};
  RunObserver* observer_ = nullptr;
  std::shared_ptr<Procedure> procedure_;
  int64_t resumed_from_ = 0, num_metric_lines_ = 0, last_saved_step_ = 0;
  Clock::time_point last_saved_;
};

std::atomic<bool> interrupt_flag{false};

using SignalHandler = void (*)(int);
constexpr std::array<int, 2> kInterrupts = {SIGINT, SIGTERM};
std::array<SignalHandler, 2> handlers_before = {SIG_DFL, SIG_DFL};

void on_interrupt(int signal) {
  interrupt_flag = true;
  std::signal(signal, SIG_DFL);
}

void handle_interrupts_as_before() {
  for (size_t i = 0; i < kInterrupts.size(); ++i) std::signal(kInterrupts[i], handlers_before[i]);
}

}  // namespace

TrainOutcome train(const Component<Procedure>& procedure, Model& model, const Dataset& dataset,
                   const EvaluationOptions& evaluation, const RunFolder& folder,
                   const TrainContext& context) {
  init_log({.file = folder.log_path(), .quiet = context.quiet});
  give_back_memory();  // what the preparation of data took
  return Run(procedure, model, dataset, evaluation, folder, context).go();
}

namespace {

void put_evaluation(Json& json, const EvaluationResult& evaluation) {
  json["split"] = split_name(evaluation.split);
  json["protocol"] = evaluation.protocol;
  json["metrics"] = Json::object();
  for (const auto& metric : evaluation.metrics)
    json["metrics"][metric.name.to_string()] = metric.mean;
}

void write_json(const std::string& path, const Json& json) {
  write_file_atomic(path, json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace

void update_result(const RunFolder& folder, const EvaluationResult& evaluation) {
  const auto path = folder.result_path();
  if (!std::filesystem::exists(path)) return;
  auto json = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || json.value("split", "") != split_name(evaluation.split)) return;
  put_evaluation(json, evaluation);
  write_json(path, json);
}

void write_result(const RunFolder& folder, const TrainOutcome& outcome,
                  const std::optional<EvaluationResult>& evaluation) {
  Json json = {{"end", to_string(outcome.end)},
               {"procedure", outcome.procedure},
               {"steps", outcome.num_steps},
               {"epochs", outcome.history.empty() ? 0 : outcome.history.back().epoch},
               {"seconds", outcome.seconds},
               {"targets_per_second", outcome.targets_per_second},
               {"resumed_from_step", outcome.resumed_from_step}};
  if (outcome.best)
    json["best"] = {{"epoch", outcome.best->epoch},
                    {"metric", outcome.best->metric},
                    {"value", outcome.best->value}};
  if (evaluation) put_evaluation(json, *evaluation);
  write_json(folder.result_path(), json);
}

std::string to_string(TrainOutcome::End end) {
  switch (end) {
    case TrainOutcome::End::kCompleted:
      return "completed";
    case TrainOutcome::End::kStoppedEarly:
      return "stopped early";
    case TrainOutcome::End::kLimited:
      return "limited";
    case TrainOutcome::End::kInterrupted:
      return "interrupted";
  }
  return "";
}

InterruptScope::InterruptScope() {
  interrupt_flag = false;
  for (size_t i = 0; i < kInterrupts.size(); ++i)
    handlers_before[i] = std::signal(kInterrupts[i], on_interrupt);
}

InterruptScope::~InterruptScope() { handle_interrupts_as_before(); }

const std::atomic<bool>& InterruptScope::flag() { return interrupt_flag; }

InterruptPause::InterruptPause() { handle_interrupts_as_before(); }

InterruptPause::~InterruptPause() {
  for (const int signal : kInterrupts) std::signal(signal, on_interrupt);
}

}  // namespace reckon
