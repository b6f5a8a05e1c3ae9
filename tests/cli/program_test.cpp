// The program itself, as somebody uses it: files in, what it prints and writes out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <thread>

#include "core/diagnostics.h"
#include "core/files.h"
#include "tests/cli/ml_100k_shape.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "training/checkpoint.h"

namespace reckon::program_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kConfigs = std::string(RECKON_SOURCE_DIR) + "/configs/";

struct Answer {
  int code = 0;
  std::string out, err;
};

class Program : public ::testing::Test {
 protected:
  Program() : folder_("program"), data_(folder_.path() / "ml-100k") {}

  Answer ask(const std::vector<std::string>& arguments) const {
    const auto out = folder_.file("stdout"), err = folder_.file("stderr");
    const int code = wait_for(start_reckon(arguments, out, err));
    return {code, read_file(out), read_file(err)};
  }

  // An experiment on the made-up data, with its cache beside it.
  std::vector<std::string> on_data(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--data", (folder_.path() / "ml-100k").string(), "--set",
                                       "data.cache=" + folder_.file("cache")});
    return arguments;
  }

  Answer train(const std::string& model, const std::vector<std::string>& more = {}) const {
    auto arguments = on_data(
        {"train", kConfigs + model + "/ml-100k.yaml", "--quiet", "--run", folder_.file(model)});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return ask(arguments);
  }

  json read_json(const std::string& name) const {
    return json::parse(read_file(folder_.file(name)));
  }

  TemporaryFolder folder_;
  Ml100kShape data_;
};

class EveryConfig : public Program, public ::testing::WithParamInterface<std::string> {};

