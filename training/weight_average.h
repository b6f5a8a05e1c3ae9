#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "training/optimizer.h"

namespace reckon {

/// Moving averages of the trained weights over the steps of a run, which wander less than the weights (in
/// the manner of Polyak, Juditsky, "Acceleration of Stochastic Approximation by Averaging", SIAM Journal on
/// Control and Optimization 1992):
///
///   average <- d average + (1 - d) weight   after step n = 1, 2, ...,   d = min(decay, (1 + n) / (10 + n))
///
/// so that it soon forgets the weights that were drawn. All rows of a table are gone over at each step.
class WeightAverage {
 public:
  /// Begins with the weights as they are.   Ranges   decay in (0, 1)
  WeightAverage(double decay, const std::vector<OptimizedParameter>& parameters);

  /// Takes the weights after step `num_steps`, which counts from 1.
  void update(int64_t num_steps);

  /// Puts the averages in the place of the weights and keeps those; at the next call the other way round.
  void exchange();

  /// Copies by name, with the averages where the weights are not exchanged: `average/NAME`, and the weights
  /// as `weight/NAME`, since a checkpoint of a model holds its averages.
  std::map<std::string, torch::Tensor> state() const;

  /// Whether state() has a tensor of that name.
  static bool owns(const std::string& name);

  /// Puts both back, the weights into the model.
  /// Throws   std::invalid_argument that names what is missing, left over or of another shape; both are then
  ///          as they were.
  void load(const std::map<std::string, torch::Tensor>& state);

 private:
  double decay_;
  std::vector<OptimizedParameter> parameters_;
  std::vector<torch::Tensor> averages_;  // of each parameter
};

}  // namespace reckon
