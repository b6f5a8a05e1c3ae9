// One suite over every name in the catalogs: what each component and each preset must be able to do.
#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/utils.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "cli/default_catalog.h"
#include "cli/experiment.h"
#include "core/experiment_tree.h"
#include "datasets/batch_builder.h"
#include "datasets/prepare.h"
#include "evaluation/evaluator.h"
#include "export/exporter.h"
#include "layers/position.h"
#include "layers/sequence_encoder.h"
#include "training/checkpoint.h"

namespace reckon {
namespace {

namespace fs = std::filesystem;

struct Case {
  std::string name;
  std::string model;  ///< YAML of the section `model`.
  double floor = 0.0;  ///< What nobody can get below: a user with several targets must share among them.

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }
};

// A model around one component of each kind, and every preset, all tiny.
std::vector<Case> every_model() {
  const auto catalog = default_catalog();
  std::vector<Case> cases;
  const auto around = [](const std::string& user, const std::string& scorer, const std::string& objective) {
    return "{family: retrieval, dim: 16, user: " + user + ", scorer: " + scorer + ", objectives: [" + objective + "]}";
  };
  const std::string history = "{history: {max_length: 8, dropout: 0.0, encoder: {type: ";
  for (const auto& name : catalog.of<SequenceEncoder>().names())
    cases.push_back({"encoder_" + name, around(history + name + "}}}", "{type: dot}", "{type: softmax}")});
  for (const auto& name : catalog.of<Position>().names())
    cases.push_back({"position_" + name,
                     around("{history: {max_length: 8, dropout: 0.0, position: {type: " + name +
                                "}, encoder: {type: transformer, num_blocks: 1, dropout: 0.0}}}",
                            "{type: dot}", "{type: softmax}")});
  for (const auto& name : catalog.of<Scorer>().names())
    cases.push_back({"scorer_" + name, around("{id: {}}", "{type: " + name + "}", "{type: bce}")});
  for (const auto& name : catalog.of<Objective>().names()) {
    // Each user has five targets in training, which one vector of the user scores alike.
    const double floor = name == "softmax"           ? std::log(5.0)
                         : name == "sampled_softmax" ? std::log(1.0 + 256 * 4 / 20.0)
                                                     : 0.0;
    cases.push_back({"objective_" + name + "_of_users",
                     around("{id: {}}", "{type: dot}", "{type: " + name + "}"), floor});
    cases.push_back({"objective_" + name + "_of_histories",
                     around(history + "mean_pooling}}}", "{type: dot, item_bias: true}", "{type: " + name + "}")});
  }
  for (const auto& name : catalog.preset_names())
    cases.push_back({"preset_" + name, name == "popularity" || name == "random" ? "{preset: " + name + "}"
                                                                               : "{preset: " + name + ", dim: 16}"});
  return cases;
}

class EveryModel : public ::testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() {
    folder_ = fs::temp_directory_path() / ("reckon-contract-" + std::to_string(getpid()));
    fs::create_directories(folder_);
    std::ofstream data(folder_ / "sequences.txt");
    for (int user = 0; user < 12; ++user) {
      data << "u" << user;
      for (int step = 0; step < 7; ++step) data << " i" << (user * 5 + step * 3) % 20;
      data << "\n";
    }
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  void SetUp() override {
    const auto tree = assemble_experiment(
        parse_yaml("data:\n  directory: '" + folder_.string() + "'\n  cache: '" + (folder_ / "cache").string() +
                       "'\n  files: {interactions: {path: sequences.txt, format: sequences}}\n"
                       "  split: {type: leave_one_out}\nmodel: " + GetParam().model + "\n",
                   "contract.yaml"),
        {}, catalog_);
    experiment_ = read_experiment(tree, catalog_);
    dataset_ = prepare_dataset(experiment_.data).dataset;
    train_ = dataset_.part(Split::kTrain);
  }

  std::shared_ptr<Model> build(uint64_t seed = 1) const {
    torch::manual_seed(seed);
    return experiment_.model.build(
        {.num_users = dataset_.num_users(), .num_items = dataset_.num_items(), .train = &train_});
  }

  struct Losses : TrainingObserver {
    std::vector<double> all;
    void on_epoch(const EpochRecord& record) override { all.push_back(record.loss); }
  };

  std::vector<double> fit(const std::shared_ptr<Model>& model, int64_t epochs, int64_t threads = 1) const {
    Losses losses;
    Procedure::Deps deps;
    deps.model = model.get();
    deps.dataset = &dataset_;
    deps.seed = 1;
    deps.observer = &losses;
    struct Slot {
      Component<Procedure> training;
      static void describe(Schema<Slot>& schema) { schema.field("training", &Slot::training).required(); }
    };
    const auto slot = read_config<Slot>(
        parse_yaml(model->learnable() == nullptr
                       ? std::string("training: {type: fit}\n")
                       : "training: {type: supervised, epochs: " + std::to_string(epochs) + ", batch_size: 12, threads: " +
                             std::to_string(threads) + ", optimizer: {type: adam, lr: 2e-2}}\n",
                   "training.yaml"),
        catalog_);
    const auto procedure = slot.training.build(deps);
    while (!procedure->is_finished()) procedure->step();
    model->eval();
    return losses.all;
  }