TEST_P(EveryConfig, ChecksCleanAndTrains) {
  const auto model = GetParam();
  const auto checked = ask(on_data({"check", kConfigs + model + "/ml-100k.yaml"}));
  EXPECT_EQ(checked.code, 0);
  EXPECT_EQ(checked.err, "");
  EXPECT_THAT(checked.out,
              StartsWith(
                  "schema   ok\ncolumns  ok: user, item, rating, timestamp\nsizes    not known\n"));

  const auto trained = train(model, {"--limit-batches", "3"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  // A cross-validation is looked at by its first fold.
  const bool has_folds = fs::exists(folder_.file(model + "/fold-1"));
  const auto result = read_json(model + (has_folds ? "/fold-1" : "") + "/result.json");
  // A fit of fewer rounds than the limit ends of itself.
  const bool is_whole = result.at("procedure") == "fit" && result.at("steps") < 3;
  EXPECT_EQ(result.at("steps"), is_whole ? result.at("steps") : json(3));
  EXPECT_EQ(result.at("end"), is_whole ? "completed" : "limited");
  EXPECT_EQ(result.at("split"), "test");
  EXPECT_FALSE(result.at("metrics").empty());
  for (const auto& [name, value] : result.at("metrics").items()) {
    EXPECT_TRUE(value.is_number() && std::isfinite(value.get<double>())) << name;
    EXPECT_THAT(trained.out, HasSubstr(name));
  }
  const auto prepared = ask(on_data({"check", kConfigs + model + "/ml-100k.yaml"}));
  EXPECT_THAT(prepared.out, HasSubstr("sizes    300 users, 60 items"));
}

std::vector<std::string> models_of_ml_100k() {
  std::vector<std::string> models;
  for (const auto& folder : fs::directory_iterator(kConfigs))
    if (fs::exists(folder.path() / "ml-100k.yaml"))
      models.push_back(folder.path().filename().string());
  std::sort(models.begin(), models.end());
  return models;
}

INSTANTIATE_TEST_SUITE_P(Ml100k, EveryConfig, ::testing::ValuesIn(models_of_ml_100k()),
                         [](const auto& info) { return info.param; });

TEST_F(Program, KnowsAConfigOfMl100kForEveryModelThatHasConfigs) {
  // Who recommends users, or learns from who knows whom, finds no friends there.
  const std::set<std::string> of_friends = {"common_neighbours", "adamic_adar", "katz", "diffnet",
                                            "mhcn"};
  std::vector<std::string> folders;
  for (const auto& folder : fs::directory_iterator(kConfigs))
    if (const auto name = folder.path().filename().string();
        folder.is_directory() && !of_friends.contains(name))
      folders.push_back(name);
  EXPECT_THAT(models_of_ml_100k(), ::testing::UnorderedElementsAreArray(folders));
}

// One model from the file to the shop window, each command with what the one before it left.
class WholePath : public Program {
 protected:
  void SetUp() override {
    ASSERT_EQ(train("popularity").code, 0);
    const auto trained = train("sasrec", {"--set", "training.epochs=12"});
    ASSERT_EQ(trained.code, 0) << trained.err;
  }

  json recommend(std::vector<std::string> request) const {
    request.insert(request.begin(), {"recommend", folder_.file("model.pt"), "--format", "json"});
    const auto answer = ask(request);
    EXPECT_EQ(answer.code, 0) << answer.err;
    return answer.code == 0 ? json::parse(answer.out) : json();
  }

  static std::vector<std::string> ids_of(const json& answer) {
    std::vector<std::string> ids;
    for (const auto& item : answer.at("items")) ids.push_back(item.at("item"));
    return ids;
  }

  // Vectors as `reckon embeddings` writes them, by id.
  std::map<std::string, std::vector<double>> vectors(const std::string& name) const {
    std::map<std::string, std::vector<double>> out;
    std::istringstream lines(read_file(folder_.file(name)));
    for (std::string line, id; std::getline(lines, line);) {
      std::istringstream values(line);
      values >> id;
      for (double value = 0.0; values >> value;) out[id].push_back(value);
    }
    return out;
  }

  void measure() const {
    const auto result = read_json("sasrec/result.json");
    const auto again = ask({"evaluate", folder_.file("sasrec"), "--output", folder_.file("again")});
    ASSERT_EQ(again.code, 0) << again.err;
    const auto measured = read_json("again/test-result.json");
    EXPECT_EQ(measured.at("num_users"), 300);
    for (const auto& [name, value] : result.at("metrics").items())
      EXPECT_EQ(measured.at("metrics").at(name).at("mean"), value) << name;

    const auto compared =
        ask({"compare", folder_.file("popularity"), folder_.file("sasrec"), "--format", "json"});
    ASSERT_EQ(compared.code, 0) << compared.err;
    const auto comparison = json::parse(compared.out);
    EXPECT_EQ(comparison.at("baseline"), "popularity");
    const auto of_popularity = read_json("popularity/result.json");
    bool has_ndcg = false;
    for (const auto& difference : comparison.at("differences")) {
      if (difference.at("metric") != "ndcg@10") continue;
      has_ndcg = true;
      EXPECT_EQ(difference.at("run"), "sasrec");
      EXPECT_NEAR(difference.at("mean").get<double>(),
                  result.at("metrics").at("ndcg@10").get<double>() -
                      of_popularity.at("metrics").at("ndcg@10").get<double>(),
                  1e-6);
    }
    EXPECT_TRUE(has_ndcg) << compared.out;
    const auto table = ask({"compare", folder_.file("popularity"), folder_.file("sasrec")});
    EXPECT_THAT(table.out, HasSubstr("baseline"));
    EXPECT_THAT(table.out, HasSubstr("p (Holm)"));
  }

  void serve() const {
    const auto exported =
        ask({"export", folder_.file("sasrec"), "--output", folder_.file("model.pt")});
    ASSERT_EQ(exported.code, 0) << exported.err;
    EXPECT_THAT(exported.out, HasSubstr("the same from the file"));

    const auto history = data_.history("7");
    const auto list = recommend({"--history", join(history, ","), "-k", "5", "--exclude-seen"});
    const auto ids = ids_of(list);
    EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 5U);
    for (const auto& item : list.at("items")) {
      EXPECT_EQ(item.at("title"), Ml100kShape::title(item.at("item")));
      EXPECT_THAT(history, Not(::testing::Contains(item.at("item").get<std::string>())));
    }
    EXPECT_EQ(ids_of(recommend({"--user", "7", "-k", "5", "--exclude-seen"})), ids)
        << "the file holds another history of the user than the data";

    std::ofstream(folder_.file("requests.jsonl"))
        << json{{"user", "7"}, {"exclude_seen", true}, {"k", 5}}.dump() << "\n"
        << json{{"similar_to", "3"}, {"k", 2}}.dump() << "\n";
    const auto answers = ask({"recommend", folder_.file("model.pt"), "--input",
                              folder_.file("requests.jsonl"), "--format", "json"});
    ASSERT_EQ(answers.code, 0) << answers.err;
    std::istringstream lines(answers.out);
    std::string first, second;
    std::getline(lines, first);
    std::getline(lines, second);
    EXPECT_EQ(ids_of(json::parse(first)), ids);
    EXPECT_EQ(ids_of(json::parse(second)), ids_of(recommend({"--similar-to", "3", "-k", "2"})));

    const auto table = ask({"recommend", folder_.file("model.pt"), "--history", join(history, ","),
                            "-k", "1", "--exclude-seen"});
    EXPECT_THAT(table.out, HasSubstr(Ml100kShape::title(ids.front())));

    const auto stranger = ask({"recommend", folder_.file("model.pt"), "--history", "no such film",
                               "-k", "3", "--format", "json"});
    EXPECT_EQ(stranger.code, 0);
    EXPECT_THAT(stranger.err, HasSubstr("no such film"));
    EXPECT_THAT(json::parse(stranger.out).at("fallback").get<std::string>(),
                HasSubstr("most popular"));
  }

  void look_inside() const {
    const auto inspected = ask({"inspect", folder_.file("model.pt")});
    EXPECT_EQ(inspected.code, 0);
    EXPECT_THAT(inspected.out, HasSubstr("60 items, 300 users"));
    EXPECT_THAT(inspected.out, HasSubstr("a new user with a history    yes"));
    const auto contract = json::parse(ask({"inspect", folder_.file("model.pt"), "--json"}).out);
    EXPECT_EQ(contract.at("num_items"), 60);

    const auto written =
        ask({"embeddings", folder_.file("sasrec"), "--output", folder_.file("items.tsv")});
    ASSERT_EQ(written.code, 0) << written.err;
    const auto of_items = vectors("items.tsv");
    EXPECT_EQ(of_items.size(), 60U);
    const auto cosine = [&](const std::string& a, const std::string& b) {
      double product = 0.0, square_a = 0.0, square_b = 0.0;
      for (size_t i = 0; i < of_items.at(a).size(); ++i) {
        const double x = of_items.at(a)[i], y = of_items.at(b)[i];
        product += x * y;
        square_a += x * x;
        square_b += y * y;
      }
      return product / std::sqrt(square_a * square_b);
    };
    std::string nearest_film;
    for (const auto& [id, _] : of_items)
      if (id != "3" && (nearest_film.empty() || cosine("3", id) > cosine("3", nearest_film)))
        nearest_film = id;
    EXPECT_EQ(ids_of(recommend({"--similar-to", "3", "-k", "1"})),
              std::vector<std::string>{nearest_film});
  }
};

TEST_F(WholePath, FromTheFilesToAListOfFilms) {
  measure();
  serve();
  if (!HasFatalFailure()) look_inside();
}

TEST_F(Program, DescribesWhatAConfigMayName) {
  const auto all = ask({"describe"});
  EXPECT_EQ(all.code, 0);
  for (const auto* name :
       {"sasrec", "transformer", "leave_one_out", "adam", "cosine", "supervised", "softmax"})
    EXPECT_THAT(all.out, HasSubstr(std::string("\n  ") + name)) << "not listed";
  EXPECT_THAT(ask({"describe", "transformer"}).out, HasSubstr("num_heads"));
  EXPECT_THAT(ask({"describe", "sasrec"}).out, HasSubstr("Kang, McAuley"));
  const auto resolved =
      ask({"describe", "--resolved", kConfigs + "sasrec/ml-100k.yaml", "--set", "model.dim=32"});
  EXPECT_EQ(resolved.code, 0);
  const auto origin_of = [&](const std::string& key) {
    const auto at = resolved.out.find("\n  " + key + ": ");
    const auto line = at == std::string::npos
                          ? ""
                          : resolved.out.substr(at + 1, resolved.out.find('\n', at + 1) - at - 1);
    return line.substr(std::min(line.find('#'), line.size()));
  };
  EXPECT_EQ(origin_of("dim"), "# command line");
  EXPECT_THAT(origin_of("epochs"), HasSubstr("configs/sasrec/ml-100k.yaml:"));
  EXPECT_THAT(origin_of("batch_size"), HasSubstr("<preset sasrec>:"));
  EXPECT_EQ(origin_of("accumulate"), "# default");
  const auto nothing = ask({"describe", "transfomer"});
  EXPECT_EQ(nothing.code, 1);
  EXPECT_THAT(nothing.err, HasSubstr("did you mean 'transformer'?"));
}

TEST_F(Program, SaysWhatIsWrongWithAnExperimentAndTrainsNothing) {
  const auto wrong = train("sasrec", {"--set", "training.epoch=3"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_EQ(
      wrong.err,
      "<command line>: error: training.epoch: unknown key\n    hint: did you mean 'epochs'?\n");
  EXPECT_FALSE(fs::exists(folder_.file("sasrec")));
  EXPECT_EQ(ask({"train"}).code, 2);
}

TEST_F(Program, EndsAfterAnInterruptWithACheckpointFromWhichItGoesOn) {
  const auto run = folder_.file("run");
  const auto arguments = [&](const std::string& epochs) {
    return on_data({"train", kConfigs + "sasrec/ml-100k.yaml", "--quiet", "--run", run, "--set",
                    "training.epochs=" + epochs, "--set", "training.early_stopping=null"});
  };
  const auto child = start_reckon(arguments("100000"), folder_.file("stdout"));
  const auto metrics = run + "/metrics.jsonl";
  const auto has_epochs = [&] {
    return fs::exists(metrics) && read_file(metrics).find("\"epoch\"") != std::string::npos;
  };
  for (int i = 0; i < 600 && !has_epochs(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  ASSERT_TRUE(has_epochs()) << "no epoch in half a minute";
  kill(child, SIGINT);
  EXPECT_EQ(wait_for(child), 130);
  EXPECT_THAT(read_file(folder_.file("stdout")), HasSubstr("--resume"));
  EXPECT_EQ(read_json("run/result.json").at("end"), "interrupted");
  const auto checkpoint = load_checkpoint(run + "/checkpoints/last.ckpt");
  EXPECT_GT(checkpoint.step, 0);

  // One epoch more than it had begun.
  const int64_t steps_per_epoch = 3;  // 300 users in batches of 128
  auto resumed = arguments(std::to_string(checkpoint.step / steps_per_epoch + 2));
  resumed.push_back("--resume");
  const auto answer = ask(resumed);
  EXPECT_EQ(answer.code, 0) << answer.err;
  const auto result = read_json("run/result.json");
  EXPECT_EQ(result.at("end"), "completed");
  EXPECT_EQ(result.at("resumed_from_step"), checkpoint.step);
  EXPECT_EQ(result.at("steps"), (checkpoint.step / steps_per_epoch + 2) * steps_per_epoch);
}

TEST_F(Program, TakesTheFolderOfARunOnlyByForceAndThenOnlyWhatIsOfTheRun) {
  ASSERT_EQ(train("popularity").code, 0);
  std::ofstream(folder_.file("popularity/notes.txt")) << "mine\n";
  const auto refused = train("popularity");
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("the folder holds a run already"));
  EXPECT_THAT(refused.err, HasSubstr("--force"));
  fs::remove(folder_.file("popularity/result.json"));
  EXPECT_EQ(train("popularity", {"--force"}).code, 0);
  EXPECT_TRUE(fs::exists(folder_.file("popularity/result.json")));
  EXPECT_EQ(read_file(folder_.file("popularity/notes.txt")), "mine\n");
}

// docs/compose-a-model.md promises that this model, which no preset has, learns.
TEST_F(Program, LearnsAModelThatIsComposedInYamlAlone) {
  ASSERT_EQ(train("popularity").code, 0);
  const auto trained = train("own_model");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const auto ndcg = [&](const std::string& run) {
    return read_json(run + "/result.json").at("metrics").at("ndcg@10").get<double>();
  };
  EXPECT_GT(ndcg("own_model"), 2.0 * ndcg("popularity"));
}

}  // namespace
}  // namespace reckon::program_test
