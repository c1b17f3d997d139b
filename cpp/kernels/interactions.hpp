// Arguments of the kernel of path-dependent interactions, beside those of the walk.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/path.hpp"

namespace leafshap {

// A node's feature and that of an edge above it, the nearest of its feature.
struct PathPair {
  std::uint32_t slot;  // where the pair (of output 0) is added up
  std::uint32_t edge;
};

// What interactions need of a node besides its PathNode.
struct InteractionNode {
  std::size_t pairs;    // the first of n_pairs
  std::size_t factors;  // h of its left edge, then of its right, (2, n_points), if rows satisfy it
  std::uint32_t n_pairs;
};

template <typename T>
struct InteractionTree {
  const InteractionNode* nodes;
  const T* off;                // (n_points) h of an edge that a row does not satisfy
  const std::uint32_t* flush;  // float only: slots to add to the double sums after this tree
  std::size_t n_flush;
};

// Explains tiles as PathArguments do; the slots of pairs are among those of phi.
template <typename T>
struct InteractionArguments {
  PathArguments<T> path;
  const InteractionTree<T>* trees;  // beside those of path
  const PathPair* pairs;
  const T* factors;
};

inline std::size_t interaction_scratch_bytes(std::size_t tile_rows, std::size_t n_levels,
                                             std::size_t n_points, std::size_t n_outputs,
                                             std::size_t value_size) {
  return path_scratch_bytes(tile_rows, n_levels, n_points, n_outputs, value_size) +
         2 * n_levels * n_points * value_size;
}

}  // namespace leafshap
