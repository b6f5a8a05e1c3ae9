#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace reckon {

/// Names of the tensors in a batch. B rows, T history length, N negatives, P = the negatives' `per`.
namespace batch_key {
inline constexpr const char* kUsers = "users";      // [B] int64 dense user ids
inline constexpr const char* kHistory = "history";  // [B, T] int64, left-padded with kPaddingId
// Of requests alone: the user given by what describes it (models/feature_encoding.h), in place of the id.
inline constexpr const char* kUserCodes = "user_codes";      // [B, L] int64
inline constexpr const char* kUserNumbers = "user_numbers";  // [B, N] float64
inline constexpr const char* kTargets = "targets";  // [B] or [B, T] int64; kPaddingId: no target
inline constexpr const char* kLabels = "labels";    // like targets, float32
inline constexpr const char* kWeights = "weights";  // like targets, float32
inline constexpr const char* kNegatives = "negatives";          // [N], [B, N] or [B, T, N] int64
inline constexpr const char* kTargetLogQ = "target_log_q";      // like targets, float32
inline constexpr const char* kNegativeHits = "negative_hits";   // [B, N] bool, of negatives [N]
inline constexpr const char* kNegativeLogQ = "negative_log_q";  // like negatives, float32
inline constexpr const char* kTargetLogFrequency = "target_log_frequency";  // like targets, float32

/// The name of kNegatives, kNegativeHits, kTargetLogQ or kNegativeLogQ for one of several streams of negatives: the
/// first has the plain one.
std::string of_stream(const char* name, size_t stream);
}  // namespace batch_key

/// Named tensors, one row for each example: a training batch, a shard of one, or a request.
class Batch {
 public:
  Batch() = default;
  explicit Batch(int64_t size) : size_(size) {}

  int64_t size() const { return size_; }
  bool has(const std::string& name) const { return tensors_.count(name) != 0; }

  /// Throws c10::Error naming what the batch does hold when `name` is not in it.
  const torch::Tensor& at(const std::string& name) const;

  /// An undefined tensor when `name` is not in the batch.
  torch::Tensor find(const std::string& name) const;

  void set(const std::string& name, torch::Tensor tensor) { tensors_[name] = std::move(tensor); }
  const std::map<std::string, torch::Tensor>& tensors() const { return tensors_; }

  Batch to(const torch::Device& device) const;

 private:
  int64_t size_ = 0;
  std::map<std::string, torch::Tensor> tensors_;
};

/// The data of one optimiser step, cut into shards that worker threads execute.
struct StepBatch {
  std::vector<Batch> shards;
  int64_t num_examples = 0;
  int64_t num_targets = 0;  ///< Positions that are learnt from; padding is not counted.
};

}  // namespace reckon
