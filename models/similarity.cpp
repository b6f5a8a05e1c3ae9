#include "models/similarity.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/row_pairs.h"
#include "models/interaction_matrix.h"

namespace reckon {

namespace {

bool is_weighted(Similarity measure) {
  return measure == Similarity::kCosine || measure == Similarity::kAsymmetricCosine;
}

// How many elements each column has.
std::vector<int64_t> column_counts(const SparseRows& rows, int64_t num_columns) {
  std::vector<int64_t> counts(static_cast<size_t>(num_columns));
  const auto* column = rows.columns.const_data_ptr<int32_t>();
  for (int64_t e = 0; e < rows.columns.size(0); ++e) ++counts[static_cast<size_t>(column[e])];
  return counts;
}

// value(row, column, element) in the place of each element.
template <class Value>
SparseRows mapped(const SparseRows& rows, const Value& value) {
  SparseRows out{rows.offsets, rows.columns, torch::empty_like(rows.values)};  // [E]
  const auto* offset = rows.offsets.const_data_ptr<int64_t>();
  const auto* column = rows.columns.const_data_ptr<int32_t>();
  const auto* from = rows.values.const_data_ptr<float>();
  auto* to = out.values.data_ptr<float>();
  for (int64_t r = 0; r < rows.num_rows(); ++r)
    for (int64_t e = offset[r]; e < offset[r + 1]; ++e)
      to[e] = static_cast<float>(value(r, static_cast<size_t>(column[e]), from[e]));
  return out;
}

std::vector<double> row_sums(const SparseRows& rows, bool of_squares) {
  std::vector<double> sums(static_cast<size_t>(rows.num_rows()));
  const auto* offset = rows.offsets.const_data_ptr<int64_t>();
  const auto* value = rows.values.const_data_ptr<float>();
  for (size_t r = 0; r < sums.size(); ++r)
    for (int64_t e = offset[r]; e < offset[r + 1]; ++e) {
      const double v = value[e];
      sums[r] += of_squares ? v * v : v;
    }
  return sums;
}

// Each element minus the mean of its column.
SparseRows centred(const SparseRows& rows, int64_t num_columns) {
  const auto counts = column_counts(rows, num_columns);
  std::vector<double> means(counts.size());
  const auto* column = rows.columns.const_data_ptr<int32_t>();
  const auto* value = rows.values.const_data_ptr<float>();
  for (int64_t e = 0; e < rows.columns.size(0); ++e)
    means[static_cast<size_t>(column[e])] += value[e];
  for (size_t c = 0; c < counts.size(); ++c)
    means[c] /= static_cast<double>(std::max<int64_t>(1, counts[c]));
  return mapped(rows, [&](int64_t, size_t c, float v) { return v - means[c]; });
}

double correlation(const PairMoments& s) {
  const double n = s.count, x = s.own, y = s.other;
  const double own = n * s.own_squares - x * x, other = n * s.other_squares - y * y;
  // What rounding leaves of ratings that are all the same is no variance.
  constexpr double kLeast = 1e-6;
  if (own <= kLeast * n * s.own_squares || other <= kLeast * n * s.other_squares) return 0.0;
  return (n * s.product - x * y) / std::sqrt(own * other);
}

double common_cosine(const PairMoments& s) {
  const double squares = static_cast<double>(s.own_squares) * s.other_squares;
  return squares > 0.0 ? s.product / std::sqrt(squares) : 0.0;
}

double closeness(const PairMoments& s) {
  const double squares =
      std::max(0.0, static_cast<double>(s.own_squares) + s.other_squares - 2.0 * s.product);
  return 1.0 / (1.0 + squares / s.count);
}

}  // namespace

void SimilarityOptions::describe(Schema<SimilarityOptions>& schema) {
  using Options = SimilarityOptions;
  schema.field("measure", &Options::measure)
      .doc(
          "How alike two rows are. adjusted_cosine, pearson and msd compare the ratings that both "
          "have, jaccard the sets, the cosines what `weighting` says.");
  schema.field("weighting", &Options::weighting)
      .doc(
          "What an element counts for in a cosine: 1, the number of interactions, the rating, or "
          "less for what many have (tf_idf, bm25, degree).");
  schema.field("alpha", &Options::alpha)
      .must_be_in(0.0, 1.0)
      .doc(
          "Exponent of the norm of the row that is asked for, in asymmetric_cosine; the other's is "
          "1 - alpha.");
  schema.field("bm25_k1", &Options::bm25_k1).at_least(0.0).doc("How slowly BM25 saturates.");
  schema.field("bm25_b", &Options::bm25_b)
      .must_be_in(0.0, 1.0)
      .doc("How much BM25 looks at the length of a row.");
  schema.field("degree_power", &Options::degree_power)
      .at_least(0.0)
      .doc("Exponent of the weighting degree.");
  schema.field("shrinkage", &Options::shrinkage)
      .at_least(0.0)
      .doc("Common elements at which a similarity counts half.");
  schema.field("min_support", &Options::min_support)
      .at_least(1)
      .doc("Common elements below which two rows are no neighbors.");
  schema.invariant("weighting", "is what the cosines weigh; other measures know what they compare",
                   [](const Options& o) {
                     return is_weighted(o.measure) || o.weighting == Weighting::kOnes;
                   });
}

bool SimilarityOptions::compares_ratings() const {
  return measure == Similarity::kAdjustedCosine || measure == Similarity::kPearson ||
         measure == Similarity::kMsd || weighting == Weighting::kRatings;
}

SparseRows matrix_to_compare(const Interactions& train, const SimilarityOptions& options) {
  if (options.compares_ratings()) return interaction_matrix(train, Worth::kRating);
  const bool counts = is_weighted(options.measure) && options.weighting != Weighting::kOnes &&
                      options.weighting != Weighting::kDegree;
  return interaction_matrix(train, counts ? Worth::kCount : Worth::kOne);
}

SparseRows weighted(const SparseRows& rows, int64_t num_columns, const SimilarityOptions& options) {
  const auto weighting = options.weighting;
  if (weighting == Weighting::kOnes || weighting == Weighting::kCounts ||
      weighting == Weighting::kRatings)
    return rows;
  const auto counts = column_counts(rows, num_columns);
  if (weighting == Weighting::kDegree)
    return mapped(rows, [&](int64_t, size_t c, float) {
      return std::pow(static_cast<double>(counts[c]), -options.degree_power);
    });
  std::vector<double> idf(counts.size());
  for (size_t c = 0; c < idf.size(); ++c)
    idf[c] =
        std::log(static_cast<double>(rows.num_rows())) - std::log1p(static_cast<double>(counts[c]));
  if (weighting == Weighting::kTfIdf)
    return mapped(rows, [&](int64_t, size_t c, float v) {
      return std::sqrt(static_cast<double>(v)) * idf[c];
    });
  const auto lengths = row_sums(rows, /*of_squares=*/false);
  double mean = 0.0;
  for (const double length : lengths) mean += length;
  mean /= static_cast<double>(std::max<size_t>(1, lengths.size()));
  const double k1 = options.bm25_k1, b = options.bm25_b;
  return mapped(rows, [&](int64_t r, size_t c, float v) {
    const double length = lengths[static_cast<size_t>(r)] / mean;
    return v * (k1 + 1.0) / (v + k1 * (1.0 - b + b * length)) * idf[c];
  });
}

SparseRows similar_rows(const SparseRows& rows, int64_t num_columns,
                        const SimilarityOptions& options, int64_t k) {
  const auto support = static_cast<int32_t>(
      std::min<int64_t>(options.min_support, std::numeric_limits<int32_t>::max()));
  const double shrinkage = options.shrinkage;
  const auto search = [&]<class Sums>(const SparseRows& compared, const auto& similarity) {
    return most_similar_rows<Sums>(compared, transpose(compared, num_columns), k,
                                   [&](int64_t row, int64_t other, const Sums& sums) {
                                     if (sums.count < support) return 0.0f;
                                     const double value = similarity(row, other, sums);
                                     return static_cast<float>(
                                         shrinkage > 0.0
                                             ? value * (sums.count / (sums.count + shrinkage))
                                             : value);
                                   });
  };
  switch (options.measure) {
    case Similarity::kCosine:
    case Similarity::kAsymmetricCosine: {
      const auto compared = weighted(rows, num_columns, options);
      const double alpha = options.measure == Similarity::kCosine ? 0.5 : options.alpha;
      // One factor for each place in a pair, so that a pair costs two products.
      auto own = row_sums(compared, /*of_squares=*/true), other = own;
      for (auto& squares : own) squares = squares > 0.0 ? std::pow(squares, -alpha) : 0.0;
      for (auto& squares : other) squares = squares > 0.0 ? std::pow(squares, alpha - 1.0) : 0.0;
      return search.operator()<PairProduct>(compared, [&](int64_t row, int64_t at,
                                                          const PairProduct& sums) {
        return sums.product * own[static_cast<size_t>(row)] * other[static_cast<size_t>(at)];
      });
    }
    case Similarity::kJaccard: {
      const auto* offset = rows.offsets.const_data_ptr<int64_t>();
      return search.operator()<PairProduct>(rows, [offset](int64_t row, int64_t other,
                                                           const PairProduct& sums) {
        const auto size = [offset](int64_t r) { return offset[r + 1] - offset[r]; };
        return sums.count / static_cast<double>(size(row) + size(other) - sums.count);
      });
    }
    case Similarity::kAdjustedCosine:
      return search.operator()<PairMoments>(centred(rows, num_columns),
                                            [](int64_t, int64_t, const PairMoments& sums) {
                                              return common_cosine(sums);
                                            });
    case Similarity::kPearson:
      return search.operator()<PairMoments>(rows, [](int64_t, int64_t, const PairMoments& sums) {
        return correlation(sums);
      });
    case Similarity::kMsd:
      return search.operator()<PairMoments>(rows, [](int64_t, int64_t, const PairMoments& sums) {
        return closeness(sums);
      });
  }
  TORCH_CHECK(false, "similar_rows: an unknown measure");
}

}  // namespace reckon
