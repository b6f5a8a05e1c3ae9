#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

namespace reckon {

/// Of which prefixes of a history something is made: all T, or the longest alone. Their number is P.
enum class Prefixes { kAll, kLongest };

/// What the session graph of each prefix says of its items.
///
/// Prefix t is steps 0..t. A node is an item, and the steps that hold it share its state. In a
/// prefix each item is spoken for by its last step there, and counts as often as it stands there;
/// the newest item, whose last step is t, stands apart. Rows of padded steps are numbers without a
/// meaning.
struct SessionStates {
  /// [B, P, D] states of the newest items.
  torch::Tensor newest;
  /// [B, P] how often each of them stands in its prefix.
  torch::Tensor newest_count;
  /// States of the other items, by step: [B, P, T, D], or [B, T, D] where a step has the same state
  /// in every prefix that it speaks in.
  torch::Tensor others;
  /// [B, P, T] how often the item of a step stands in the prefix; 0 where the step does not speak.
  torch::Tensor counts;
  /// [B, P, T] bool: which step is the newest.
  torch::Tensor is_newest;
};

/// A gated graph network over the items of a session (Li et al., "Gated Graph Sequence Neural
/// Networks", ICLR 2016), as Wu et al. (AAAI 2019) and Xu et al. (IJCAI 2019) use it.
///
/// Each two items in a row are an edge. At each of `steps`, with h the states of before,
///   a  = [mean over incoming edges of W_in h[from] + b_in; over outgoing of W_out h[to] + b_out]
///   z  = sigmoid(W_z a + U_z h),  r = sigmoid(W_r a + U_r h),  c = tanh(W_c a + r * U_c h)
///   h' = (1 - z) * h + z * c
/// where an edge counts as often as it stands in the session, and no edge gives zero. W and U have
/// biases, and r stands behind U_c, as in the authors' programs (in the papers' text: before it).
///
/// With one step the graphs of all prefixes are one computation, exactly: the state of an item
/// changes only where it comes in, as the newest item, and where its last step gets a successor;
/// that is two states for each step, in memory O(B T (T + D)). More steps carry a change along the
/// graph, so that each prefix is computed for itself: O(B P T D) for each of them.
/// Shapes   x [B, T, D], valid [B, T] bool with its padding in front, ids [B, T] int64 or undefined
///          -> see SessionStates. An item's vector is that of its first step; without ids every
///          step is an item of its own.
class SessionGraphImpl : public torch::nn::Module {
 public:
  SessionGraphImpl(int64_t width, int64_t steps);
  SessionStates forward(const torch::Tensor& x, const torch::Tensor& valid,
                        const torch::Tensor& ids, Prefixes prefixes);

 private:
  struct Steps;
  void add_one_step(SessionStates& states, const torch::Tensor& h, const Steps& steps);
  void add_several_steps(SessionStates& states, const torch::Tensor& h, const Steps& steps);

  int64_t width_;
  int64_t steps_;
  torch::nn::Linear incoming_{nullptr};  // W_in
  torch::nn::Linear outgoing_{nullptr};  // W_out
  torch::nn::Linear input_{nullptr};     // W_r, W_z, W_c in one product
  torch::nn::Linear state_{nullptr};     // U_r, U_z, U_c in one product
};
TORCH_MODULE(SessionGraph);

}  // namespace reckon
