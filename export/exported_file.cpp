#include "export/exported_file.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <stdexcept>

#include "core/diagnostics.h"
#include "core/ids.h"

namespace reckon {
namespace {

using c10::IValue;

c10::List<std::string> to_list(const std::vector<std::string>& ids) {
  c10::List<std::string> out;
  out.reserve(ids.size());
  for (const auto& id : ids) out.push_back(id);
  return out;
}

c10::List<c10::List<std::string>> to_lists(const std::vector<std::vector<std::string>>& rows) {
  c10::List<c10::List<std::string>> out;
  out.reserve(rows.size());
  for (const auto& row : rows) out.push_back(to_list(row));
  return out;
}

c10::List<c10::Dict<std::string, std::string>> to_dicts(const ExportedFile::Features& features) {
  c10::List<c10::Dict<std::string, std::string>> out;
  out.reserve(features.size());
  for (const auto& row : features) {
    c10::Dict<std::string, std::string> texts;
    for (const auto& [name, text] : row) texts.insert(name, text);
    out.push_back(texts);
  }
  return out;
}

std::vector<std::string> to_ids(const IValue& value) {
  std::vector<std::string> out;
  for (const IValue& id : value.toListRef()) out.push_back(id.toStringRef());
  return out;
}

NamedRanking to_ranking(const IValue& value) {
  const auto& parts = value.toTupleRef().elements();
  NamedRanking out{.items = {}, .scores = parts[1].toTensor()};
  for (const IValue& row : parts[0].toListRef()) out.items.push_back(to_ids(row));
  return out;
}

NamedExplanation to_explanation(const IValue& value) {
  const auto& parts = value.toTupleRef().elements();
  NamedExplanation out{.sources = {},
                       .contributions = parts[1].toTensor(),
                       .others = parts[2].toTensor(),
                       .rest = parts[3].toTensor()};
  for (const IValue& row : parts[0].toListRef()) out.sources.push_back(to_ids(row));
  return out;
}

std::vector<bool> to_flags(const IValue& value) {
  std::vector<bool> out;
  for (const bool flag : value.toBoolList()) out.push_back(flag);
  return out;
}

// An interpreter error is a page of traceback; its last line is what was raised, `SomeError: text`.
std::string sentence_of(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  text = text.substr(text.rfind('\n') + 1);
  const auto colon = text.find(": ");
  return colon == std::string::npos ? text : text.substr(colon + 2);
}

// What a method raised, without the name of Python's kind of error.
std::string raised(std::string message) {
  for (const std::string kind : {"ValueError: ", "RuntimeError: "})
    if (message.starts_with(kind)) message.erase(0, kind.size());
  return message;
}

}  // namespace

struct ExportedFile::Impl {
  std::string path;
  Archive archive;
  Description description;
  torch::jit::Module module;
  double load_seconds = 0.0;
  bool optimized = false;

  // `module` is shared by threads; its methods change nothing.
  IValue call(const std::string& name, std::vector<IValue> arguments) const {
    const auto* method = description.method(name);
    if (method != nullptr && !method->refusal.empty()) throw DataError(path, 0, method->refusal);
    const torch::NoGradGuard no_grad;
    const torch::jit::GraphOptimizerEnabledGuard executor(optimized);
    try {
      return module.get_method(name)(std::move(arguments));
    } catch (const torch::jit::JITException& e) {
      const auto& message = e.getOriginalMsg();
      throw DataError(path, 0,
                      raised(message && !message->empty() ? *message : sentence_of(e.what())));
    } catch (const c10::Error& e) {
      throw DataError(path, 0,
                      "LibTorch fails in " + name + ": " + sentence_of(e.what_without_backtrace()));
    } catch (const std::exception& e) {
      throw DataError(path, 0, "LibTorch fails in " + name + ": " + sentence_of(e.what()));
    }
  }

  // LibTorch reads an index below zero from the end of a table; one beyond it is an error of its own.
  void check_ids(const char* what, const torch::Tensor& ids, int64_t dimensions, int64_t first,
                 int64_t size) const {
    if (!ids.defined() || ids.dim() != dimensions || ids.scalar_type() != torch::kLong)
      throw DataError(path, 0,
                      c10::str(what, ": expected int64 of ", dimensions, " dimensions, got ",
                               ids.defined() ? c10::str(ids.scalar_type(), " ", ids.sizes())
                                             : "nothing"));
    if (ids.numel() == 0) return;
    const auto low = ids.min().item<int64_t>(), high = ids.max().item<int64_t>();
    if (low >= first && high < size) return;
    throw DataError(path, 0,
                    c10::str(what, ": expected ids from ", first, " to ", size - 1, ", got ",
                             low < first ? low : high));
  }

