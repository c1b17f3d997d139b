// The tree IR: an immutable structure of arrays that holds any tree ensemble whose splits are
// numeric or categorical tests of one feature. Only build_ensemble (builder.hpp) hands one out, as
// a pointer to const, so whoever holds it may rely on every invariant stated here.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "types.hpp"

namespace leafshap {

// A numeric node sends x left if x < threshold (XGBoost) or x <= threshold (the others).
enum class Comparison : std::uint8_t { kLess, kLessEqual };

// The precision that x is rounded to before it is compared; thresholds stay in double.
enum class Precision : std::uint8_t { kFloat32, kFloat64 };

// What goes to a node's default side.
enum class Missing : std::uint8_t {
  kNan = 0,        // NaN
  kZero = 1,       // NaN and |x| <= 1e-35f (LightGBM zero_as_missing)
  kNanAsZero = 2,  // nothing: NaN is read as 0.0 and compared
};

enum class SplitKind : std::uint8_t { kNumeric = 0, kMembersLeft = 1, kMembersRight = 2 };

// How a real value becomes a category code.
enum class CategoryRule : std::uint8_t {
  kTruncate,     // toward zero, so that -0.5 is category 0 (LightGBM)
  kNonNegative,  // truncated too, but every negative value is no category (XGBoost)
};

// How all splits of an ensemble read a value.
struct InputRule {
  Comparison comparison = Comparison::kLessEqual;
  Precision precision = Precision::kFloat64;
  CategoryRule category_rule = CategoryRule::kNonNegative;
  double missing_value = std::numeric_limits<double>::quiet_NaN();  // also counts as missing
};

// T trees, N nodes in all, K outputs. Children are indices within their tree; a tree's root is
// its node 0; every node is reached from its root by exactly one path.
struct TreeEnsemble {
  Index n_features = 0;
  OutputId n_outputs = 1;
  InputRule input;
  bool averaged = false;       // prediction is the mean over the trees used
  bool has_cover = false;      // absent is not zero
  bool vector_leaves = false;  // every leaf holds K values; else one, for tree_output[t]

  std::vector<Index> tree_offsets;    // (T + 1)
  std::vector<OutputId> tree_output;  // (T), -1 with vector leaves
  std::vector<double> tree_weight;    // (T), multiplies the leaf values
  std::vector<double> base_values;    // (K), added once

  std::vector<FeatureId> split_feature;  // (N), -1 at a leaf
  std::vector<NodeId> left, right;       // (N), -1 at a leaf
  std::vector<double> threshold;         // (N)
  std::vector<std::uint8_t> default_left;
  std::vector<Missing> missing;
  std::vector<SplitKind> split_kind;
  std::vector<Index> category_offsets;       // (N + 1), or empty if no split is categorical
  std::vector<std::int32_t> category_codes;  // sorted within a node
  std::vector<double> cover;                 // (N), or empty without cover
  std::vector<double> leaf_values;           // (N) or (N, K)

  Index n_trees() const { return static_cast<Index>(tree_weight.size()); }
  Index n_nodes() const { return static_cast<Index>(split_feature.size()); }
  bool has_categories() const { return !category_offsets.empty(); }

  // Number of values a leaf holds, and where they start.
  OutputId leaf_width() const { return vector_leaves ? n_outputs : 1; }
  const double* leaf(Index node) const { return leaf_values.data() + node * leaf_width(); }

  std::span<const std::int32_t> category_set(Index node) const {
    const Index begin = category_offsets[node];
    return {category_codes.data() + begin,
            static_cast<std::size_t>(category_offsets[node + 1] - begin)};
  }

  // The weight of a tree when the first n_used trees are used.
  double weight(Index tree, Index n_used) const {
    return averaged
               ? tree_weight[tree] * static_cast<double>(n_trees()) / static_cast<double>(n_used)
               : tree_weight[tree];
  }

  // Fraction of the parent's cover that flows to the left child. A parent without cover has no
  // information about its children, so both get one half (as XGBoost does).
  double left_ratio(Index tree_offset, NodeId node) const {
    const double l = cover[tree_offset + left[tree_offset + node]];
    const double r = cover[tree_offset + right[tree_offset + node]];
    return l + r > 0 ? l / (l + r) : 0.5;
  }
};

}  // namespace leafshap
