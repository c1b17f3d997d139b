// Leaf values that a dtype can add up.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include "error.hpp"
#include "types.hpp"

namespace leafshap {

// Sums of leaf values up to this stay finite.
inline double largest_leaf(std::size_t value_bytes) {
  const double largest = value_bytes == sizeof(float)
                             ? static_cast<double>(std::numeric_limits<float>::max())
                             : std::numeric_limits<double>::max();
  return largest / 1e6;
}

// Throws Unsupported if a leaf's weighted value is larger.
inline void check_leaf(double value, std::size_t value_bytes, Index tree, NodeId node) {
  if (std::fabs(value) <= largest_leaf(value_bytes)) return;
  throw Unsupported("tree " + std::to_string(tree) + ", node " + std::to_string(node) +
                    ": its leaf value is too large for this dtype (float64 reaches further)");
}

}  // namespace leafshap
