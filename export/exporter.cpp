#include "export/exporter.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/diagnostics.h"
#include "core/files.h"
#include "core/ids.h"
#include "core/version.h"
#include "export/methods.h"
#include "export/mirror.h"
#include "export/parity.h"
#include "export/script.h"
#include "export/text_table.h"
#include "models/feature_encoding.h"

namespace reckon {
namespace {

// While it lives, a model reads what it folded.
class FoldScope {
 public:
  explicit FoldScope(Model& model) : model_(model) { model.fold(true); }
  ~FoldScope() { model_.fold(false); }
  FoldScope(const FoldScope&) = delete;
  FoldScope& operator=(const FoldScope&) = delete;

 private:
  Model& model_;
};

// Rows and length of the request that is traced; what they are must not matter, which parity checks.
constexpr int64_t kTracedRows = 3;
constexpr int64_t kTracedLength = 5;
constexpr int64_t kTracedCandidates = 4;

void check_inputs(const Model& model, const ExportInputs& inputs, const Description& d) {
  TORCH_CHECK(inputs.items != nullptr && inputs.items->size() == model.num_items(),
              "export: the model has ", model.num_items(), " items, the id map ",
              inputs.items == nullptr ? 0 : inputs.items->size());
  TORCH_CHECK(model.num_items() > 0, "export: the model has no items");
  TORCH_CHECK(d.ranks_for_everybody ||
                  (inputs.item_counts.defined() && inputs.item_counts.numel() == model.num_items()),
              "export: the fallback needs a count for each of ", model.num_items(), " items, got ",
              inputs.item_counts.defined() ? inputs.item_counts.numel() : 0);
}

struct UserItems {
  torch::Tensor offsets;   // [U + 1] int64
  torch::Tensor items;     // [E'] int32
  torch::Tensor left_out;  // [U] int32, how many older items of each user are not among them
};

// The newest `limit` items of each user as a ragged array of its own; 0: all of them.
UserItems newest_items(const ExportInputs& inputs, int64_t limit) {
  TORCH_CHECK(inputs.user_offsets.defined() && inputs.user_items.defined() &&
                  inputs.user_offsets.numel() == inputs.users->size() + 1,
              "export: include_users needs the items of each of ", inputs.users->size(), " users");
  const auto ends = inputs.user_offsets.slice(0, 1);                                     // [U]
  const auto all = ends - inputs.user_offsets.slice(0, 0, -1);                           // [U]
  const auto counts = limit > 0 ? all.clamp_max(limit) : all;                            // [U]
  const auto offsets = torch::cat({torch::zeros({1}, torch::kLong), counts.cumsum(0)});  // [U + 1]
  const auto users = torch::repeat_interleave(counts);                                   // [E']
  const auto rank = torch::arange(users.size(0)) - offsets.index_select(0, users);       // [E']
  const auto rows = (ends - counts).index_select(0, users) + rank;                       // [E']
  return {.offsets = offsets,
          .items = inputs.user_items.to(torch::kInt).index_select(0, rows),
          .left_out = (all - counts).to(torch::kInt)};
}

const TableColumn& find_column(const ExportInputs& inputs, const std::string& name) {
  std::vector<std::string> names;
  if (inputs.item_columns != nullptr)
    for (const auto& column : *inputs.item_columns) {
      if (column.name == name) return column;
      names.push_back(column.name);
    }
  throw ConfigError({{{.file = "export options"},
                      "export.display: the data keeps no column '" + name + "' of items",
                      names.empty() ? "it keeps none; give an item table under data.files.items"
                                    : suggest(name, names)}});
}

Description describe(Model& model, const ExportInputs& inputs, const ExportOptions& options) {
  const auto needs = model.request_needs();
  const auto contract = model.contract();
  Description d;
  d.num_items = model.num_items();
  d.max_length = needs.max_length;
  d.reads_users = needs.users;
  d.known_user = contract.known_user;
  d.new_user_with_history = contract.new_user_with_history;
  d.user_features = contract.user_features;
  d.new_item_with_content = contract.new_item_with_content;
  if (const auto* features = model.user_encoding())
    for (const auto& column : features->columns()) d.user_columns.push_back(column.name);
  d.fallback = contract.fallback;
  d.ranks_for_everybody = model.ranks_for_everybody();
  if (const auto explains = model.explains(); explains && !d.ranks_for_everybody) {
    d.explained_by = explains->by == Explains::By::kItems ? "items" : "users";
    d.explains_by_training = explains->reads_training;
  }
  d.user_histories = options.include_users && inputs.users != nullptr;
  d.user_items = d.user_histories ? options.user_items : 0;
  d.user_ids =
      inputs.users != nullptr && ((needs.users && contract.known_user) || d.user_histories);
  d.num_users = d.user_ids ? inputs.users->size() : 0;
  for (const auto& parameter : model.parameters()) d.num_parameters += parameter.numel();
  if (options.display)
    d.display = *options.display;
  else if (inputs.item_columns != nullptr)
    for (const auto& column : *inputs.item_columns) d.display.push_back(column.name);
  d.config_yaml = inputs.config_yaml;
  d.metrics_json = inputs.metrics_json;
  d.fingerprint = inputs.fingerprint;
  d.versions = inputs.versions;
  d.versions["reckon"] = kVersion;
  d.versions["libtorch"] = TORCH_VERSION;
  return d;
}

Batch request_of(const Description& d, const torch::Tensor& users, const torch::Tensor& history) {
  Batch request(kTracedRows);
  if (d.reads_users) request.set(batch_key::kUsers, users);         // [B]
  if (d.max_length > 0) request.set(batch_key::kHistory, history);  // [B, T]
  return request;
}

// The shares in the score of an item. What users did in training is read, and so held, only where
// the file may hold what users did.
void trace_contributions(Model& model, torch::jit::Module& mirrored, const Description& d,
                         const torch::Tensor& users, const torch::Tensor& history) {
  if (!d.explains()) return;
  const auto items = torch::zeros({kTracedRows}, torch::kLong);  // [B]
  const bool reads_users = d.reads_users && (!d.explains_by_training || d.explains_users());
  trace_method(mirrored, "traced_contributions", {users, history, items}, [&](const auto& inputs) {
    Batch request(kTracedRows);
    if (reads_users) request.set(batch_key::kUsers, inputs[0]);  // [B]
    request.set(batch_key::kHistory, inputs[1]);                 // [B, T]
    const auto shares = model.contributions(request, inputs[2]);
    return std::vector<torch::Tensor>{shares.sources, shares.contributions, shares.rest};
  });
}

// Adds traced_encode, traced_usable, traced_score and traced_queries to the mirror of `model`.
void trace_model(Model& model, torch::jit::Module& mirrored, Description& d) {
  const auto length = std::min(d.max_length, kTracedLength);
  const auto users = torch::zeros({kTracedRows}, torch::kLong);      // [B]
  auto history = torch::zeros({kTracedRows, length}, torch::kLong);  // [B, T]
  if (length > 1) history.select(1, 0).fill_(kPaddingId);
  trace_method(mirrored, "traced_encode", {users, history}, [&](const auto& inputs) {
    return model.encode(request_of(d, inputs[0], inputs[1])).tensors;
  });
  if (!d.ranks_for_everybody)
    trace_method(mirrored, "traced_usable", {users, history}, [&](const auto& inputs) {
      return std::vector<torch::Tensor>{model.usable(request_of(d, inputs[0], inputs[1]))};  // [B]
    });
  if (const auto* features = model.user_encoding()) {
    const auto [codes, numbers] =
        features->encode(std::vector<std::map<std::string, std::string>>(kTracedRows));
    const auto request = [&](const auto& inputs) {
      auto out = request_of(d, inputs[0], inputs[1]);
      out.set(batch_key::kUserCodes, inputs[2]);    // [B, L]
      out.set(batch_key::kUserNumbers, inputs[3]);  // [B, M]
      return out;
    };
    const std::vector<torch::Tensor> examples = {torch::full_like(users, kUnknownId), history,
                                                 codes, numbers};
    trace_method(mirrored, "traced_encode_features", examples,
                 [&](const auto& inputs) { return model.encode(request(inputs)).tensors; });
    if (!d.ranks_for_everybody)
      trace_method(mirrored, "traced_usable_features", examples, [&](const auto& inputs) {
        return std::vector<torch::Tensor>{model.usable(request(inputs))};  // [B]
      });
  }
  const auto state = model.encode(request_of(d, users, history));
  d.num_states = static_cast<int64_t>(state.tensors.size());
  TORCH_CHECK(d.num_states > 0, "export: the model's state has no tensors");

  auto score_inputs = state.tensors;
  score_inputs.push_back(torch::zeros({kTracedRows, kTracedCandidates}, torch::kLong));  // [B, C]
  trace_method(mirrored, "traced_score", score_inputs, [&](const auto& inputs) {
    const State states{{inputs.begin(), inputs.end() - 1}};
    return std::vector<torch::Tensor>{model.score(states, inputs.back())};  // [B, C]
  });
  if (d.scores_all)
    trace_method(mirrored, "traced_score_all", state.tensors, [&](const auto& inputs) {
      return std::vector<torch::Tensor>{model.score_all({inputs})};  // [B, I]
    });
  if (d.inner_product)
    trace_method(mirrored, "traced_queries", state.tensors, [&](const auto& inputs) {
      return std::vector<torch::Tensor>{model.queries({inputs})};  // [B, M, D]
    });
  d.query_bias = d.inner_product && model.query_bias(state).defined();
  if (d.query_bias)
    trace_method(mirrored, "traced_query_bias", state.tensors, [&](const auto& inputs) {
      return std::vector<torch::Tensor>{model.query_bias({inputs})};  // [B]
    });
  trace_contributions(model, mirrored, d, users, history);
}

// Tensors that share a storage are written once.
int64_t tensor_bytes(const torch::jit::Module& module) {
  std::map<const void*, int64_t> storages;
  for (const auto& attribute : module.named_attributes(/*recurse=*/true)) {
    if (!attribute.value.isTensor()) continue;
    const auto& storage = attribute.value.toTensor().storage();
    storages[storage.unsafeGetStorageImpl()] = static_cast<int64_t>(storage.nbytes());
  }
  int64_t total = 0;
  for (const auto& [_, bytes] : storages) total += bytes;
  return total;
}

int64_t text_bytes(const torch::jit::Module& table) {
  int64_t total = tensor_bytes(table);
  for (const c10::IValue& page : table.attr("pages").toListRef())
    total += static_cast<int64_t>(page.toStringRef().size());
  return total;
}

void add_columns(torch::jit::Module& file, const ExportInputs& inputs, Description& d,
                 const std::shared_ptr<torch::jit::CompilationUnit>& unit) {
  c10::List<std::string> names;
  for (size_t c = 0; c < d.display.size(); ++c) {
    const auto& column = find_column(inputs, d.display[c]);
    TORCH_CHECK(static_cast<int64_t>(column.values.size()) == d.num_items, "export: column '",
                column.name, "' has ", column.values.size(), " rows for ", d.num_items, " items");
    names.push_back(column.name);
    const auto text = [&](int64_t row) { return std::string_view(column.values[row]); };
    const auto table = make_text_table(d.num_items, text, "__torch__.TextTable", unit);
    d.id_bytes += text_bytes(table);
    file.register_module("column_" + std::to_string(c), table);
  }
  file.register_attribute("column_names", c10::ListType::ofStrings(), names);
}

// What turns the raw values that describe a user into codes.
void add_user_features(torch::jit::Module& file, const FeatureEncoding& features, Description& d,
                       const std::shared_ptr<torch::jit::CompilationUnit>& unit) {
  c10::List<std::string> names, separators;
  for (size_t c = 0; c < features.columns().size(); ++c) {
    const auto& column = features.columns()[c];
    names.push_back(column.name);
    separators.push_back(column.separator);
    if (column.length == 0) continue;
    const auto value = [&](int64_t row) { return column.vocabulary.value(row); };
    const auto table =
        make_id_table(column.vocabulary.size(), value, "__torch__.FeatureValues", unit);
    d.id_bytes += text_bytes(table);
    file.register_module("feature_" + std::to_string(c), table);
  }
  file.register_attribute("feature_names", c10::ListType::ofStrings(), names);
  // TorchScript's sources know no "\r".
  file.register_attribute("feature_blanks", c10::StringType::get(), std::string(kBlanks));
  file.register_attribute("feature_separators", c10::ListType::ofStrings(), separators);
}

torch::jit::Module build_file(Model& model, const ExportInputs& inputs, Description& d) {
  auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module file(c10::QualifiedName("__torch__.Recommender"), unit);
  file.register_attribute("training", c10::BoolType::get(), false);

  auto mirrored = mirror(model, "__torch__.Model", unit);
  const auto factors = model.factors();
  d.inner_product = factors.has_value();
  d.scores_all = !factors && model.can_score_all();
  d.sum_of_queries = !factors || factors->reduction == Factors::Reduction::kSum;
  trace_model(model, mirrored, d);
  drop_unread(mirrored);
  file.register_module("model", mirrored);
  if (factors) file.register_buffer("factor_items", factors->items);  // [I, D]
  const bool has_bias = factors && factors->item_bias.defined();
  if (has_bias) file.register_buffer("factor_bias", factors->item_bias);  // [I]
  const auto vectors = model.item_vectors();                              // [I, D]
  d.item_vectors = vectors.has_value();
  if (vectors) file.register_buffer("item_vectors", *vectors);
  if (!d.ranks_for_everybody)
    file.register_buffer("fallback_scores", inputs.item_counts.to(torch::kFloat));  // [I]
  // Only now: a model may make tables of its own for the inner product and for similar_items.
  d.weight_bytes = tensor_bytes(file);

  const auto raw_item = [&](int64_t row) { return inputs.items->raw(row); };
  const auto item_ids = make_id_table(d.num_items, raw_item, "__torch__.ItemIds", unit);
  d.id_bytes += text_bytes(item_ids);
  file.register_module("item_ids", item_ids);
  if (d.user_ids) {
    const auto raw_user = [&](int64_t row) { return inputs.users->raw(row); };
    const auto user_ids = make_id_table(d.num_users, raw_user, "__torch__.UserIds", unit);
    d.id_bytes += text_bytes(user_ids);
    file.register_module("user_ids", user_ids);
  }
  if (d.user_histories) {
    const auto held = newest_items(inputs, d.user_items);
    file.register_buffer("user_offsets", held.offsets);                          // [U + 1]
    file.register_buffer("user_items", held.items);                              // [E']
    if (d.user_items > 0) file.register_buffer("user_left_out", held.left_out);  // [U]
    d.history_bytes = static_cast<int64_t>(held.offsets.nbytes() + held.items.nbytes() +
                                           (d.user_items > 0 ? held.left_out.nbytes() : 0));
  }
  add_columns(file, inputs, d, unit);
  const auto* features = model.user_encoding();
  if (features != nullptr) add_user_features(file, *features, d, unit);
  d.methods = describe_methods(d);
  file.register_attribute("description", c10::StringType::get(), d.to_json());
  define_methods(file, method_source(d, has_bias, features));
  file.eval();
  return file;
}

// The id map as JSON lists with one id a line: line number and dense id go together.
void write_sidecar(const std::string& path, const ExportInputs& inputs, const Description& d) {
  write_file_atomic(path, [&](AtomicFile& out) {
    const auto write_list = [&](const char* name, int64_t size, const IdMap& ids) {
      out.write("\"" + std::string(name) + "\": [");
      for (int64_t row = 0; row < size; ++row) {
        const auto text = nlohmann::json(std::string(ids.raw(row)))
                              .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        out.write((row > 0 ? ",\n" : "\n") + text);
      }
      out.write("\n]");
    };
    out.write("{");
    write_list("items", d.num_items, *inputs.items);
    if (d.user_ids) {
      out.write(",\n");
      write_list("users", d.num_users, *inputs.users);
    }
    out.write("}\n");
  });
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

struct StagedExport::Impl {
  Impl(const std::string& path, const ExportInputs& inputs)
      : inputs(inputs), file((check_can_write(path), path)) {}

  ExportInputs inputs;
  AtomicFile file;
  Description description;
  std::shared_ptr<ExportedModel> model;
  ExportReport report;
};

StagedExport::StagedExport(Model& model, const ExportInputs& inputs, const std::string& path,
                           const ExportOptions& options)
    : impl_(std::make_unique<Impl>(path, inputs)) {
  const InferenceScope scope(model);
  const FoldScope folded(model);
  const torch::NoGradGuard no_grad;
  auto& report = impl_->report;
  report.path = path;
  auto begin = std::chrono::steady_clock::now();
  impl_->description = describe(model, inputs, options);
  auto& description = impl_->description;
  check_inputs(model, inputs, description);
  {
    const auto file = build_file(model, inputs, description);
    std::ofstream out(impl_->file.temporary_path(), std::ios::binary | std::ios::trunc);
    try {
      // A stream and not a path: the archive's top folder would carry the temporary name.
      file.save(out, {{kDescriptionRecord, description.to_json()}});
      out.close();
    } catch (const c10::Error&) {
      if (out) throw;
    }
    if (!out) throw DataError(path, 0, "cannot be written; is the disk full?");
  }
  report.write_seconds = seconds_since(begin);

  const auto file = std::make_shared<ExportedFile>(impl_->file.temporary_path());
  report.load_seconds = file->load_seconds();
  report.file_bytes = static_cast<int64_t>(file->archive().size);
  impl_->model = std::make_shared<ExportedModel>(file);
  report.id_bytes = description.id_bytes;
  report.weight_bytes = description.weight_bytes;
  report.history_bytes = description.history_bytes;
  if (options.sidecar) report.sidecar_path = path + ".ids.json";
  if (options.check) {
    const auto parity = check_parity(model, *file, inputs, path);
    report.num_comparisons = parity.num_comparisons;
    report.largest_difference = parity.largest_difference;
  }
}

StagedExport::~StagedExport() = default;
StagedExport::StagedExport(StagedExport&&) noexcept = default;

ExportedModel& StagedExport::model() { return *impl_->model; }
const ExportReport& StagedExport::report() const { return impl_->report; }

void StagedExport::commit() {
  // The sidecar first: whoever sees the model finds its ids.
  if (!impl_->report.sidecar_path.empty())
    write_sidecar(impl_->report.sidecar_path, impl_->inputs, impl_->description);
  impl_->file.commit();
}

ExportReport export_model(Model& model, const ExportInputs& inputs, const std::string& path,
                          const ExportOptions& options) {
  StagedExport staged(model, inputs, path, options);
  staged.commit();
  return staged.report();
}

}  // namespace reckon
