// Arguments of the kernels for what trees answer when a player (a feature, or a group) takes other
// values than a row's own.
//
// What a row then gains over the leaf that it reaches as it is, its *home*, is added up in 64-bit
// fixed point, so that the order of the sums does not matter.
//
// `respond` is for a few given values: each is followed down the tree from where it parts from its
// row. `add_curves` and `weigh_leaves` are for all values at once: rows of a tile are the bits of a
// set. A row with player j *free* satisfies all conditions of the path to a node but those on j's
// features; with H the rows that satisfy all of them, and F_j those with j free, at a node that
// tests a feature of player k and sends the rows L to the left
//
//   H(left) = H & L    F_j(left) = F_j & L  (j != k)    F_k(left) = F_k
//
// where F_k = H before k's first test, and the right side likewise with the rows not in L. If j
// takes a value that satisfies a leaf's conditions on j, then exactly the rows of F_j reach it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/patterns.hpp"

namespace leafshap {

// Runs of cells: [first, end).
struct ResponseRuns {
  std::uint32_t first, end;
};

// Cells in a row, [begin, end): values of a player that no tree tells apart.
struct ResponseRun {
  std::uint32_t begin, end;
};

// An inner node. A child that is a leaf is negative.
struct ResponseNode {
  PatternTest test;
  std::int32_t children[2];       // left, right
  std::int32_t slot;              // place of its player among those that the path has met; -1: none
  std::uint32_t player;           // if it has a slot
  ResponseRuns runs[2];           // the player's cells that satisfy the path's conditions, by side
  std::uint8_t adds_slot;         // the path has no test of the player above
  std::uint8_t has_players_here;  // at the node or below
};

// A leaf has as many slots as its path has players.
struct ResponseLeaf {
  std::uint32_t value;  // first of its values
  std::uint32_t slot;   // number of the first among all leaves'
};

struct ResponseTree {
  std::int32_t root;
  std::int32_t output;  // of the leaves' first value
};

// A tile of rows at a tree.
struct ResponseTile {
  ResponseTree tree;
  const ResponseNode* nodes;
  const ResponseLeaf* leaves;
  const std::int64_t* values;  // (leaves, width)
  std::int32_t width;
  const std::uint64_t* category_bits;
  const std::uint16_t* ranks;  // (n_columns, size)
  std::size_t size;
  std::uint32_t n_rows;  // at most size
  std::int64_t* home;    // (width, size): values of the rows' own leaves
};

// ---- a few values of every player

// Values that a player takes in turn, side by side: the lanes.
inline constexpr int kResponseLanes = 8;

// Values of a row's player on their way down together: the row from bit 0 on, the lanes, one bit
// each, from 16 on, the player from 32 on.
using ResponseAnswer = std::uint64_t;
inline constexpr ResponseAnswer answer_of(std::uint32_t player, std::uint32_t lanes,
                                          std::uint32_t row) {
  return std::uint64_t{player} << 32 | lanes << 16 | row;
}
inline constexpr std::uint32_t player_of(ResponseAnswer answer) {
  return static_cast<std::uint32_t>(answer >> 32);
}
inline constexpr std::uint32_t lanes_of(ResponseAnswer answer) { return answer >> 16 & 0xFF; }
inline constexpr std::uint32_t row_of(ResponseAnswer answer) { return answer & 0xFFFF; }
inline constexpr std::size_t kMostAnswerRows = 4096;

// A subtree whose lists are at the end of all lists.
struct ResponseSpan {
  std::int32_t node;
  std::uint32_t first_row, first_answer;
};

struct HomeArguments {
  ResponseTile tile;
  std::uint16_t* rows;  // scratch: (2 * size)
  ResponseSpan* spans;  // scratch: (levels + 1)
};

struct RespondArguments {
  HomeArguments home;
  const std::uint16_t* lane_ranks;  // (n_columns, size, kResponseLanes): of the values
  std::uint32_t lanes;              // those that hold a value, by bit
  std::uint32_t* with_row;          // scratch: (slots of a path, size): lanes that go the row's way
  ResponseAnswer* answers;          // scratch: (2, most_answers)
  std::size_t most_answers;         // size * kResponseLanes * slots of a path, and one
  std::size_t n_outputs;
  std::int64_t* sums;    // (players, n_outputs, size, kResponseLanes), added to
  std::int64_t* visits;  // (players), added to: how often values part from their row's way
};

// ---- all values of every player

// Rows of a tile, as words of a set.
inline constexpr int kResponseWords = 4;
inline constexpr int kResponseRows = 64 * kResponseWords;
// A node that so few rows reach is left to walks row by row.
inline constexpr int kResponseFewRows = 8;

struct ResponseSet {
  std::uint64_t words[kResponseWords];
};

// What the walk goes back to: a node whose right side waits.
struct ResponsePlace {
  ResponseSet left;    // rows that go left
  ResponseSet needed;  // rows in any set
  std::int32_t node, n_slots;
  bool right_done;
};

// A player on the path, and its cells that satisfy the path's conditions.
struct ResponseSlot {
  std::uint32_t player;
  ResponseRuns runs;
};

// A node on the path, and the runs that it replaced.
struct ResponseStep {
  std::int32_t node;
  ResponseRuns replaced;
  bool right_done;
};

struct ResponseWalk {
  ResponseTile tile;  // of kResponseRows
  const ResponseRun* runs;
  ResponsePlace* places;  // scratch: (levels + 1)
  ResponseStep* steps;    // scratch: (levels)
  ResponseSlot* slots;    // scratch: as many as a path has players
  ResponseSet* sets;      // scratch: (levels + 1, sets_per_level)
  std::size_t sets_per_level;
};

// Players take the value of every cell. Homes are given.
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
