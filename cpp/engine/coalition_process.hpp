// Shapley values as posterior means of a Gaussian process over coalitions.
//
// A game is a random function of the signs s in {-1, +1}^M with the covariance
//
//   prod_j (1 + lambda_j s_j t_j),   lambda_j = tanh(a_j)
//
// that is, an interaction of the players T has variance prod_{j in T} lambda_j: players that matter
// interact with players that matter. How much each matters is learned from the game (automatic
// relevance determination; MacKay 1994), from its even part too, which says nothing of the values
// but much of who interacts. The Shapley value is a linear functional of the game, so its posterior
// is normal, with a mean (the estimate) and a standard deviation (the standard error); the integral
// over Owen's multilinear extension that gives them is the one of TreeSHAP.
#pragma once

#include "engine/coalition_regression.hpp"

namespace leafshap {

// phi and standard errors, both (M, C); every game is its own process. even (P, C) holds
// (v(S) + v(complement)) / 2, and even_full (C) is that of all players.
void fit_process(const CoalitionData& data, const double* even, const double* even_full,
                 double* phi, double* standard_errors, int n_threads, Cancellation& cancellation);

}  // namespace leafshap
