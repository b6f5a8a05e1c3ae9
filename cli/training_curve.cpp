#include "cli/training_curve.h"

#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/diagnostics.h"
#include "core/files.h"

namespace reckon {
namespace {

using Json = nlohmann::json;

// JSON has no word for NaN: null stands for it.
double number(const Json& json, const std::string& key) {
  const auto found = json.find(key);
  return found == json.end() || found->is_null() ? std::numeric_limits<double>::quiet_NaN()
                                                 : found->get<double>();
}

}  // namespace

std::vector<CurveEpoch> read_training_curve(const std::string& path) {
  if (!std::filesystem::exists(path)) return {};
  const auto text = read_file(path);
  std::map<int64_t, CurveEpoch> epochs;
  int64_t line = 0;
  for (size_t begin = 0; begin < text.size();) {
    ++line;
    const auto end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const auto json = Json::parse(text.substr(begin, end - begin), nullptr, false);
    begin = end + 1;
    try {
      if (json.at("kind") != "epoch") continue;
      CurveEpoch epoch;
      epoch.epoch = json.at("epoch");
      epoch.loss = number(json, "loss");
      epoch.lr = number(json, "lr");
      if (json.contains("validation"))
        for (const auto& [name, value] : json["validation"].items())
          epoch.validation[name] = number(json["validation"], name);
      epochs[epoch.epoch] = std::move(epoch);
    } catch (const Json::exception&) {
      throw DataError(path, line, "expected a line of JSON that a run has logged");
    }
  }
  std::vector<CurveEpoch> curve;
  for (auto& [number, epoch] : epochs) curve.push_back(std::move(epoch));
  return curve;
}

}  // namespace reckon
