// Coalitions' margins over the trees that are averaged over the whole background at once.
#pragma once

#include "engine/coalitions.hpp"
#include "engine/parallel.hpp"
#include "plan/game_plan.hpp"

namespace leafshap {

// out (coalitions, n_rows, K) = the plan's constant and what its averaged trees add. shares: by
// leaf (game_tables.hpp).
void average_coalitions(const GamePlan& plan, const double* shares, const Rows& rows,
                        const OrderedCoalitions& coalitions, double* out, int n_threads,
                        Cancellation& cancellation);

}  // namespace leafshap
