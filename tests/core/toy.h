#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/catalog.h"
#include "core/units.h"

/// A small experiment with every kind of key there is, for tests of the schema machine.
namespace reckon::toy {

enum class Activation { kRelu, kGelu };

/// Turns something into something.
class Encoder {
 public:
  using Kind = Encoder;
  static constexpr const char* kKind = "encoder";
  struct Deps {
    int64_t width = 1;
  };
  virtual ~Encoder() = default;
  virtual int64_t width() const = 0;
};

/// Has keys of its own beside those of each loss.
class Loss {
 public:
  using Kind = Loss;
  static constexpr const char* kKind = "loss";
  struct Deps {};
  struct Common {
    double weight = 1.0;
    static void describe(Schema<Common>& schema) {
      schema.field("weight", &Common::weight).positive().doc("Share in the sum.");
    }
  };
  virtual ~Loss() = default;
};

/// Chosen by `family`.
class Model {
 public:
  using Kind = Model;
  static constexpr const char* kKind = "model";
  static constexpr const char* kSelector = "family";
  struct Deps {};
  virtual ~Model() = default;
};

}  // namespace reckon::toy

namespace reckon {
template <>
struct EnumNames<toy::Activation> {
  static std::vector<std::pair<std::string, toy::Activation>> all() {
    return {{"relu", toy::Activation::kRelu}, {"gelu", toy::Activation::kGelu}};
  }
};
}  // namespace reckon

namespace reckon::toy {

class Transformer : public Encoder {
 public:
  struct Options {
    int64_t hidden = 64;
    int64_t num_heads = 2;
    double dropout = 0.2;
    Activation activation = Activation::kGelu;
    static void describe(Schema<Options>& schema) {
      schema.field("hidden", &Options::hidden).positive().doc("Width of the inside.");
      schema.field("num_heads", &Options::num_heads).at_least(1).doc("Attention heads.");
      schema.field("dropout", &Options::dropout)
          .at_least(0.0)
          .less_than(1.0)
          .doc("Drop probability.");
      schema.field("activation", &Options::activation).doc("The bend.");
      schema.invariant("num_heads", "must divide hidden",
                       [](const Options& o) { return o.hidden % o.num_heads == 0; });
    }
  };
  Transformer(const Options& options, const Deps& deps) : width_(options.hidden * deps.width) {}
  int64_t width() const override { return width_; }

 private:
  int64_t width_;
};

class Gru : public Encoder {
 public:
  struct Options {
    int64_t num_layers = 1;
    std::optional<Component<Encoder>> inner;
    static void describe(Schema<Options>& schema) {
      schema.field("num_layers", &Options::num_layers).positive().doc("Layers.");
      schema.field("inner", &Options::inner).doc("An encoder below.");
    }
  };
  Gru(const Options& options, const Deps&) : width_(options.num_layers) {}
  int64_t width() const override { return width_; }

 private:
  int64_t width_;
};

class Softmax : public Loss {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };
  Softmax(const Options&, const Deps&) {}
};

class Pairwise : public Loss {
 public:
  struct Options {
    int64_t negatives = 1;
    static void describe(Schema<Options>& schema) {
      schema.field("negatives", &Options::negatives).must_be_in(1, 1000).doc("Drawn per target.");
    }
  };
  Pairwise(const Options&, const Deps&) {}
};

struct HistoryOptions {
  int64_t max_length = 50;
  Component<Encoder> encoder;
  static void describe(Schema<HistoryOptions>& schema) {
    schema.field("max_length", &HistoryOptions::max_length).positive().doc("Newest items read.");
    schema.field("encoder", &HistoryOptions::encoder).required().doc("What reads them.");
  }
};

struct IdOptions {
  bool sparse = false;
  static void describe(Schema<IdOptions>& schema) {
    schema.field("sparse", &IdOptions::sparse).doc("Update touched rows only.");
  }
};

struct UserOptions {
  std::optional<IdOptions> id;
  std::optional<HistoryOptions> history;
  static void describe(Schema<UserOptions>& schema) {
    schema.field("id", &UserOptions::id).doc("A vector for each user.");
    schema.field("history", &UserOptions::history).doc("The user as a list of items.");
    schema.invariant("needs `id`, `history` or both",
                     [](const UserOptions& o) { return o.id || o.history; });
  }
};

