// Arguments of the kernels for what trees answer when a player (a feature, or a group) takes other
// values.
//
// Rows of a tile are the bits of a set. A row with player j *free* satisfies all conditions of the
// path to a node but those on j's features; with H the rows that satisfy all of them, and F_j those
// with j free, at a node that tests a feature of player k and sends the rows L to the left
//
//   H(left) = H & L    F_j(left) = F_j & L  (j != k)    F_k(left) = F_k
//
// where F_k = H before k's first test, and the right side likewise with the rows not in L. If j
// takes a value that satisfies a leaf's conditions on j, then exactly the rows of F_j reach it.
// What a row then gains over its own leaf, its *home*, is added up in 64-bit fixed point, so that
// the order of the sums does not matter.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/patterns.hpp"

namespace leafshap {

// Rows of a tile, as words of a set.
inline constexpr int kResponseWords = 4;
inline constexpr int kResponseRows = 64 * kResponseWords;
// Values that a player takes in turn, side by side.
inline constexpr int kResponseLanes = 8;

struct ResponseSet {
  std::uint64_t words[kResponseWords];
};

// An inner node. A child that is a leaf is negative.
struct ResponseNode {
  PatternTest test;
  std::int32_t left, right;
  std::int32_t slot;          // of the player among those on the path; -1: of no player
  std::uint8_t first;         // the path has no test of the player above
  std::uint8_t players_here;  // at the node or below
};

// A leaf's slots are in the order in which its path meets the players.
struct ResponseLeaf {
  std::uint32_t value;  // first of its values
  std::uint32_t slot;
};

// A player on a leaf's path, and the cells that satisfy the leaf's conditions on its features: its
// runs are those up to the next slot's. None: no cell does.
struct ResponseSlot {
  std::uint32_t player;
  std::uint32_t run;
};

// Cells in a row, of one axis. The runs of an axis come one after the other; an axis for which a
// player's value must be in one of them too follows the last.
struct ResponseRun {
  std::uint32_t axis : 31;
  std::uint32_t last : 1;
  std::uint32_t begin, size;
};

// What the walk goes back to: a node whose right side waits.
struct ResponsePlace {
  ResponseSet left;    // rows that go left
  ResponseSet needed;  // rows in any set
  std::int32_t node, n_slots;
  bool right_done;
};

struct ResponseTree {
  std::int32_t root;
  std::int32_t output;  // of the leaves' first value
};

// A tile of rows and one tree.
struct ResponseWalk {
  ResponseTree tree;
  const ResponseNode* nodes;
  const ResponseLeaf* leaves;
  const ResponseSlot* slots;
  const ResponseRun* runs;
  const std::int64_t* values;  // (leaves, width)
  std::int32_t width;
  const std::uint64_t* category_bits;
  const std::uint16_t* ranks;  // (n_columns, kResponseRows)
  ResponseSet rows;
  ResponsePlace* places;  // scratch: (levels + 1)
  ResponseSet* sets;      // scratch: (levels + 1, sets_per_level)
  std::size_t sets_per_level;
  std::int64_t* home;  // (width, kResponseRows): values of the rows' own leaves, written first
};

// Players take the values of given cells, row by row.
struct RespondArguments {
  ResponseWalk walk;
  const std::uint32_t* cells;  // (axes, kResponseRows, chunks, kResponseLanes)
  std::size_t n_chunks;
  std::size_t n_outputs;
  std::int64_t* sums;    // (players, n_outputs, kResponseRows, chunks, kResponseLanes), added to
  std::int64_t* visits;  // (players), added to: leaves looked at
};

// Players take the value of every cell.
struct CurveArguments {
  ResponseWalk walk;
  const std::int64_t* first_cells;  // (players + 1)
  std::size_t n_players;
  std::size_t n_outputs;
  // (kResponseRows, cells, n_outputs), added to: what a cell has more than the one before it, in
  // fixed point, where the margin will be
  double* steps;
};

// Rows that would reach a leaf.
struct WeighArguments {
  ResponseWalk walk;
  const std::int64_t* weights;  // (kResponseRows), null: 1 each
  std::int64_t* leaf_weights;   // (leaves): of H
  std::int64_t* slot_weights;   // (slots): of F_j
};

}  // namespace leafshap
