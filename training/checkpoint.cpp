#include "training/checkpoint.h"

#include <nlohmann/json.hpp>
#include <set>

#include "core/version.h"
#include "datasets/mapped_file.h"
#include "training/checkpoint_format.h"

namespace reckon {

namespace {

using Json = nlohmann::json;

constexpr std::pair<torch::ScalarType, StoredType> kTypes[] = {
    {torch::kFloat32, StoredType::kFloat32}, {torch::kFloat64, StoredType::kFloat64},
    {torch::kFloat16, StoredType::kFloat16}, {torch::kBFloat16, StoredType::kBFloat16},
    {torch::kInt8, StoredType::kInt8},       {torch::kInt16, StoredType::kInt16},
    {torch::kInt32, StoredType::kInt32},     {torch::kInt64, StoredType::kInt64},
    {torch::kUInt8, StoredType::kUInt8},     {torch::kBool, StoredType::kBool},
};

constexpr const char* kModelPrefix = "model/";
constexpr const char* kStatePrefix = "state/";
constexpr const char* kGeneratorName = "generator";

StoredType stored_type(const std::string& name, torch::ScalarType type) {
  for (const auto& [ours, stored] : kTypes)
    if (ours == type) return stored;
  TORCH_CHECK(false, "checkpoint: `", name, "` has a type that is not stored: ", type);
}

torch::ScalarType scalar_type(StoredType type) {
  for (const auto& [ours, stored] : kTypes)
    if (stored == type) return ours;
  TORCH_CHECK(false, "checkpoint: unknown type ", static_cast<int>(type));
}

std::string emitted(const ConfigNode* node) { return node ? emit_flow(*node) : "nothing"; }

void compare(const std::string& path, const ConfigNode* a, const ConfigNode* b,
             const ConfigNode& new_config, Problems& problems) {
  if (may_change_at_resume(path)) return;
  const auto child = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
  if (a != nullptr && b != nullptr && a->is_map() && b->is_map()) {
    std::set<std::string> keys;
    for (const auto& entry : a->entries()) keys.insert(entry.key);
    for (const auto& entry : b->entries()) keys.insert(entry.key);
    for (const auto& key : keys)
      compare(child(key), a->find(key), b->find(key), new_config, problems);
    return;
  }
  if (a != nullptr && b != nullptr && a->is_list() && b->is_list() &&
      a->items().size() == b->items().size()) {
    for (size_t i = 0; i < a->items().size(); ++i)
      compare(path + "[" + std::to_string(i) + "]", &a->items()[i], &b->items()[i], new_config,
              problems);
    return;
  }
  if (a != nullptr && b != nullptr && *a == *b) return;
  problems.add(place_of(new_config, path),
               path + ": the run to resume has " + emitted(a) + ", now it is " + emitted(b));
}

}  // namespace

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  CheckpointContent content;
  Json json = {{"program", "reckon"},
               {"version", kVersion},
               {"config", checkpoint.config},
               {"data_fingerprint", checkpoint.data_fingerprint},
               {"procedure", checkpoint.procedure},
               {"seed", checkpoint.seed},
               {"step", checkpoint.step},
               {"num_metric_lines", checkpoint.num_metric_lines},
               {"state", checkpoint.state.json}};
  if (checkpoint.best)
    json["best"] = {{"epoch", checkpoint.best->epoch},
                    {"step", checkpoint.best->step},
                    {"metric", checkpoint.best->metric},
                    {"value", checkpoint.best->value}};
  // Text of the config may be in any encoding; what is no UTF-8 must not stop a run from being saved.
  content.json = json.dump(-1, ' ', false, Json::error_handler_t::replace);

  std::vector<torch::Tensor> held;  // what the views below point into
  const auto add = [&](const std::string& name, const torch::Tensor& tensor) {
    held.push_back(tensor.detach().to(torch::kCPU).contiguous());
    const auto& own = held.back();
    content.tensors.push_back({.name = name,
                               .type = stored_type(name, own.scalar_type()),
                               .shape = own.sizes().vec(),
                               .bytes = {static_cast<const char*>(own.const_data_ptr()),
                                         static_cast<size_t>(own.nbytes())}});
  };
  for (const auto& [name, tensor] : checkpoint.model) add(kModelPrefix + name, tensor);
  for (const auto& [name, tensor] : checkpoint.state.tensors) add(kStatePrefix + name, tensor);
  if (checkpoint.generator.defined()) add(kGeneratorName, checkpoint.generator);
  write_checkpoint(path, content);
}

