#include "kernels/skip_gram.h"

#include <vector>

#include "kernels/cpu_features.h"
#include "kernels/skip_gram_loop.h"

namespace reckon {

namespace {

void check_node_table(const char* name, const torch::Tensor& table) {
  TORCH_CHECK(table.dim() == 2 && table.is_contiguous() && table.is_cpu() &&
                  table.scalar_type() == torch::kFloat,
              "skip_gram_update: expected ", name,
              " [nodes, D] float32, contiguous on the CPU, got ", table.sizes(), " ",
              table.scalar_type());
}

}  // namespace

double skip_gram_update(const torch::Tensor& vectors, const torch::Tensor& contexts,
                        std::span<const SkipGramPair> pairs, std::span<const int32_t> negatives,
                        double lr) {
  check_node_table("vectors", vectors);
  check_node_table("contexts", contexts);
  TORCH_CHECK(vectors.sizes() == contexts.sizes(), "skip_gram_update: vectors are ",
              vectors.sizes(), ", contexts ", contexts.sizes());
  if (pairs.empty()) return 0.0;
  TORCH_CHECK(negatives.size() % pairs.size() == 0,
              "skip_gram_update: expected as many negatives for each of ", pairs.size(),
              " pairs, got ", negatives.size());
  static_assert(sizeof(SkipGramPair) == 2 * sizeof(int32_t), "the loops read them as pairs");
  using namespace skip_gram_detail;
  const Tables tables{vectors.data_ptr<float>(), contexts.data_ptr<float>(), vectors.size(1)};
  const Examples examples{reinterpret_cast<const int32_t*>(pairs.data()), negatives.data(),
                          static_cast<int64_t>(pairs.size()),
                          static_cast<int64_t>(negatives.size() / pairs.size())};
  std::vector<float> scratch(static_cast<size_t>(tables.width));
  const auto learn = for_active_simd(learn_portable, learn_avx2, learn_avx512);
  return learn(tables, examples, static_cast<float>(lr), scratch.data());
}

}  // namespace reckon
