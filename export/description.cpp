#include "export/description.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace reckon {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kFormat = "reckon";

// Calls visit(key, member) for every plain member, so that writing and reading cannot differ.
template <class D, class Visit>
void for_each_member(D& d, const Visit& visit) {
  visit("num_items", d.num_items);
  visit("num_users", d.num_users);
  visit("max_length", d.max_length);
  visit("reads_users", d.reads_users);
  visit("known_user", d.known_user);
  visit("new_user_with_history", d.new_user_with_history);
  visit("user_features", d.user_features);
  visit("new_item_with_content", d.new_item_with_content);
  visit("fallback", d.fallback);
  visit("ranks_for_everybody", d.ranks_for_everybody);
  visit("user_ids", d.user_ids);
  visit("user_columns", d.user_columns);
  visit("user_histories", d.user_histories);
  visit("user_items", d.user_items);
  visit("inner_product", d.inner_product);
  visit("scores_all", d.scores_all);
  visit("sum_of_queries", d.sum_of_queries);
  visit("query_bias", d.query_bias);
  visit("item_vectors", d.item_vectors);
  visit("explained_by", d.explained_by);
  visit("explains_by_training", d.explains_by_training);
  visit("num_states", d.num_states);
  visit("num_parameters", d.num_parameters);
  visit("weight_bytes", d.weight_bytes);
  visit("id_bytes", d.id_bytes);
  visit("history_bytes", d.history_bytes);
  visit("display", d.display);
  visit("config", d.config_yaml);
  visit("fingerprint", d.fingerprint);
  visit("versions", d.versions);
}

}  // namespace

const MethodDescription* Description::method(const std::string& name) const {
  for (const auto& method : methods)
    if (method.name == name) return &method;
  return nullptr;
}

std::string Description::to_json() const {
  Json out;
  out["format"] = kFormat;
  out["format_version"] = kVersion;
  for_each_member(*this, [&](const char* key, const auto& value) { out[key] = value; });
  try {
    out["metrics"] = metrics_json.empty() ? Json(nullptr) : Json::parse(metrics_json);
  } catch (const Json::parse_error& e) {
    throw std::invalid_argument(std::string("the metrics are not JSON: ") + e.what());
  }
  auto& list = out["methods"] = Json::object();
  for (const auto& method : methods) {
    Json one = {{"signature", method.signature}, {"meaning", method.meaning}};
    one["available"] = method.refusal.empty();
    if (!method.refusal.empty()) one["refusal"] = method.refusal;
    list[method.name] = std::move(one);
  }
  return out.dump(2, ' ', false, Json::error_handler_t::replace);
}

Description Description::from_json(const std::string& text) {
  Description out;
  try {
    const auto in = Json::parse(text);
    if (!in.is_object() || in.value("format", "") != kFormat)
      throw std::invalid_argument("it does not describe a file of reckon");
    const auto version = in.at("format_version").get<int64_t>();
    if (version != kVersion)
      throw std::invalid_argument("it has format version " + std::to_string(version) +
                                  ", this program reads version " + std::to_string(kVersion));
    for_each_member(out, [&](const char* key, auto& value) { in.at(key).get_to(value); });
    if (!in.at("metrics").is_null()) out.metrics_json = in["metrics"].dump();
    for (const auto& [name, method] : in.at("methods").items())
      out.methods.push_back({name, method.at("signature"), method.at("meaning"),
                             method.value("refusal", std::string())});
  } catch (const Json::exception& e) {
    throw std::invalid_argument(std::string("its description is damaged: ") + e.what());
  }
  return out;
}

}  // namespace reckon
