#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/catalog.h"
#include "training/gradient.h"
#include "training/workers.h"

namespace torch::nn {
class Module;
}

namespace reckon {

class EmbeddingTableImpl;

/// Parameters that are told apart by what they are for.
enum class ParameterRole { kBiases, kNorms, kEmbeddings };

template <>
struct EnumNames<ParameterRole> {
  static std::vector<std::pair<std::string, ParameterRole>> all() {
    return {{"biases", ParameterRole::kBiases},
            {"norms", ParameterRole::kNorms},
            {"embeddings", ParameterRole::kEmbeddings}};
  }
};

/// Parameters that are updated in their own way.
struct ParameterGroup {
  std::vector<std::string> parameters;
  double lr_scale = 1.0;
  std::optional<double> weight_decay;
  static void describe(Schema<ParameterGroup>& schema);
};

/// A parameter as an optimiser sees it.
struct OptimizedParameter {
  std::string name;
  torch::Tensor tensor;
  double lr_scale = 1.0;
  std::optional<double> weight_decay;  ///< In place of the optimiser's own.
  /// Of the weight of a table: it alone lets rows be written. Null for any other parameter.
  std::shared_ptr<EmbeddingTableImpl> table = nullptr;
};

/// Turns gradients into steps; the state is plain tensors by name.
///
/// Dense gradients take torch's fused operations, cut into pieces of a fixed size that any worker may
/// execute; sparse ones touch their rows only (lazily: what belongs to other rows waits), through
/// EmbeddingTable::apply_gradient where they are of a table. A parameter
/// without a gradient is left alone. State of a parameter that has grown is padded with zeros.
class Optimizer {
 public:
  using Kind = Optimizer;
  static constexpr const char* kKind = "optimizer";
  struct Deps {
    std::vector<OptimizedParameter> parameters;
  };
  /// Keys that every optimiser takes beside its own.
  struct Common {
    std::vector<ParameterRole> no_decay;
    std::vector<ParameterGroup> groups;
    static void describe(Schema<Common>& schema);
  };

  virtual ~Optimizer() = default;

  /// One step with learning rate lr() * `lr_factor`.
  ///
  /// `gradients` has one entry for each parameter, in their order.
  /// Throws   c10::Error when shapes do not fit.
  void step(const std::vector<Gradient>& gradients, double lr_factor, WorkerPool& workers);

  /// The learning rate of the config, before any schedule.
  virtual double lr() const = 0;

  const std::vector<OptimizedParameter>& parameters() const { return parameters_; }

  /// `exp_avg/items.weight` and so on: tensors that share memory with the optimiser.
  std::map<std::string, torch::Tensor> state() const;

  /// Throws   std::invalid_argument naming what is missing, left over or of another shape.
  void load(const std::map<std::string, torch::Tensor>& state);

 protected:
  explicit Optimizer(const Deps& deps);

  /// One kind of state: `row_wise` has one number for each row of a sparse parameter.
  struct StateSpec {
    std::string name;
    bool row_wise = false;
    double initial = 0.0;
  };
  /// Pieces of several parameters that share their numbers.
  struct DensePieces {
    std::vector<torch::Tensor> weights, gradients, steps;
    std::vector<std::vector<torch::Tensor>> states;  ///< By state, then piece.
    double lr = 0.0;
    double weight_decay = 0.0;
  };
  struct RowPieces {
    std::shared_ptr<EmbeddingTableImpl> table;  ///< Null where the parameter is of none.
    torch::Tensor weight;                       // [R_all, D]
    torch::Tensor rows, values;                 // [R], [R, D]
    std::vector<torch::Tensor> states;          // each [R_all, D] or [R_all]
    int64_t step = 0;                           ///< Counts from 1.
    double lr = 0.0;
    double weight_decay = 0.0;
  };

  virtual std::vector<StateSpec> state_specs(bool is_sparse) const = 0;
  virtual double weight_decay() const = 0;
  virtual void update(const DensePieces& pieces) const = 0;
  virtual void update_rows(const RowPieces& pieces) const = 0;

 private:
  struct Slot {
    torch::Tensor step;  // [] float32: how often this parameter was updated; undefined before
    std::vector<StateSpec> specs;
    std::vector<torch::Tensor> states;
  };
  void prepare(size_t index, bool is_sparse);
  torch::Tensor make_state(size_t index, const StateSpec& spec) const;

  std::vector<OptimizedParameter> parameters_;
  std::vector<Slot> slots_;
};

/// The parameters of a model that are trained, with what `common` says of each.
///
/// Throws   MisfitError with each pattern that fits none of them (`groups[0].parameters[1]`), and the
///          names there are.
std::vector<OptimizedParameter> trained_parameters(const torch::nn::Module& model,
                                                   const Optimizer::Common& common);

/// Whether a name fits a pattern in which `*` stands for any text.
bool matches(const std::string& name, const std::string& pattern);

}  // namespace reckon
