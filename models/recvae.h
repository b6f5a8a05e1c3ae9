#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "layers/dense_set_encoder.h"
#include "models/item_sets.h"
#include "models/phased.h"

namespace reckon {

/// A variational autoencoder over sets of items that is held close to what it was (Shenbin, Alekseev,
/// Tutubalina, Malykh, Nikolenko, "RecVAE: A New Variational Autoencoder for Top-N Recommendations with
/// Implicit Feedback", WSDM 2020):
///
///   q(z | S) = N(mean, var) of a DenseSetEncoder;   log p(i | z) = log_softmax_i( <z, out[i]> + bias[i] )
///   loss(S) = -sum_(i in S) log p(i | z) + kl_weight |S| ( log q(z | S) - log p(z | S) ),  z ~ q(z | S)
///   p(z | S) = prod_d [ standard N(0, 1) + old q_old(z_d | S) + wide N(0, exp(wide_log_variance)) ]
///
/// where q_old is the encoder as it was, which gets no gradient. With `alternate` the encoder learns for
/// some epochs (or steps) alone, then is copied to q_old, and then the decoder learns alone, from sets
/// of which no item is left out; without it both learn at once and the copy is made before each epoch.
/// Nobody is stored: whoever has a history is folded in, z then being the mean. An item that a history
/// repeats counts once.
/// Shapes   I items, H hidden: tables [I, H] twice and [I, latent]
class Recvae : public ItemSetModel, public PhasedLearnable {
 public:
  /// The prior's shares, and the logarithm of the variance of its widest part.
  struct Prior {
    double standard = 0.15;
    double old = 0.75;
    double wide = 0.1;
    double wide_log_variance = 10.0;
    static void describe(Schema<Prior>& schema);
  };
  /// How long each part learns before the other does.
  struct Alternation {
    enum class Unit { kEpochs, kSteps };
    int64_t encoder = 3;
    int64_t decoder = 1;
    Unit unit = Unit::kEpochs;
    static void describe(Schema<Alternation>& schema);
  };
  struct Options {
    int64_t hidden = 600;
    int64_t num_layers = 5;
    int64_t latent = 200;
    double dropout = 0.5;
    double kl_weight = 0.005;
    Prior prior;
    std::optional<Alternation> alternate;
    static void describe(Schema<Options>& schema);
  };

  Recvae(const Options& options, const Deps& deps);

  LossParts loss(const Represented& rows, const std::vector<torch::Tensor>& shared,
                 int64_t step_number) override;

  void begin_step(int64_t step_number, int64_t steps_per_epoch) override;

 private:
  // log p(z | S), summed over dimensions.   Shapes   ids [B, T], z [B, latent] -> [B]
  torch::Tensor log_prior(const torch::Tensor& ids, const torch::Tensor& z);
  void copy_encoder();
  torch::Tensor state_of(const torch::Tensor& ids) override {
    return encoder_->forward(ids, 0.0).mean;  // [B, latent]
  }

  Options options_;
  DenseSetEncoder encoder_{nullptr};
  DenseSetEncoder old_encoder_{nullptr};  // frozen
  // What the present step teaches: both, where nobody says which step it is.
  bool encoder_learns_ = true;
  bool decoder_learns_ = true;
};

template <>
struct EnumNames<Recvae::Alternation::Unit> {
  static std::vector<std::pair<std::string, Recvae::Alternation::Unit>> all() {
    return {{"epochs", Recvae::Alternation::Unit::kEpochs},
            {"steps", Recvae::Alternation::Unit::kSteps}};
  }
};

}  // namespace reckon
