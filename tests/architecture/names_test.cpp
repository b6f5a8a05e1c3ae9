// One name per thing: rooms, headers, classes in the catalogs, presets and configs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <regex>
#include <set>

#include "tests/architecture/source_tree.h"

namespace reckon {

namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Complaints = std::vector<std::string>;

const std::set<std::string> kRooms = {"core",   "kernels",    "layers",   "datasets", "models",
                                      "export", "evaluation", "training", "serving",  "cli"};

/// Tests mirror the rooms; these folders of tests/ belong to none.
const std::set<std::string> kOtherTests = {"architecture", "consumer", "contract",   "data",
                                           "fuzz",         "learning", "references", "support"};

std::string snake_case(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (std::isupper(static_cast<unsigned char>(c)) && !out.empty()) out += '_';
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

/// Classes that the catalogs list stand in a header of their name, or share one with their kind.
Complaints against_catalog_names(const SourceTree& tree) {
  static const std::regex add("catalog\\.add<(\\w+)>");
  const std::map<std::string, std::string> shared = {
      {"GruEncoder", "recurrent_encoder"},   {"LstmEncoder", "recurrent_encoder"},
      {"LeaveOneOut", "splitter"},           {"RatioSplit", "splitter"},
      {"TimeSplit", "splitter"},             {"FilesSplit", "splitter"},
      {"NoSplit", "splitter"},               {"AdamW", "adam"},
      {"ConstantSchedule", "schedule"},      {"LinearSchedule", "schedule"},
      {"CosineSchedule", "schedule"},        {"StepSchedule", "schedule"},
      {"ExponentialSchedule", "schedule"}};
  Complaints complaints;
  for (const auto& [path, text] : tree) {
    const auto room = folder_of(path);
    if (kRooms.count(room) == 0 || path != room + "/catalog.cpp") continue;
    for (std::sregex_iterator it(text.begin(), text.end(), add), end; it != end; ++it) {
      const std::string name = (*it)[1];
      const auto stem = shared.count(name) > 0 ? shared.at(name) : snake_case(name);
      const auto header = tree.find(room + "/" + stem + ".h");
      if (header == tree.end()) {
        complaints.push_back(room + "/" + stem + ".h is missing, the header of " + name);
      } else if (header->second.find("class " + name) == std::string::npos) {
        complaints.push_back(header->first + " does not declare " + name);
      }
    }
  }
  return complaints;
}

Complaints against_header_form(const SourceTree& tree) {
  Complaints complaints;
  for (const auto& [path, text] : tree) {
    if (!is_header(path) || folder_of(path) == "cmake") continue;
    if (text.find("#pragma once") == std::string::npos)
      complaints.push_back(path + " has no #pragma once");
    if (text.find("namespace reckon") == std::string::npos)
      complaints.push_back(path + " is outside of namespace reckon");
  }
  return complaints;
}

Complaints against_file_names(const std::vector<std::string>& files) {
  static const std::regex snake("[a-z0-9_]+");
  Complaints complaints;
  for (const auto& path : files) {
    const fs::path file = path;
    const auto extension = file.extension();
    if (extension != ".h" && extension != ".cpp") continue;
    if (!std::regex_match(file.stem().string(), snake))
      complaints.push_back(path + " is not in snake_case");
  }
  return complaints;
}

/// Every room has a README; tests mirror the rooms.
Complaints against_rooms(const std::vector<std::string>& files) {
  Complaints complaints;
  std::set<std::string> with_sources;
  for (const auto& path : files) {
    const auto folder = folder_of(path);
    if (kRooms.count(folder) > 0) with_sources.insert(folder);
    if (folder != "tests") continue;
    const auto below = folder_of(path.substr(6));
    if (!below.empty() && kRooms.count(below) == 0 && kOtherTests.count(below) == 0)
      complaints.push_back(path + " is in no folder that mirrors a room");
  }
  for (const auto& room : with_sources)
    if (std::find(files.begin(), files.end(), room + "/README.md") == files.end())
      complaints.push_back(room + "/README.md is missing");
  complaints.erase(std::unique(complaints.begin(), complaints.end()), complaints.end());
  return complaints;
}

/// A preset models/presets/<name>.yaml has configs/<name>/*.yaml and the other way round.
Complaints against_presets(const std::vector<std::string>& files) {
  std::set<std::string> presets, configs;
  for (const auto& path : files) {
    const fs::path file = path;
    if (file.extension() != ".yaml") continue;
    if (file.parent_path() == "models/presets") presets.insert(file.stem().string());
    if (folder_of(path) == "configs") configs.insert(file.parent_path().filename().string());
  }
  Complaints complaints;
  for (const auto& name : presets)
    if (configs.count(name) == 0)
      complaints.push_back("preset " + name + " has no folder in configs");
  // A model that no preset has: the example of docs/compose-a-model.md.
  configs.erase("own_model");
  for (const auto& name : configs)
    if (presets.count(name) == 0) complaints.push_back("configs/" + name + " names no preset");
  return complaints;
}

/// No data, no weights, nothing large.
Complaints against_data_files(const std::vector<std::pair<std::string, size_t>>& files) {
  static const std::set<std::string> forbidden = {".pt",      ".pth",     ".ckpt",  ".zip",
                                                  ".whl",     ".gz",      ".tar",   ".npy",
                                                  ".parquet", ".feather", ".inter", ".item",
                                                  ".user",    ".data",    ".so",    ".a"};
  constexpr size_t kLargest = 400 * 1024;
  Complaints complaints;
  for (const auto& [path, size] : files) {
    // Seeds of fuzzers are what files of such forms look like, a few bytes each.
    if (path.rfind("tests/fuzz/corpus/", 0) == 0 && size < 4096) continue;
    if (forbidden.count(fs::path(path).extension().string()) > 0)
      complaints.push_back(path + " is data");
    else if (size > kLargest)
      complaints.push_back(path + " has " + std::to_string(size) + " bytes");
  }
  return complaints;
}

TEST(Architecture, AClassInACatalogStandsInAHeaderOfItsName) {
  EXPECT_THAT(against_catalog_names(read_sources()), IsEmpty());
  const SourceTree tree = {{"layers/catalog.cpp",
                            "catalog.add<MlpScorer>(\"mlp\", \"\");\n"
                            "catalog.add<DotScorer>(\"dot\", \"\");\n"},
                           {"layers/mlp_scorer.h", "class MlpScore {};\n"}};
  EXPECT_THAT(against_catalog_names(tree),
              ElementsAre("layers/mlp_scorer.h does not declare MlpScorer",
                          "layers/dot_scorer.h is missing, the header of DotScorer"));
}

TEST(Architecture, CatalogsListSomething) {
  const auto tree = read_sources();
  for (const auto* room : {"layers", "models", "training"})
    EXPECT_NE(tree.at(std::string(room) + "/catalog.cpp").find("catalog.add<"), std::string::npos)
        << room;
}

TEST(Architecture, HeadersAreIncludedOnceAndInOurNamespace) {
  EXPECT_THAT(against_header_form(read_sources()), IsEmpty());
  EXPECT_THAT(
      against_header_form({{"core/a.h", "namespace reckon {}\n"}, {"core/b.h", "#pragma once\n"}}),
      ElementsAre("core/a.h has no #pragma once", "core/b.h is outside of namespace reckon"));
}

TEST(Architecture, FilesAreNamedInSnakeCase) {
  EXPECT_THAT(against_file_names(tracked_files()), IsEmpty());
  EXPECT_THAT(against_file_names({"core/ConfigNode.h", "docs/ReadMe.md"}),
              ElementsAre("core/ConfigNode.h is not in snake_case"));
}

TEST(Architecture, EveryRoomExplainsItselfAndTestsMirrorRooms) {
  EXPECT_THAT(against_rooms(tracked_files()), IsEmpty());
  EXPECT_THAT(against_rooms({"core/a.h", "tests/cores/a_test.cpp", "tests/CMakeLists.txt"}),
              ElementsAre("tests/cores/a_test.cpp is in no folder that mirrors a room",
                          "core/README.md is missing"));
}

TEST(Architecture, PresetsAndConfigsHaveTheSameNames) {
  EXPECT_THAT(against_presets(tracked_files()), IsEmpty());
  EXPECT_THAT(against_presets({"models/presets/a.yaml", "configs/b/beauty.yaml"}),
              ElementsAre("preset a has no folder in configs", "configs/b names no preset"));
}

TEST(Architecture, EveryPresetOpensWithWhatItIs) {
  for (const auto& path : tracked_files()) {
    if (path.rfind("models/presets/", 0) != 0) continue;
    EXPECT_EQ(read_tracked(path).substr(0, 2), "# ") << path;
  }
}

TEST(Architecture, NoDataLiesInTheRepository) {
  std::vector<std::pair<std::string, size_t>> files;
  for (const auto& path : tracked_files()) files.emplace_back(path, read_tracked(path).size());
  EXPECT_THAT(files, Contains(::testing::Pair("CMakeLists.txt", ::testing::Gt(0U))));
  EXPECT_THAT(against_data_files(files), IsEmpty());
  EXPECT_THAT(against_data_files({{"a/model.pt", 1}, {"b.json", 500000}}),
              ElementsAre("a/model.pt is data", "b.json has 500000 bytes"));
}

TEST(Architecture, NoFileNamesAFolderOfOneMachine) {
  static const std::regex machine_path("(^|[^a-zA-Z0-9_./:])/(home|root|Users|work)/[a-z]");
  const auto is_text = [](const std::string& path) {
    const auto extension = fs::path(path).extension();
    return extension != ".png" && extension != ".svg";
  };
  Complaints complaints;
  for (const auto& path : tracked_files())
    if (is_text(path) && std::regex_search(read_tracked(path), machine_path))
      complaints.push_back(path);
  EXPECT_THAT(complaints, IsEmpty());
  EXPECT_TRUE(std::regex_search(std::string("cd /") + "home/me", machine_path));
}

}  // namespace

}  // namespace reckon
