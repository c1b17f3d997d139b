// Interventional SHAP values row by row of the background, for outputs that are not linear in the
// margin, and for trees whose pattern tables would be too large.
#pragma once

#include "engine/parallel.hpp"
#include "plan/pairwise_plan.hpp"
#include "types.hpp"

namespace leafshap {

// What is explained, as a function T of the margin m and the row's label y.
enum class Output {
  kRaw,           // m
  kLogistic,      // 1 / (1 + exp(-m))
  kExp,           // exp(m)
  kLogisticLoss,  // log(1 + exp(m)) - y m
  kSquaredLoss,   // (y - m)^2
};

// T, and what it needs to know beyond the explained rows; unused pointers are null.
struct OutputTransform {
  Output output = Output::kRaw;
  const double* y = nullptr;                   // (n_rows), for the losses
  const double* background_margins = nullptr;  // (m, K), for all but kRaw
};

// (T(m_x) - T(m_b)) / (m_x - m_b), or T'(m) where both are equal.
double difference_quotient(Output output, double m_x, double m_b, double y);

// out (n_rows, F, K) = or += sum_b w_b (T(m_x) - T(m_b)) / (m_x - m_b) phi(x, b).
template <typename T, typename Out>
void explain_pairwise(const PairwisePlan<T>& plan, const Rows& rows,
                      const OutputTransform& transform, Out* out, bool add, int n_threads,
                      Cancellation& cancellation);

}  // namespace leafshap