Checkpoint load_checkpoint(const std::string& path) {
  const MappedFile file(path);
  const auto content = parse_checkpoint(file.bytes(), path);
  Checkpoint checkpoint;
  try {
    const auto json = Json::parse(content.json);
    checkpoint.config = json.at("config");
    checkpoint.data_fingerprint = json.at("data_fingerprint");
    checkpoint.procedure = json.at("procedure");
    checkpoint.seed = json.at("seed");
    checkpoint.step = json.at("step");
    checkpoint.num_metric_lines = json.at("num_metric_lines");
    checkpoint.state.json = json.at("state");
    if (json.contains("best")) {
      const auto& best = json.at("best");
      checkpoint.best =
          BestEpoch{best.at("epoch"), best.at("step"), best.at("metric"), best.at("value")};
    }
  } catch (const Json::exception& error) {
    throw DataError(path, 0,
                    std::string("the checkpoint's description cannot be read: ") + error.what());
  }
  const std::string model = kModelPrefix, state = kStatePrefix;
  for (const auto& stored : content.tensors) {
    auto tensor = torch::empty(stored.shape, torch::dtype(scalar_type(stored.type)));
    if (!stored.bytes.empty())
      std::memcpy(tensor.mutable_data_ptr(), stored.bytes.data(), stored.bytes.size());
    if (stored.name.rfind(model, 0) == 0) {
      checkpoint.model[stored.name.substr(model.size())] = tensor;
    } else if (stored.name.rfind(state, 0) == 0) {
      checkpoint.state.tensors[stored.name.substr(state.size())] = tensor;
    } else if (stored.name == kGeneratorName) {
      checkpoint.generator = tensor;
    } else {
      throw DataError(path, 0,
                      "the checkpoint holds `" + stored.name + "`, which belongs to nothing");
    }
  }
  return checkpoint;
}

std::map<std::string, torch::Tensor> model_tensors(const Model& model) {
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& item : model.named_parameters()) tensors[item.key()] = item.value();
  for (const auto& item : model.named_buffers()) tensors[item.key()] = item.value();
  return tensors;
}

void load_model(Model& model, const std::map<std::string, torch::Tensor>& tensors,
                const std::string& path) {
  const torch::NoGradGuard no_grad;
  const auto own = model_tensors(model);
  for (const auto& [name, tensor] : own) {
    const auto found = tensors.find(name);
    if (found == tensors.end())
      throw DataError(path, 0, "the checkpoint is of another model: it has no `" + name + "`");
    // A buffer whose size the data decides is empty before a fit.
    const bool is_open = tensor.numel() == 0 && found->second.dim() == tensor.dim();
    if ((found->second.sizes() != tensor.sizes() && !is_open) ||
        found->second.scalar_type() != tensor.scalar_type())
      throw DataError(path, 0,
                      c10::str("the checkpoint is of another model: its `", name, "` is ",
                               found->second.sizes(), ", expected ", tensor.sizes()));
  }
  for (const auto& [name, tensor] : tensors)
    if (own.count(name) == 0)
      throw DataError(path, 0,
                      "the checkpoint is of another model: `" + name + "` is not in this one");
  for (const auto& [name, tensor] : own) {
    auto target = tensor;
    if (target.sizes() == tensors.at(name).sizes())
      target.copy_(tensors.at(name));
    else
      fill_buffer(target, tensors.at(name));
  }
  try {
    model.check_buffers();
  } catch (const std::invalid_argument& error) {
    throw DataError(path, 0, std::string("the checkpoint does not fit: ") + error.what());
  }
}

bool may_change_at_resume(const std::string& key) {
  static const std::set<std::string> free = {
      "training.epochs",           "training.steps",
      "training.threads",          "training.prefetch_threads",
      "training.device",           "training.log_every",
      "training.checkpoint_every", "training.checkpoint_steps",
      "evaluation.threads",        "tune",
  };
  return free.count(key) != 0;
}

void check_same_config(const ConfigNode& old_config, const ConfigNode& new_config) {
  Problems problems;
  compare("", &old_config, &new_config, new_config, problems);
  problems.throw_if_any();
}

}  // namespace reckon
