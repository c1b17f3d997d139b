// Arguments of the kernel that evaluates coalitions: what a tree predicts on average if the
// features of a coalition take the explained row's values and all others the background's.
//
// Lanes are explained rows, numbers are by lane. With j the player of a node's feature, S a
// coalition, and V(node, S) what the subtree adds,
//
//   V(node, S) = V(left, S) + V(right, S)            if j is not in S
//                V(the side that the row goes to, S)   if it is
//
// and a leaf is worth its value times the share of the background that satisfies its conditions on
// all players outside S.
//
// V depends only on the players below the node, and by the shares above it. While they are few, it
// is computed once for every subset of them, its pattern; further up for every coalition.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/patterns.hpp"

namespace leafshap {

// Rows in the lanes: a cache line of numbers.
inline constexpr int kGameLanes = 8;
// Coalitions that the upper nodes take at a time, so that their numbers stay in the L1 cache.
inline constexpr int kGameBlock = 256;
// A node's patterns, and a leaf's, have at most so many bits.
inline constexpr int kMostGameBits = 12;

// An inner node of a tree, children before parents. A child that is a leaf is negative.
struct GameNode {
  PatternTest test;
  std::int32_t left, right;
};

// Adds to the index of a child's entry: where the pattern's bit `key` is set, or the coalition has
// the player `key`.
struct GameLink {
  std::uint32_t key;
  std::uint16_t add;
};

struct GameChild {
  std::uint32_t first;  // entry of the first pattern; of a leaf: of its table of shares
  std::uint32_t value;  // of a leaf
  std::uint32_t links, n_links;
  std::uint8_t is_leaf;
  std::uint8_t is_direct;  // entries are those of the block's coalitions
};

// One node for all its patterns, or for a block of coalitions.
struct GameStep {
  GameChild left, right;
  std::uint32_t node;
  std::uint32_t player;
  std::uint32_t target;  // first entry
  std::uint8_t n_bits;   // of the patterns
  std::uint8_t own_bit;  // the player is the highest bit; else it is in no coalition
};

// A tree for the players of one call.
struct GameTree {
  const GameNode* nodes;
  std::size_t n_nodes;
  const GameStep* steps;  // for patterns, then for coalitions; children before parents
  std::size_t n_pattern_steps, n_steps;
  const GameLink* links;
  std::size_t n_entries;
  GameChild root;  // if there are no steps for coalitions
};

// Trees are taken together while their numbers fit into the L2 cache: the sums pass by once.
inline constexpr int kGameTrees = 8;
inline constexpr std::size_t kGameEntries = 4096;

struct GameArguments {
  const GameTree* trees;  // at most kGameTrees, all of one output
  std::int32_t n_trees;
  const double* tables;       // shares of the background, by leaf and pattern
  const double* leaf_values;  // of the output
  const std::uint64_t* category_bits;
  const std::uint16_t* ranks;   // (n_columns, kGameLanes)
  const std::uint8_t* members;  // (players, stride): 255 where the coalition has the player, else 0
  std::size_t stride;
  std::int32_t n_coalitions;
  double* sums;            // (n_coalitions, kGameLanes), added to
  unsigned char* scratch;  // kGameIndexBytes and the trees' game_scratch_bytes, aligned to 64
};

// Of a tree, for masks as large as vectors, two by node; and the indices that all trees share.
inline constexpr std::size_t game_scratch_bytes(std::size_t n_nodes, std::size_t n_entries) {
  return sizeof(double) * kGameLanes * (n_entries + 2 * n_nodes);
}
inline constexpr std::size_t kGameIndexBytes = 2 * sizeof(std::uint16_t) << kMostGameBits;

}  // namespace leafshap