class TwoTower : public Model {
 public:
  struct Options {
    int64_t dim = 64;
    UserOptions user;
    Component<Encoder> scorer;
    std::vector<Component<Loss>> objectives;
    static void describe(Schema<Options>& schema) {
      schema.field("dim", &Options::dim).positive().doc("Width.");
      schema.field("user", &Options::user).required().doc("What a user is.");
      schema.field("scorer", &Options::scorer).default_type("gru").doc("How it scores.");
      schema.field("objectives", &Options::objectives)
          .required()
          .non_empty()
          .doc("What is minimised.");
    }
  };
  TwoTower(const Options&, const Deps&) {}
};

class Popularity : public Model {
 public:
  struct Options {
    static void describe(Schema<Options>&) {}
  };
  Popularity(const Options&, const Deps&) {}
};

struct FileOptions {
  std::string path;
  std::vector<std::string> columns = {"user", "item"};
  std::map<std::string, Activation> types;
  static void describe(Schema<FileOptions>& schema) {
    schema.field("path", &FileOptions::path).required().non_empty().doc("Where it is.");
    schema.field("columns", &FileOptions::columns).non_empty().doc("Names of columns.");
    schema.field("types", &FileOptions::types).doc("Types by column.");
  }
};

struct DataOptions {
  std::map<std::string, FileOptions> files;
  std::string mode = "refuse";
  static void describe(Schema<DataOptions>& schema) {
    schema.field("files", &DataOptions::files).required().non_empty().doc("Files by role.");
    schema.field("mode", &DataOptions::mode).one_of({"refuse", "skip"}).doc("What to do.");
  }
};

struct TrainingOptions {
  double lr = 1e-3;
  std::array<double, 2> betas = {0.9, 0.98};
  uint64_t seed = 0;
  std::optional<double> clip;
  Duration save_every{600};
  ByteSize memory{512 << 20};
  std::vector<int64_t> seeds = {1};
  std::string name = "run";
  static void describe(Schema<TrainingOptions>& schema) {
    schema.field("lr", &TrainingOptions::lr).positive().doc("Learning rate.");
    schema.field("betas", &TrainingOptions::betas).must_be_in(0.0, 1.0).doc("Momenta.");
    schema.field("seed", &TrainingOptions::seed).doc("Where randomness begins.");
    schema.field("clip", &TrainingOptions::clip).positive().doc("Largest gradient.");
    schema.field("save_every", &TrainingOptions::save_every).positive().doc("Between checkpoints.");
    schema.field("memory", &TrainingOptions::memory)
        .at_least(ByteSize{1 << 20})
        .doc("At most this.");
    schema.field("seeds", &TrainingOptions::seeds).non_empty().at_least(0).doc("Runs.");
    schema.field("name", &TrainingOptions::name)
        .must_be(
            "without blanks", [](const std::string& v) { return v.find(' ') == v.npos; }, "a b")
        .doc("Of the run.");
  }
};

struct Experiment {
  DataOptions data;
  Component<Model> model;
  TrainingOptions training;
  static void describe(Schema<Experiment>& schema) {
    schema.field("data", &Experiment::data).required().doc("What is learnt from.");
    schema.field("model", &Experiment::model).required().doc("What is learnt.");
    schema.field("training", &Experiment::training).doc("How it is learnt.");
  }
};

inline Catalog catalog() {
  Catalog catalog;
  catalog.add<Transformer>("transformer", "Attention.");
  catalog.add<Gru>("gru", "Recurrence.");
  catalog.add<Softmax>("softmax", "Over all items.");
  catalog.add<Pairwise>("pairwise", "Against negatives.");
  catalog.add<TwoTower>("two_tower", "Two sides.");
  catalog.add<Popularity>("popularity", "What most chose.");
  return catalog;
}

inline const char* kExperiment = R"(
data:
  files:
    interactions: {path: a.tsv, types: {x: relu}}
model:
  family: two_tower
  user:
    history:
      encoder: {type: transformer, num_heads: 4}
  objectives: [softmax, {type: pairwise, weight: 2}]
training: {lr: 3e-4, clip: 1}
)";

}  // namespace reckon::toy
