// The game that Shapley values by sampling belong to: what coalitions of features are worth for
// explained rows, without building the rows that mix them with the background.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/aligned.hpp"
#include "engine/background.hpp"
#include "engine/coalitions.hpp"
#include "engine/game_output.hpp"
#include "engine/parallel.hpp"
#include "plan/game_plan.hpp"

namespace leafshap {

class CoalitionGame {
 public:
  CoalitionGame(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees, const Rows& background,
                const std::vector<double>& weights, GameOutput output, int n_threads,
                Cancellation& cancellation);

  const TreeEnsemble& ensemble() const { return plan_.ensemble(); }

  // out (coalitions, n_rows, K) = sum_b w_b T(f(x_S, b_rest)).
  void values(const Rows& rows, const Coalitions& coalitions, double* out, int n_threads,
              Cancellation& cancellation) const;

  // out (n_rows, F): whether a split may tell the row from some row of the background by the
  // feature.
  void find_varying(const Rows& rows, bool* out, int n_threads, Cancellation& cancellation) const;

 private:
  void summarise_background(int n_threads, Cancellation& cancellation);

  Background background_;
  GameOutput output_;
  GamePlan plan_;
  AlignedBuffer<double> shares_;            // of averaged trees
  std::vector<std::uint16_t> first_ranks_;  // of the background's first row, by column of ranks
  std::vector<std::uint8_t> differs_;       // columns where another row has another
};

}  // namespace leafshap
