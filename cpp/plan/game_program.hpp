// A game plan compiled for the players of one call: which nodes are computed for all patterns of
// the players that they depend on and which for every coalition, and where their numbers go.
#pragma once

#include <vector>

#include "plan/game_plan.hpp"

namespace leafshap {

// One tree; view() points into it.
struct GameProgram {
  std::vector<GameStep> steps;
  std::vector<GameLink> links;
  std::size_t n_pattern_steps = 0;
  std::size_t n_entries = 0;
  GameChild root{};

  GameTree view(const GamePlan& plan, const GamePlanTree& tree) const;
};

// Of an averaged tree. players (F): the player of every feature. The player n_players stands for
// features that are in no coalition. most_patterns: how many a node may have, at most.
GameProgram compile_game(const GamePlan& plan, const GamePlanTree& tree,
                         const std::vector<std::uint32_t>& players, std::uint32_t n_players,
                         std::size_t most_patterns);

}  // namespace leafshap
