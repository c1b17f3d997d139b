// Coalitions' outputs by every pair of an explained and a background row.
#pragma once

#include "engine/background.hpp"
#include "engine/coalitions.hpp"
#include "engine/game_output.hpp"
#include "engine/parallel.hpp"
#include "plan/game_plan.hpp"

namespace leafshap {

// out (coalitions, n_rows, K) = sum_b w_b T(margin); for the raw output, what the plan's trees by
// pairs add is added to it.
void pair_coalitions(const GamePlan& plan, const Background& background, GameOutput output,
                     const Rows& rows, const OrderedCoalitions& coalitions, double* out,
                     int n_threads, Cancellation& cancellation);

}  // namespace leafshap
