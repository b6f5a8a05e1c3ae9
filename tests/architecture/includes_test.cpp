// Who may include what. Every rule is a function from a source tree to complaints, so that it can be
// seen to complain about a tree that breaks it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <regex>
#include <set>

#include "tests/architecture/source_tree.h"

namespace reckon::includes_test {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Complaints = std::vector<std::string>;

/// The rooms that each room may include, besides itself.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"core", {}},
    {"kernels", {"core"}},
    {"layers", {"core", "kernels"}},
    {"datasets", {"core"}},
    {"models", {"core", "kernels", "layers"}},
    {"evaluation", {"core", "kernels", "datasets", "models"}},
    {"training", {"core", "kernels", "layers", "datasets", "models", "evaluation"}},
    {"export", {"core", "models"}},
    {"serving", {"core", "kernels", "export"}},
    {"cli",
     {"core", "kernels", "layers", "datasets", "models", "evaluation", "training", "export",
      "serving"}},
};

/// Headers of datasets/ that hold plain structs: what a model or an exporter may know of the data.
const std::set<std::string> kPlainStructs = {"datasets/batch.h",        "datasets/column_source.h",
                                             "datasets/graph.h",        "datasets/id_map.h",
                                             "datasets/interactions.h", "datasets/needs.h",
                                             "datasets/table_column.h", "datasets/vocabulary.h"};

Complaints against_include_table(const SourceTree& tree) {
  Complaints complaints;
  for (const auto& [path, text] : tree) {
    const auto room = kMayInclude.find(folder_of(path));
    if (room == kMayInclude.end()) continue;
    for (const auto& include : includes_of(text)) {
      if (include[0] != '"') continue;
      const auto name = include.substr(1, include.size() - 2);
      const auto other = folder_of(name);
      const bool takes_structs = room->first == "models" || room->first == "export";
      if (other == room->first || room->second.count(other) > 0) continue;
      if (takes_structs && kPlainStructs.count(name) > 0) continue;
      complaints.push_back(path + " includes " + name);
    }
  }
  return complaints;
}

/// Includes in quotes name a file by its room; it must be there.
Complaints against_missing_files(const SourceTree& tree) {
  Complaints complaints;
  for (const auto& [path, text] : tree)
    for (const auto& include : includes_of(text)) {
      const auto name = include.substr(1, include.size() - 2);
      if (include[0] == '"' && tree.count(name) == 0)
        complaints.push_back(path + " includes " + include);
    }
  return complaints;
}

/// A word or include, and the files that may have it.
struct Reserved {
  std::string what;
  std::regex pattern;
  std::function<bool(const std::string& path)> may;
};

bool is_in(const std::string& path, const std::set<std::string>& folders) {
  return folders.count(folder_of(path)) > 0;
}

const std::vector<Reserved>& reserved() {
  static const auto is_core_source = [](const std::string& path) {
    return is_in(path, {"core"}) && !is_header(path);
  };
  static const std::vector<Reserved> rules = {
      {"torch/torch.h costs 18 seconds a file", std::regex("<torch/torch\\.h>"),
       [](const std::string&) { return false; }},
      {"core is without torch", std::regex("<(torch|ATen|c10)/"),
       [](const std::string& path) {
         return !is_in(path, {"core"}) && path.rfind("tests/core/", 0) != 0;
       }},
      {"YAML nodes stay in core", std::regex("YAML::|yaml-cpp"), is_core_source},
      {"glog stays behind core/log.h", std::regex("<glog/"),
       [](const std::string& path) { return path == "core/log.cpp"; }},
      {"fmt meets torch's own fmt outside core", std::regex("<fmt/"), is_core_source},
      {"Arrow stays out of headers and out of other rooms", std::regex("<(arrow|parquet)/"),
       [](const std::string& path) {
         return is_in(path, {"datasets", "evaluation", "tests"}) && !is_header(path);
       }},
      {"command-line flags are read in cli", std::regex("<CLI/"),
       [](const std::string& path) { return is_in(path, {"cli"}); }},
      {"TorchScript stays in export and serving",
       std::regex("torch::jit|<torch/(script|csrc/jit/|csrc/api/include/torch/jit)"),
       [](const std::string& path) {
         return is_in(path, {"export", "serving"}) || path.rfind("tests/export/", 0) == 0 ||
                path.rfind("tests/serving/", 0) == 0 || path == "tests/layers/trace_support.h";
       }},
      {"torch's data loader has a per-sample path", std::regex("torch::data::|<torch/data"),
       [](const std::string&) { return false; }},
      {"a header does not open namespaces", std::regex("(^|\\n)using namespace"),
       [](const std::string& path) { return !is_header(path); }},
  };
  return rules;
}

