// Path-dependent interaction values of all rows, block by block, on as many threads as asked for.
#pragma once

#include "engine/interaction_output.hpp"
#include "engine/parallel.hpp"
#include "plan/interaction_plan.hpp"
#include "types.hpp"

namespace leafshap {

template <typename T>
void explain_interactions(const InteractionPlan<T>& plan, const Rows& rows,
                          const InteractionArrays<T>& out, int n_threads,
                          Cancellation& cancellation);

}  // namespace leafshap
