#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/schema.h"
#include "datasets/interactions.h"
#include "kernels/sparse_rows.h"

namespace reckon {

/// How alike two rows are; neighbourhood models say it of items or of users. The formulas stand at
/// SimilarityOptions.
enum class Similarity { kCosine, kAdjustedCosine, kPearson, kJaccard, kAsymmetricCosine, kMsd };

/// What an element of a row counts for in a cosine.
enum class Weighting { kOnes, kCounts, kRatings, kTfIdf, kBm25, kDegree };

template <>
struct EnumNames<Similarity> {
  static std::vector<std::pair<std::string, Similarity>> all() {
    return {{"cosine", Similarity::kCosine},
            {"adjusted_cosine", Similarity::kAdjustedCosine},
            {"pearson", Similarity::kPearson},
            {"jaccard", Similarity::kJaccard},
            {"asymmetric_cosine", Similarity::kAsymmetricCosine},
            {"msd", Similarity::kMsd}};
  }
};

template <>
struct EnumNames<Weighting> {
  static std::vector<std::pair<std::string, Weighting>> all() {
    return {{"ones", Weighting::kOnes},       {"counts", Weighting::kCounts},
            {"ratings", Weighting::kRatings}, {"tf_idf", Weighting::kTfIdf},
            {"bm25", Weighting::kBm25},       {"degree", Weighting::kDegree}};
  }
};

/// Which rows of a matrix are alike. Of rows x and y, with sums over all columns where nothing else is
/// said, and over the n columns that both hold where it says `common`:
///
///   cosine             sum xy / sqrt(sum x^2 sum y^2)
///   asymmetric_cosine  sum xy / ((sum x^2)^alpha (sum y^2)^(1 - alpha)), Aiolli, RecSys 2013
///   jaccard            n / (|x| + |y| - n)
///   adjusted_cosine    cosine of common ratings, each minus its column's mean, Sarwar et al., WWW 2001
///   pearson            correlation of common ratings
///   msd                1 / (1 + mean of (x - y)^2 over common ratings), Shardanand, Maes, CHI 1995
///
/// times n / (n + shrinkage), Bell, Koren, ICDM 2007. Elements of the two cosines over all columns:
///
///   ones      1
///   counts    c, how many interactions there are, or the sum of their weights
///   ratings   the rating
///   tf_idf    sqrt(c) idf,  idf of a column = ln(number of rows) - ln(1 + its elements)
///   bm25      c (k1 + 1) / (c + k1 (1 - b + b l / mean l)) idf,  l = sum of a row's c,
///             Robertson, Walker, SIGIR 1994
///   degree    1 / (elements of its column)^degree_power
///
/// In x stands the row that is asked for. What is not above zero is no neighbour.
struct SimilarityOptions {
  Similarity measure = Similarity::kCosine;
  Weighting weighting = Weighting::kOnes;
  double alpha = 0.5;
  double bm25_k1 = 1.2;
  double bm25_b = 0.75;
  double degree_power = 0.25;
  double shrinkage = 0.0;
  int64_t min_support = 1;

  bool compares_ratings() const;
  static void describe(Schema<SimilarityOptions>& schema);
};

/// What stands in the matrix that similar_rows() takes.   Shapes   -> users by items
/// Throws   std::invalid_argument when ratings are compared and the data has none.
SparseRows matrix_to_compare(const Interactions& train, const SimilarityOptions& options);

/// Rows as the cosines over all columns see them, by the options' weighting.
SparseRows weighted(const SparseRows& rows, int64_t num_columns, const SimilarityOptions& options);

/// For each row the k rows most similar to it, 0: all that are above zero.
/// Shapes   rows [R, C] -> [R, R]
SparseRows similar_rows(const SparseRows& rows, int64_t num_columns,
                        const SimilarityOptions& options, int64_t k);

}  // namespace reckon