Complaints against_reserved_words(const SourceTree& tree) {
  Complaints complaints;
  for (const auto& [path, text] : tree) {
    // The patterns themselves stand here.
    if (folder_of(path).empty() || path.rfind("tests/architecture/", 0) == 0) continue;
    for (const auto& rule : reserved())
      if (!rule.may(path) && std::regex_search(text, rule.pattern))
        complaints.push_back(path + ": " + rule.what);
  }
  return complaints;
}

TEST(Architecture, RoomsIncludeOnlyWhatTheTableAllows) {
  EXPECT_THAT(against_include_table(read_sources()), IsEmpty());
}

TEST(Architecture, TheIncludeTableCatchesEveryForbiddenPairOfRooms) {
  for (const auto& [room, allowed] : kMayInclude)
    for (const auto& [other, ignored] : kMayInclude) {
      const SourceTree tree = {{room + "/a.cpp", "#include \"" + other + "/b.h\"\n"}};
      const bool is_allowed = room == other || allowed.count(other) > 0;
      EXPECT_EQ(against_include_table(tree).empty(), is_allowed) << room << " includes " << other;
    }
}

TEST(Architecture, TheIncludeTableLetsOnlyModelsAndExportTakePlainStructs) {
  for (const auto& [room, allowed] : kMayInclude) {
    const SourceTree tree = {{room + "/a.h", "#include \"datasets/batch.h\"\n"}};
    const bool is_allowed =
        room == "models" || room == "export" || room == "datasets" || allowed.count("datasets") > 0;
    EXPECT_EQ(against_include_table(tree).empty(), is_allowed) << room;
  }
}

TEST(Architecture, EveryIncludeInQuotesNamesAFileOfOurs) {
  EXPECT_THAT(against_missing_files(read_sources()), IsEmpty());
  EXPECT_THAT(against_missing_files({{"core/a.cpp", "#include \"a.h\"\n"}, {"core/a.h", ""}}),
              ElementsAre("core/a.cpp includes \"a.h\""));
}

TEST(Architecture, LibrariesStayWhereTheyBelong) {
  EXPECT_THAT(against_reserved_words(read_sources()), IsEmpty());
}

TEST(Architecture, EachReservedWordIsCaughtOutsideItsPlace) {
  const std::vector<std::pair<std::string, std::string>> offences = {
      {"layers/a.cpp", "#include <torch/torch.h>\n"},
      {"core/a.h", "#include <torch/types.h>\n"},
      {"tests/core/a_test.cpp", "#include <c10/util/Exception.h>\n"},
      {"datasets/a.cpp", "YAML::Node node;\n"},
      {"core/a.h", "#include <yaml-cpp/yaml.h>\n"},
      {"core/files.cpp", "#include <glog/logging.h>\n"},
      {"core/a.h", "#include <fmt/format.h>\n"},
      {"training/a.cpp", "#include <fmt/format.h>\n"},
      {"datasets/a.h", "#include <arrow/api.h>\n"},
      {"training/a.cpp", "#include <parquet/file_reader.h>\n"},
      {"training/a.cpp", "#include <CLI/CLI.hpp>\n"},
      {"models/a.cpp", "#include <torch/script.h>\n"},
      {"cli/a.cpp", "torch::jit::Module module;\n"},
      {"datasets/a.cpp", "#include <torch/data.h>\n"},
      {"models/a.h", "using namespace torch;\n"}};
  for (const auto& [path, text] : offences)
    EXPECT_EQ(against_reserved_words({{path, text}}).size(), 1U) << path << ": " << text;
  const std::vector<std::pair<std::string, std::string>> rightful = {
      {"core/a.cpp", "#include <yaml-cpp/yaml.h>\n#include <fmt/format.h>\n"},
      {"core/log.cpp", "#include <glog/logging.h>\n"},
      {"datasets/a.cpp", "#include <arrow/api.h>\n"},
      {"export/a.h", "#include <torch/csrc/jit/api/module.h>\n"},
      {"cli/a.cpp", "#include <CLI/CLI.hpp>\n"}};
  for (const auto& [path, text] : rightful)
    EXPECT_THAT(against_reserved_words({{path, text}}), IsEmpty()) << path;
}

}  // namespace

}  // namespace reckon::includes_test
