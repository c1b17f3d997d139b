// The logistic function.
#pragma once

#include <cmath>

namespace leafshap {

// 1 / (1 + exp(-m))
inline double sigmoid(double m) {
  // of the two forms the one whose exponential does not overflow
  const double e = std::exp(-std::fabs(m));
  return (m < 0 ? e : 1.0) / (1.0 + e);
}

}  // namespace leafshap
