// What coalitions are worth: the margin, or a function T of it.
#pragma once

#include <cstddef>

namespace leafshap {

enum class GameOutput {
  kRaw,       // m
  kLogistic,  // 1 / (1 + exp(-m))
  kExp,       // exp(m)
  kSoftmax,   // exp(m_k) / sum_l exp(m_l)
};

// values (K, n) += weight T(margins), margins (K, stride). Overwrites the margins.
void add_outputs(GameOutput output, double weight, std::size_t n_outputs, std::size_t n,
                 std::size_t stride, double* margins, double* values);

}  // namespace leafshap
