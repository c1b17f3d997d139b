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

// Runs of cells: [first, end).
struct ResponseRuns {
  std::uint32_t first, end;
};

// Cells in a row.
struct ResponseRun {
  std::uint32_t begin, size;
};

// An inner node. A child that is a leaf is negative. Its slot is the place of its player among
// those that the path has met, its condition the place of its axis (a feature of the player).
struct ResponseNode {
  PatternTest test;
  std::int32_t children[2];  // left, right
  std::int32_t slot;         // -1: of no player
  std::int32_t condition;
  std::uint32_t player, axis;
  ResponseRuns runs[2];           // cells that satisfy the path's conditions on the axis, by side
  std::uint8_t adds_slot;         // the path has no test of the player above
  std::uint8_t adds_condition;    // nor of the axis
  std::uint8_t has_players_here;  // at the node or below
};

// A leaf has as many slots as its path has players.
struct ResponseLeaf {
  std::uint32_t value;  // first of its values
  std::uint32_t slot;   // number of the first among all leaves'
};

// The way to a node: what the path asks of a player's values.
struct ResponseSlot {
  std::uint32_t player;
  std::int32_t condition;  // the last one on its axes
};
struct ResponseCondition {
  ResponseRuns runs;
  std::uint32_t axis;
  std::int32_t previous;  // condition of the same slot; -1: none
};

// What the walk goes back to: a node whose right side waits.
struct ResponsePlace {
  ResponseSet left;    // rows that go left
  ResponseSet needed;  // rows in any set
  std::int32_t node, n_slots;
  bool right_done;
};

// A node on the way to another one, and the condition that it replaced.
struct ResponseStep {
  std::int32_t node;
  ResponseRuns replaced;
  bool right_done;
};

// A node whose sets hold at most so many rows is left to walks row by row.
inline constexpr int kResponseFewRows = 8;

struct ResponseTree {
  std::int32_t root;
  std::int32_t output;  // of the leaves' first value
};

// A tile of rows and one tree.
struct ResponseWalk {
  ResponseTree tree;
  const ResponseNode* nodes;
  const ResponseLeaf* leaves;
  const ResponseRun* runs;
  const std::int64_t* values;  // (leaves, width)
  std::int32_t width;
  const std::uint64_t* category_bits;
  const std::uint16_t* ranks;  // (n_columns, kResponseRows)
  ResponseSet rows;
  ResponsePlace* places;          // scratch: (levels + 1)
  ResponseStep* steps;            // scratch: (levels)
  ResponseSlot* slots;            // scratch: as many as a path has players
  ResponseCondition* conditions;  // scratch: as many as there are axes
  ResponseSet* sets;              // scratch: (levels + 1, sets_per_level)
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
  std::int64_t* slot_weights;   // (leaves' slots): of F_j without H
};

}  // namespace leafshap
