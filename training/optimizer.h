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
#include "kernels/deferred_adam.h"
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
  /// In which form the sum of its gradients is wanted where they name rows.
  RowSums row_sums = RowSums::kAlways;
};

/// Turns gradients into steps; the state is plain tensors by name.
///
/// Dense gradients take torch's fused operations, cut into pieces of a fixed size that any worker may
/// execute. Sparse ones touch their rows only, through EmbeddingTable::apply_gradient where they are of a table: for
/// good (lazily) in tables that ask for it; in others the rest of the rows makes its steps when it is read (see
/// DeferredAdam), or all of them at once where the method cannot put them off. A parameter
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

  virtual ~Optimizer();

  /// One step with learning rate lr() * `lr_factor`.
  ///
  /// `gradients` has one entry for each parameter, in their order.
  /// Throws   c10::Error when shapes do not fit.
  void step(const std::vector<Gradient>& gradients, double lr_factor, WorkerPool& workers);

  /// Makes all steps that rows have put off. Before weights are read by any way but their table, and between
  /// threads that read them.
  void settle(WorkerPool& workers);

  /// The learning rate of the config, before any schedule.
  virtual double lr() const = 0;

  const std::vector<OptimizedParameter>& parameters() const { return parameters_; }

  /// `exp_avg/items.weight` and so on: tensors that share memory with the optimiser. Steps that were put off are
  /// made before.
  std::map<std::string, torch::Tensor> state();

  /// Steps that were put off are forgotten: weights and state come together.
  /// Throws   std::invalid_argument naming what is missing, left over or of another shape.
  void load(const std::map<std::string, torch::Tensor>& state);

 protected:
  /// With `deferred`, which has neither l2 nor decay yet, the method is Adam and may put off steps of rows.
  explicit Optimizer(const Deps& deps,
                     const std::optional<DeferredAdam::Options>& deferred = std::nullopt);

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
    DeferredAdam* deferred = nullptr;           ///< Of it, where the other rows put off this step.
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
  /// Whether weight_decay() shrinks weights beside the step and is no part of the gradient.
  virtual bool is_decay_decoupled() const { return false; }

 private:
  struct Slot {
    torch::Tensor step;  // [] float32: how often this parameter was updated; undefined before
    std::vector<StateSpec> specs;
    std::vector<torch::Tensor> states;
    std::unique_ptr<DeferredAdam> deferred;  // of tables whose rows put off steps
  };
  DeferredAdam& deferred_of(size_t index);
  void prepare(size_t index, bool is_sparse);
  torch::Tensor make_state(size_t index, const StateSpec& spec) const;

  std::vector<OptimizedParameter> parameters_;
  std::vector<Slot> slots_;
  std::optional<DeferredAdam::Options> deferred_;
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
