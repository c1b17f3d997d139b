// By how much the leaves of averaged trees count: for every pattern s of the players on a leaf's
// path that are in the coalition, the share of the background that satisfies the conditions on all
// the others.
#pragma once

#include "engine/aligned.hpp"
#include "engine/background.hpp"
#include "engine/parallel.hpp"
#include "plan/game_plan.hpp"

namespace leafshap {

// (table_size), by leaf.
AlignedBuffer<double> share_tables(const GamePlan& plan, const Background& background,
                                   int n_threads, Cancellation& cancellation);

}  // namespace leafshap