  void check_users(const torch::Tensor& users) const {
    // A file without users cannot say how many the model knows.
    check_ids("users", users, 1, kUnknownId,
              description.user_ids ? description.num_users : std::numeric_limits<int64_t>::max());
  }
  void check_history(const torch::Tensor& history) const {
    check_ids("history", history, 2, kPaddingId, description.num_items);
  }
};

ExportedFile::ExportedFile(const std::string& path) {
  const auto impl = std::make_shared<Impl>();
  const auto begin = std::chrono::steady_clock::now();
  impl->path = path;
  impl->archive = check_archive(path);
  try {
    impl->description = Description::from_json(impl->archive.description);
  } catch (const std::invalid_argument& e) {
    throw DataError(path, 0,
                    std::string("cannot be used: ") + e.what() +
                        "; export the model again with this version of reckon");
  }
  try {
    impl->module = torch::jit::load(path, torch::Device(torch::kCPU), /*load_debug_files=*/false);
    impl->module.eval();
    for (const auto& method : impl->description.methods)
      if (!impl->module.find_method(method.name))
        throw DataError(path, 0,
                        "is damaged: it describes a method `" + method.name +
                            "` that it does not have; export the model again");
  } catch (const c10::Error& e) {
    throw DataError(path, 0, std::string("LibTorch cannot load it: ") + e.what_without_backtrace());
  } catch (const DataError&) {
    throw;
  } catch (const std::exception& e) {
    // Errors of the interpreter and of its parser are of several types that share this one.
    throw DataError(path, 0, std::string("LibTorch cannot load it: ") + e.what());
  }
  impl->load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  impl_ = impl;
}

ExportedFile ExportedFile::with_optimizer() const {
  const auto impl = std::make_shared<Impl>(*impl_);
  impl->optimized = true;
  return ExportedFile(std::shared_ptr<const Impl>(impl));
}

const std::string& ExportedFile::path() const { return impl_->path; }
const Description& ExportedFile::description() const { return impl_->description; }
const Archive& ExportedFile::archive() const { return impl_->archive; }
double ExportedFile::load_seconds() const { return impl_->load_seconds; }

NamedRanking ExportedFile::recommend(const IdLists& histories, int64_t k, const IdLists& exclude,
                                     const Ids& candidates) const {
  return to_ranking(
      impl_->call("recommend", {to_lists(histories), k, to_lists(exclude), to_list(candidates)}));
}

NamedRanking ExportedFile::recommend_user(const Ids& users, int64_t k, const IdLists& exclude,
                                          const Ids& candidates, bool exclude_seen,
                                          const IdLists& histories) const {
  return to_ranking(
      impl_->call("recommend_user", {to_list(users), k, to_lists(exclude), to_list(candidates),
                                     exclude_seen, to_lists(histories)}));
}

NamedRanking ExportedFile::recommend_features(const Features& features, int64_t k,
                                              const IdLists& exclude, const Ids& candidates,
                                              const IdLists& histories) const {
  return to_ranking(impl_->call("recommend_features", {to_dicts(features), k, to_lists(exclude),
                                                       to_list(candidates), to_lists(histories)}));
}

NamedRanking ExportedFile::similar_items(const Ids& items, int64_t k) const {
  return to_ranking(impl_->call("similar_items", {to_list(items), k}));
}

torch::Tensor ExportedFile::score(const IdLists& histories, const IdLists& items) const {
  return impl_->call("score", {to_lists(histories), to_lists(items)}).toTensor();  // [B, C]
}

torch::Tensor ExportedFile::score_user(const Ids& users, const IdLists& items,
                                       const IdLists& histories) const {
  return impl_->call("score_user", {to_list(users), to_lists(items), to_lists(histories)})
      .toTensor();  // [B, C]
}

NamedExplanation ExportedFile::explain(const IdLists& histories, const Ids& items,
                                       int64_t k) const {
  return to_explanation(impl_->call("explain", {to_lists(histories), to_list(items), k}));
}

NamedExplanation ExportedFile::explain_user(const Ids& users, const Ids& items, int64_t k,
                                            const IdLists& histories) const {
  return to_explanation(
      impl_->call("explain_user", {to_list(users), to_list(items), k, to_lists(histories)}));
}

std::vector<bool> ExportedFile::known_items(const Ids& ids) const {
  return to_flags(impl_->call("known_items", {to_list(ids)}));
}

std::vector<bool> ExportedFile::known_users(const Ids& users) const {
  return to_flags(impl_->call("known_users", {to_list(users)}));
}

std::vector<bool> ExportedFile::serves_histories(const IdLists& histories) const {
  return to_flags(impl_->call("serves_histories", {to_lists(histories)}));
}

std::vector<bool> ExportedFile::serves_users(const Ids& users, const IdLists& histories) const {
  return to_flags(impl_->call("serves_users", {to_list(users), to_lists(histories)}));
}

std::vector<bool> ExportedFile::serves_features(const Features& features,
                                                const IdLists& histories) const {
  return to_flags(impl_->call("serves_features", {to_dicts(features), to_lists(histories)}));
}

std::vector<int64_t> ExportedFile::items_left_out(const Ids& users) const {
  return impl_->call("items_left_out", {to_list(users)}).toIntVector();
}

std::vector<ExportedFile::Ids> ExportedFile::display(const Ids& items) const {
  const auto& columns = impl_->description.display;
  std::vector<Ids> out(columns.size());
  if (columns.empty()) return out;
  const auto rows = impl_->call("display", {to_list(items)});
  for (const IValue& row : rows.toListRef()) {
    const auto texts = row.toGenericDict();
    for (size_t c = 0; c < columns.size(); ++c)
      out[c].push_back(texts.at(columns[c]).toStringRef());
  }
  return out;
}

std::vector<torch::Tensor> ExportedFile::encode(const torch::Tensor& users,
                                                const torch::Tensor& history) const {
  impl_->check_users(users);
  impl_->check_history(history);
  return impl_->call("encode", {users, history}).toTensorVector();
}

torch::Tensor ExportedFile::usable(const torch::Tensor& users, const torch::Tensor& history) const {
  impl_->check_users(users);
  impl_->check_history(history);
  return impl_->call("usable", {users, history}).toTensor();  // [B]
}

torch::Tensor ExportedFile::score_states(const std::vector<torch::Tensor>& states,
                                         const torch::Tensor& candidates) const {
  impl_->check_ids("candidates", candidates, 2, 0, impl_->description.num_items);
  return impl_->call("score_states", {states, candidates}).toTensor();  // [B, C]
}

torch::Tensor ExportedFile::score_all(const std::vector<torch::Tensor>& states) const {
  return impl_->call("score_all", {states}).toTensor();  // [B, I]
}

torch::Tensor ExportedFile::queries(const std::vector<torch::Tensor>& states) const {
  return impl_->call("queries", {states}).toTensor();  // [B, M, D]
}

std::vector<torch::Tensor> ExportedFile::contributions(const torch::Tensor& users,
                                                       const torch::Tensor& history,
                                                       const torch::Tensor& items) const {
  const auto& d = impl_->description;
  if (!d.explains()) throw DataError(path(), 0, d.method("explain")->refusal);
  impl_->check_users(users);
  impl_->check_history(history);
  impl_->check_ids("items", items, 1, 0, d.num_items);
  // Such a file has nothing to explain known users by, and would take them for new ones.
  if (d.explains_by_training && !d.explains_users() && users.ge(0).any().item<bool>())
    throw DataError(path(), 0, d.method("explain_user")->refusal);
  const auto shares = impl_->call("contributions", {users, history, items});
  std::vector<torch::Tensor> out;
  for (const auto& part : shares.toTupleRef().elements()) out.push_back(part.toTensor());
  return out;
}

torch::Tensor ExportedFile::query_bias(const std::vector<torch::Tensor>& states) const {
  if (!impl_->description.query_bias) return {};
  return impl_->call("query_bias", {states}).toTensor();  // [B]
}

torch::Tensor ExportedFile::forward(const std::vector<torch::Tensor>& inputs) const {
  const auto& d = impl_->description;
  const bool has_users = d.reads_users || d.max_length == 0, has_history = d.max_length > 0;
  if (inputs.size() != static_cast<size_t>(has_users) + static_cast<size_t>(has_history))
    throw DataError(path(), 0,
                    "forward: expected " + d.method("forward")->signature + ", got " +
                        std::to_string(inputs.size()) + " tensors");
  if (has_users) impl_->check_users(inputs.front());
  if (has_history) impl_->check_history(inputs.back());
  return impl_->call("forward", std::vector<IValue>(inputs.begin(), inputs.end()))
      .toTensor();  // [B, I]
}

torch::Tensor ExportedFile::factor_items() const {
  if (!impl_->description.inner_product) return {};
  return impl_->module.attr("factor_items").toTensor();  // [I, D]
}

torch::Tensor ExportedFile::factor_bias() const {
  if (!impl_->module.hasattr("factor_bias")) return {};
  return impl_->module.attr("factor_bias").toTensor();  // [I]
}

std::optional<torch::Tensor> ExportedFile::item_vectors() const {
  if (!impl_->description.item_vectors) return std::nullopt;
  return impl_->module.attr("item_vectors").toTensor();  // [I, D]
}

}  // namespace reckon
