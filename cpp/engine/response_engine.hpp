// What an ensemble answers when players take other values: by row and repeat (permutations), by
// row and cell (ICE curves), and by cell on average (partial dependence).
#pragma once

#include <vector>

#include "engine/parallel.hpp"
#include "plan/response_plan.hpp"
#include "types.hpp"

namespace leafshap {

// Raw margins of n rows, (n, K): bit for bit what the functions below give where nothing changes.
void predict_margins(const ResponsePlan& plan, const Rows& rows, double* out, int n_threads,
                     Cancellation& cancellation);

// Repeats of a change: in repeat r, row i takes the values of probe sources[r * n + i].
struct Sources {
  const std::int64_t* probes;  // (n_repeats, n)
  Index n_repeats;
};

// Margins of rows [begin, end): with each player's features taken from the rows' sources in `out`,
// (players, repeats, n, K), and as they are in `unchanged`, (n, K), if it is not null. Returns for
// each player how often its values part from their row's way down a tree.
struct Responses {
  double* out;
  double* unchanged;
};
std::vector<std::int64_t> respond(const ResponsePlan& plan, const Rows& rows,
                                  const Sources& sources, Index begin, Index end, Responses out,
                                  int n_threads, Cancellation& cancellation);

// Margins of every row at every cell of every player, (n, cells, K). Plans for all values only.
void response_curves(const ResponsePlan& plan, const Rows& rows, double* out, int n_threads,
                     Cancellation& cancellation);

// Means of the curves over the rows, (cells, K). Weights of the rows, not all 0; empty: all alike.
void mean_responses(const ResponsePlan& plan, const Rows& rows, const std::vector<double>& weights,
                    double* out, int n_threads, Cancellation& cancellation);

}  // namespace leafshap
