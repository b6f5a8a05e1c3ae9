// One name per thing: rooms, headers, classes in the catalogs, presets and configs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <regex>
#include <set>

#include "tests/architecture/source_tree.h"

namespace reckon::names_test {

namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Complaints = std::vector<std::string>;

const std::set<std::string> kRooms = {"core",   "kernels",    "layers",   "datasets", "models",
                                      "export", "evaluation", "training", "serving",  "cli"};

/// Tests mirror the rooms; these folders of tests/ belong to none.
const std::set<std::string> kOtherTests = {"architecture", "consumer", "contract",
                                           "data",         "fuzz",     "learning",
                                           "references",   "setup",    "support"};

/// What stands beside the rooms.
const std::set<std::string> kOtherFolders = {"benchmarks", "cmake",   "configs",
                                             "docs",       "scripts", "tests"};

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
  const std::map<std::string, std::string> shared = {{"GruEncoder", "recurrent_encoder"},
                                                     {"LstmEncoder", "recurrent_encoder"},
                                                     {"LeaveOneOut", "splitter"},
                                                     {"RatioSplit", "splitter"},
                                                     {"TimeSplit", "splitter"},
                                                     {"FilesSplit", "splitter"},
                                                     {"KFoldSplit", "splitter"},
                                                     {"NoSplit", "splitter"},
                                                     {"InteractionEdges", "edge_source"},
                                                     {"TripleEdges", "edge_source"},
                                                     {"AttributeEdges", "edge_source"},
                                                     {"FriendEdges", "edge_source"},
                                                     {"AdamW", "adam"},
                                                     {"ConstantSchedule", "schedule"},
                                                     {"LinearSchedule", "schedule"},
                                                     {"CosineSchedule", "schedule"},
                                                     {"StepSchedule", "schedule"},
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

/// Files lie in rooms or in folders beside them, each with a README; tests mirror the rooms.
Complaints against_folders(const std::vector<std::string>& files) {
  Complaints complaints;
  std::set<std::string> folders;
  for (const auto& path : files) {
    const auto folder = folder_of(path);
    if (folder.empty() || folder[0] == '.') continue;
    if (kRooms.count(folder) == 0 && kOtherFolders.count(folder) == 0)
      complaints.push_back(path + " is in no folder that is known");
    else
      folders.insert(folder);
    if (folder != "tests") continue;
    const auto below = folder_of(path.substr(6));
    if (!below.empty() && kRooms.count(below) == 0 && kOtherTests.count(below) == 0)
      complaints.push_back(path + " is in no folder that mirrors a room");
  }
  for (const auto& folder : folders)
    if (std::find(files.begin(), files.end(), folder + "/README.md") == files.end())
      complaints.push_back(folder + "/README.md is missing");
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

TEST(Architecture, EveryFolderExplainsItselfAndTestsMirrorRooms) {
  EXPECT_THAT(against_folders(tracked_files()), IsEmpty());
  EXPECT_THAT(against_folders({"core/a.h", "tests/cores/a_test.cpp", "tests/README.md", "util/a.h",
                               "benchmarks/run", "CMakeLists.txt", ".ci/run"}),
              ElementsAre("tests/cores/a_test.cpp is in no folder that mirrors a room",
                          "util/a.h is in no folder that is known",
                          "benchmarks/README.md is missing", "core/README.md is missing"));
}

TEST(Architecture, AReadmeIsTitledByItsFolder) {
  for (const auto& path : tracked_files()) {
    const auto folder = fs::path(path).parent_path();
    if (fs::path(path).filename() != "README.md" || folder.empty()) continue;
    const auto title = "# " + folder.filename().string() + "/\n";
    EXPECT_EQ(read_tracked(path).substr(0, title.size()), title) << path;
  }
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

/// Texts that a pattern is found in; pictures aside.
Complaints files_with(const std::regex& pattern, const SourceTree& texts) {
  Complaints complaints;
  for (const auto& [path, text] : texts) {
    const auto extension = fs::path(path).extension();
    if (extension == ".png" || extension == ".svg") continue;
    std::smatch found;
    if (std::regex_search(text, found, pattern)) complaints.push_back(path + " has " + found.str());
  }
  return complaints;
}

SourceTree all_texts() {
  SourceTree texts;
  for (const auto& path : tracked_files()) texts[path] = read_tracked(path);
  return texts;
}

TEST(Architecture, NoFileNamesAFolderOfOneMachine) {
  // What stands before tells a path from the root from the rest of another one, or of a URL.
  static const std::regex machine_path(
      "(^|[^a-zA-Z0-9_./:\\]})])/(home|root|Users|work|opt|tmp|mnt|srv|media)/[a-zA-Z]");
  EXPECT_THAT(files_with(machine_path, all_texts()), IsEmpty());
  for (const std::string folder :
       {"home", "root", "Users", "work", "opt", "tmp", "mnt", "srv", "media"})
    EXPECT_EQ(files_with(machine_path, {{"a.sh", "cd /" + folder + "/me\n"}}).size(), 1U) << folder;
  EXPECT_THAT(files_with(machine_path,
                         {{"a", "x/tmp/y ${folder}/tmp/y http://a/work/b folder + \"/tmp\""}}),
              IsEmpty());
}

// Packages come from where the person who builds has set up pip and apt to get them.
TEST(Architecture, NoFileNamesARegistryHost) {
  static const std::regex host(
      "(pypi\\.(org|io)|pythonhosted\\.org|anaconda\\.(org|com)|conda\\.io|docker\\.(io|com)|"
      "ghcr\\.io|quay\\.io|"
      "gcr\\.io|npmjs\\.(org|com)|crates\\.io|rubygems\\.org|repo\\.maven|(deb|archive|ports|"
      "security)\\."
      "(debian|ubuntu)\\.(org|com)|mirrors?\\.[a-z]+\\.(org|com|cn|net)|pytorch\\.org/"
      "whl|artifactory)",
      std::regex::icase);
  auto texts = all_texts();
  // This list.
  texts.erase("tests/architecture/names_test.cpp");
  // The one place that has LibTorch for processors alone, asked when pip's own sources do not have it.
  EXPECT_THAT(files_with(host, texts), ElementsAre("scripts/setup.sh has pytorch.org/whl"));
  EXPECT_THAT(files_with(host, {{"a.sh", "pip install -i https://pypi.org/simple x"},
                                {"b.md", "docker pull ghcr.io/a/b"},
                                {"c.md", "https://files.grouplens.org/datasets"}}),
              ElementsAre("a.sh has pypi.org", "b.md has ghcr.io"));
}

}  // namespace

}  // namespace reckon::names_test