  static fs::path folder_;
  Catalog catalog_ = default_catalog();
  Experiment experiment_;
  Dataset dataset_;
  Interactions train_;
};
fs::path EveryModel::folder_;

TEST_P(EveryModel, EveryParameterGetsAGradient) {
  const auto model = build();
  auto* learnable = model->learnable();
  if (learnable == nullptr) {
    EXPECT_TRUE(model->parameters().empty());
    return;
  }
  // Away from zero, where whole products have no gradient.
  {
    const torch::NoGradGuard no_grad;
    for (auto& parameter : model->parameters()) parameter.add_(torch::randn_like(parameter) * 0.1);
  }
  const BatchBuilder builder(train_, learnable->needs(), {.batch_size = 12, .num_shards = 1});
  const auto shard = builder.build(0, 0).shards[0];
  model->train();
  const auto shared = learnable->shared();
  const auto loss = learnable->loss(learnable->represent(shard, shared), shared, 0);
  const auto named = model->named_parameters();
  std::vector<torch::Tensor> parameters;
  for (const auto& item : named) parameters.push_back(item.value());
  const auto gradients = torch::autograd::grad({loss.sum}, parameters, {}, false, false, /*allow_unused=*/true);
  for (size_t i = 0; i < parameters.size(); ++i) {
    ASSERT_TRUE(gradients[i].defined()) << named[i].key();
    EXPECT_TRUE(gradients[i].isfinite().all().item<bool>()) << named[i].key();
  }
}

TEST_P(EveryModel, OverfitsAFewRows) {
  const auto model = build();
  if (model->learnable() == nullptr) return;
  const auto losses = fit(model, 150);
  // What is learnt by heart costs less than half of the beginning, counted from what is possible.
  const double floor = GetParam().floor;
  EXPECT_LT(losses.back() - floor, 0.5 * (losses.front() - floor));
}

TEST_P(EveryModel, TheSameSeedGivesTheSameLossesOnAnyNumberOfThreads) {
  if (build()->learnable() == nullptr) return;
  const auto losses = fit(build(), 5);
  EXPECT_EQ(fit(build(), 5), losses);
  EXPECT_EQ(fit(build(), 5, 2), losses);
  EXPECT_NE(fit(build(2), 5), losses);
}

TEST_P(EveryModel, SavedAndLoadedItRanksTheSame) {
  const auto model = build();
  fit(model, 3);
  Checkpoint checkpoint;
  checkpoint.procedure = "test";
  checkpoint.model = model_tensors(*model);
  const auto path = (folder_ / "model.ckpt").string();
  save_checkpoint(path, checkpoint);
  const auto other = build(77);
  load_model(*other, load_checkpoint(path).model, path);
  other->eval();
  EvaluationOptions options;
  options.metrics = {MetricName::parse("ndcg@5"), MetricName::parse("auc")};
  const auto a = evaluate(*model, dataset_, options), b = evaluate(*other, dataset_, options);
  EXPECT_TRUE(torch::equal(a.per_user, b.per_user));
}

TEST_P(EveryModel, ExportsAndServesEachKindOfUserThatItsContractNames) {
  const auto model = build();
  fit(model, 3);
  ExportInputs inputs;
  inputs.items = &dataset_.items();
  inputs.users = &dataset_.users();
  inputs.item_counts = item_counts(train_);
  inputs.user_offsets = dataset_.interactions().user_offsets;
  inputs.user_items = dataset_.interactions().items;
  const auto path = (folder_ / "model.pt").string();
  // Compares file and model by itself, and throws where they differ.
  const auto report = export_model(*model, inputs, path, ExportOptions{.include_users = true});
  EXPECT_GT(report.num_comparisons, 0);
  const ExportedFile file(path);
  const auto contract = model->contract();
  if (contract.known_user) {
    const auto lists = file.recommend_user({"u1", "u5"}, 4).items;
    ASSERT_EQ(lists.size(), 2U);
    EXPECT_EQ(lists[0].size(), 4U);
  }
  if (contract.new_user_with_history) {
    const auto lists = file.recommend({{"i1", "i4"}, {}, {"nobody knows this"}}, 4).items;
    ASSERT_EQ(lists.size(), 3U);
    for (const auto& list : lists) EXPECT_EQ(list.size(), 4U);
  }
}

INSTANTIATE_TEST_SUITE_P(Contract, EveryModel, ::testing::ValuesIn(every_model()),
                         [](const auto& info) { return info.param.name; });

TEST(Catalog, EveryComponentOfEveryKindBuildsItsDefaultsIntoYamlThatReadsBack) {
  const auto catalog = default_catalog();
  for (const auto* registry : catalog.kinds()) {
    for (const auto& name : registry->names()) {
      const auto defaults = registry->emit_defaults(name, catalog);
      EXPECT_EQ(emit_yaml(parse_yaml(emit_yaml(defaults), "defaults.yaml")), emit_yaml(defaults))
          << registry->kind() << " " << name;
      EXPECT_NE(registry->summary(name), "") << registry->kind() << " " << name;
      for (const auto& doc : registry->docs(name)) EXPECT_NE(doc.doc, "") << name << "." << doc.name;
    }
  }
}

}  // namespace
}  // namespace reckon
