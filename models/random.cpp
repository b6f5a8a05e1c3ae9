#include "models/random.h"

#include <limits>

#include "core/random.h"

namespace reckon {
namespace {

constexpr int64_t kMask31 = 0x7fffffff;

// One round of a 31-bit multiply-xorshift mix; products stay below 2^62, so that int64 never
// overflows, and all of it are tensor operations that a trace keeps.
torch::Tensor mix(const torch::Tensor& x) {
  auto y = x.bitwise_xor(x.__rshift__(15));   // [...]
  y = (y * 0x2c1b3c6d).bitwise_and(kMask31);  // [...]
  y = y.bitwise_xor(y.__rshift__(12));        // [...]
  y = (y * 0x297a2d39).bitwise_and(kMask31);  // [...]
  return y.bitwise_xor(y.__rshift__(15));     // [...]
}

}  // namespace

void Random::Options::describe(Schema<Options>& schema) {
  schema.field("seed", &Options::seed).at_least(0).doc("Another seed is another ranking.");
}

Random::Random(const Options& options, const Deps& deps)
    : num_items_(deps.num_items), seed_(options.seed) {}

double Random::fit(const Interactions&, const Context&) {
  return std::numeric_limits<double>::quiet_NaN();
}

Contract Random::contract() const { return {.known_user = true, .new_user_with_history = true}; }

State Random::encode(const Batch& request) {
  const auto users = request.at(batch_key::kUsers);  // [B]
  // Two halves, so that seeds are not the same rankings shifted from user to user.
  const auto bits = mix64(static_cast<uint64_t>(seed_));
  const auto low = static_cast<int64_t>(bits & kMask31);
  const auto high = static_cast<int64_t>((bits >> 31) & kMask31);
  const auto keys = mix((users + low).bitwise_and(kMask31));  // [B]
  return {{mix(keys.bitwise_xor(high))}};                     // [B]
}

torch::Tensor Random::score(const State& state, const torch::Tensor& candidates) {
  const auto keys = state.tensors[0].unsqueeze(1).bitwise_xor(mix(candidates + 101));  // [B, C]
  // 24 bits are what a float holds exactly.
  return mix(keys).bitwise_and(0xffffff).to(torch::kFloat) / 16777216.0;  // [B, C]
}

}  // namespace reckon
