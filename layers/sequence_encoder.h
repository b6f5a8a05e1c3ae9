#pragma once

#include <torch/nn/module.h>

#include "core/schema.h"
#include "layers/output_spec.h"

namespace reckon {

/// Turns a history of item vectors into a state after every step, from the left to the right.
///
/// Step t sees steps 0..t only (all of them where the history is a set), and never a padded one:
/// padding in front changes no valid output.
class SequenceEncoder : public torch::nn::Module {
 public:
  using Kind = SequenceEncoder;
  static constexpr const char* kKind = "encoder";
  struct Deps {
    int64_t width = 0;       ///< D of what flows in.
    int64_t max_length = 0;  ///< Longest T that is ever asked for.
  };

  /// Shapes   x [B, T, D], valid [B, T] bool (false on padding) -> [B, T, output_spec().width]
  virtual torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& valid) = 0;

  /// The same where it matters which steps hold one and the same item; most encoders look at the
  /// vectors alone.
  ///
  /// Shapes   ids [B, T] int64, alike where items are; else as forward()
  virtual torch::Tensor forward_items(const torch::Tensor& x, const torch::Tensor& valid,
                                      const torch::Tensor& ids) {
    static_cast<void>(ids);
    return forward(x, valid);
  }

  /// The state behind the last step alone, which is all that a request asks for; an encoder that can
  /// makes it for less than all of them.
  ///
  /// Shapes   as forward_items() -> [B, output_spec().width]
  virtual torch::Tensor last_state(const torch::Tensor& x, const torch::Tensor& valid,
                                   const torch::Tensor& ids) {
    return forward_items(x, valid, ids).select(1, -1);  // [B, width]
  }

  /// Whether the history is a set: forward() gives each step the state of all of it, whatever the
  /// order, and every item is learnt from the whole set in place of those before it.
  virtual bool reads_sets() const { return false; }

  /// Of a set: what each of its items is learnt from.
  ///
  /// Shapes   as forward(), or [B, 1, output_spec().width] where all are learnt from one state
  virtual torch::Tensor forward_for_targets(const torch::Tensor& x, const torch::Tensor& valid) {
    return forward(x, valid);
  }

  /// Of a set: whether its state is from_sum() of the plain sum of its vectors, which then need not
  /// be gathered side by side, with all the padding between them.
  virtual bool adds_up() const { return false; }

  /// Of a set: whether each item is learnt from the others alone.
  virtual bool leaves_out_target() const { return false; }

  /// Shapes   sum [N, D], count [N] of what it is the sum of -> [N, output_spec().width]
  /// Throws   c10::Error when adds_up() is false.
  virtual torch::Tensor from_sum(const torch::Tensor& sum, const torch::Tensor& count);

  /// Whether the last state is a sum of what each step brings, so that it can be divided among the
  /// items of a history; summands() is there then.
  virtual bool is_sum_of_steps() const { return false; }

  /// What each step brings to the last state, with `values` in place of x where x is added up:
  /// weights that x decides stay those of x. With x as `values` they add up to the state; nothing
  /// on padding.
  ///
  /// Shapes   x and values [B, T, D], valid [B, T] bool -> [B, T, output_spec().width]
  /// Throws   c10::Error when is_sum_of_steps() is false.
  virtual torch::Tensor summands(const torch::Tensor& x, const torch::Tensor& values,
                                 const torch::Tensor& valid);
  virtual OutputSpec output_spec() const = 0;
};

}  // namespace reckon
