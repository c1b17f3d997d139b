// The one place that says which way a value goes at a node.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "ir/tree.hpp"

namespace leafshap {

// LightGBM's kZeroThreshold: the float constant, compared in double.
inline constexpr double kZeroThreshold = static_cast<double>(1e-35f);

// Codes at or above this are no category: the largest int32, so that the cast below is defined.
// No library's sets reach it.
inline constexpr double kCategoryEnd = 2147483647.0;
inline constexpr std::int32_t kNoCategory = -1;

// x as the ensemble's library sees it: rounded, and NaN if it equals the model's missing value.
template <typename T>
double read_value(const InputRule& rule, T x) {
  const double value =
      rule.precision == Precision::kFloat32 ? static_cast<float>(x) : static_cast<double>(x);
  return value == rule.missing_value ? std::numeric_limits<double>::quiet_NaN() : value;
}

inline bool is_missing(Missing policy, double x) {
  switch (policy) {
    case Missing::kNan:
      return std::isnan(x);
    case Missing::kZero:
      return std::isnan(x) || std::fabs(x) <= kZeroThreshold;
    case Missing::kNanAsZero:
      return false;
  }
  return false;
}

// The value a node compares, once it is known not to be missing.
inline double present_value(Missing policy, double x) {
  return policy == Missing::kNanAsZero && std::isnan(x) ? 0.0 : x;
}

inline std::int32_t category_code(CategoryRule rule, double x) {
  if (!(std::fabs(x) < kCategoryEnd)) return kNoCategory;
  if (rule == CategoryRule::kNonNegative && x < 0) return kNoCategory;
  const auto code = static_cast<std::int32_t>(x);
  return code < 0 ? kNoCategory : code;
}

inline bool below(Comparison comparison, double x, double threshold) {
  return comparison == Comparison::kLess ? x < threshold : x <= threshold;
}

// Does the value x (from read_value) go left at the global node?
inline bool goes_left(const TreeEnsemble& e, Index node, double x) {
  const Missing policy = e.missing[node];
  if (is_missing(policy, x)) return e.default_left[node] != 0;
  const double value = present_value(policy, x);
  if (e.split_kind[node] == SplitKind::kNumeric) {
    return below(e.input.comparison, value, e.threshold[node]);
  }
  const auto set = e.category_set(node);
  const std::int32_t code = category_code(e.input.category_rule, value);
  const bool member = std::binary_search(set.begin(), set.end(), code);
  return member == (e.split_kind[node] == SplitKind::kMembersLeft);
}

}  // namespace leafshap
