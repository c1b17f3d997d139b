// Arguments of the kernel that evaluates coalitions for pairs of an explained and a background row.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/game.hpp"

namespace leafshap {

// Background rows whose way through the trees is decided together: the bits of a word.
inline constexpr int kPairTile = 64;
// Coalitions evaluated together, as words of 64 bits: their margins and masks stay in the L1 cache.
inline constexpr int kPairWords = 16;
inline constexpr int kPairCoalitions = 64 * kPairWords;
// Leaves whose values are added to the margins together.
inline constexpr int kPairLeaves = 32;

// An inner node, children before parents. A child that is a leaf is negative.
struct PairNode {
  std::uint64_t background_left;  // rows of the tile that go left
  std::int32_t left, right;
  std::uint32_t player : 31;
  std::uint32_t row_left : 1;  // the explained row goes left
};

struct PairTree {
  const PairNode* nodes;
  std::int32_t root;
  std::int32_t output;  // of the leaves' first value
};

// Decides where a tile of background rows and an explained row go.
struct PairTileArguments {
  const GameNode* nodes;
  const std::int32_t* features;  // of the nodes
  std::size_t n_nodes;
  const std::uint32_t* players;  // of the features
  const std::uint64_t* category_bits;
  const std::uint16_t* ranks;      // (n_columns, kPairTile)
  const std::uint16_t* row_ranks;  // (n_columns)
  PairNode* out;                   // (n_nodes)
};

// A leaf for 64 coalitions: those that reach it.
struct PairLeaf {
  std::uint64_t coalitions;
  double value;
};

// What the walk goes back to: a node, with the coalitions for which the pair gets there.
struct PairPlace {
  std::uint64_t coalitions[kPairWords];
  std::int32_t node;
};

struct PairArguments {
  const PairTree* trees;
  std::size_t n_trees;
  const double* leaf_values;
  std::int32_t leaf_width;
  std::int32_t output;           // of the leaves
  std::int32_t background;       // row of the tile
  const std::uint64_t* members;  // (players, stride): the coalitions that have the player
  std::size_t stride;
  const std::uint64_t* coalitions;  // (kPairWords) that there are
  double* margins;                  // (outputs, kPairCoalitions), added to
  PairPlace* places;                // scratch: as many as the deepest tree has levels, and one
  PairLeaf* leaves;                 // scratch: (kPairWords, kPairLeaves)
};

}  // namespace leafshap
