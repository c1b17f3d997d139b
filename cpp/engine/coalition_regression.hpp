// KernelSHAP's weighted least squares, on the odd part of games (docs/kernel_explainer.md).
//
// With s_i = +1 for a player in the coalition S and -1 for one outside, the odd part of a game
// g(S) = (v(S) - v(complement)) / 2 is fitted by sum_i s_i phi_i / 2, weighted by the Shapley
// kernel over the chance to be drawn, under the constraint sum_i phi_i / 2 = g(N). The fit is one
// linear operator, the same for all games that share the design.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/parallel.hpp"
#include "types.hpp"

namespace leafshap {

// What the estimators are given: P coalitions, one of every pair, of M players; C games.
struct CoalitionData {
  Index n_players, n_pairs, n_games;
  const std::uint8_t* members;  // (P, M)
  const double* odd;            // (P, C)
  const double* odd_full;       // (C): g(N)
};

// phi and its standard errors, both (M, C). Errors are those of the sampling: sandwich estimates
// with the residuals of pairs that were certain to be drawn left out, and those of others divided
// by one minus their leverage (HC3); NaN if there are fewer pairs than players. Throws InvalidInput
// if the pairs do not determine the fit.
void fit_regression(const CoalitionData& data, std::span<const double> weights,
                    std::span<const double> inclusion, double* phi, double* standard_errors,
                    int n_threads, Cancellation& cancellation);

}  // namespace leafshap
