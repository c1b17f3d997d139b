// Arguments of the path-dependent kernels.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leafshap {

// Rows are explained in tiles of at most this many; columns and phi are laid out by tile. More
// rows share a step's branch and constants: 128 was 8% faster than 64 in float, 256 slower again.
inline constexpr int kTileRows = 128;
// Points of the quadrature per walk; a tree that needs more is walked several times.
inline constexpr int kMaxPoints = 8;

// One step of the walk over a tree. "Open" goes down from a node, "close" returns to it; children
// that are leaves or whose children are all leaves ("bottom" nodes) are handled within their
// parent's step where possible.
enum class PathOp : std::uint32_t {
  kOpen,            // P of both children
  kOpenLeft,        // the right child is a leaf
  kOpenRight,       // the left child is a leaf
  kClose,           // both children are subtrees on the stack
  kCloseLeftLeaf,   // the left child is a leaf
  kCloseRightLeaf,  // the right child is a leaf
  kBottom,          // both children are leaves
  kPair,            // both children are bottom nodes
  kPairLeftLeaf,    // a leaf and a bottom node
  kPairRightLeaf,   // a bottom node and a leaf
};

// A step's code is kPathFlags * op, plus 1 if its node's feature is repeated (tested above on the
// path), plus 2 and 4 if that of a pair's left and right bottom node is: each code has its own
// compiled function, so the walk branches once per step.
inline constexpr int kPathFlags = 8;
inline constexpr int kPathOps = 10;

struct PathStep {
  std::uint32_t code;
  std::uint32_t node;  // within the tree's nodes; a pair's bottom nodes follow their parent
};

// An inner node as the walk needs it (letters: docs/maths.md).
//
// constants: Q_L if the row goes right (n_points), Q_L if it goes left (n_points), and, only if
// the feature is repeated, 1 / F_a^2 (n_points). A bottom node of a tree with scalar leaves holds
// its S in place of Q_L, for the three states of the row, and its toward_* include v_L - v_R.
template <typename T>
struct PathNode {
  T toward_left, toward_right;  // +z_R, -z_L: the factor of phi if the row goes left, right
  T ratio;                // r = Q_L when the row left the feature's path above (folded bottom: S)
  std::int32_t level;     // edges above the node
  std::int32_t source;    // place of the node's P: 0 for the root, 1 + edge that leads here
  std::int32_t ancestor;  // edge of the path that last tested the same feature, or -1; the
                          // edges of the path's node at level i are 2 i (left), 2 i + 1
  std::uint32_t slot;     // where phi of (feature, output 0) is added up
  std::uint32_t column;   // ranks that the node compares
  std::uint16_t cut;      // the row goes left if its rank is at most this
  std::uint8_t repeated;  // an ancestor tests the same feature
  std::uint8_t repeated_below;  // a descendant does
  std::uint8_t categorical;     // ranks are looked up in a bit set instead
  std::uint32_t category_bits;  // first 64-bit word of the node's bit set
  std::size_t constants;
  std::size_t left_values, right_values;  // of children that are leaves, (leaf width)
};

template <typename T>
struct PathTree {
  const PathStep* steps;
  std::size_t n_steps;
  const PathNode<T>* nodes;
  const T* weights;  // (n_points) quadrature weights, P at the root
  std::int32_t n_points;
  std::int32_t n_levels;  // of inner nodes
  std::int32_t flush;     // float only: add phi to the double sums after this tree
};

// Explains n_tiles tiles of tile_rows rows each; rows past n_rows are padding.
template <typename T>
struct PathArguments {
  const PathTree<T>* trees;
  std::size_t n_trees;
  const T* constants;
  const T* leaf_values;
  const std::uint64_t* category_bits;
  bool vector_leaves;
  std::int32_t n_outputs;  // values per leaf
  std::int32_t n_tiles;
  std::int32_t tile_rows;  // at most kTileRows, a multiple of 16
  std::int64_t n_rows;
  const std::uint16_t* ranks;  // (n_tiles, n_columns, tile_rows)
  std::size_t n_columns;
  T* phi;            // (n_tiles, n_slots, tile_rows), zero at the start
  double* phi_sums;  // same shape, float only: sums over groups of trees
  std::size_t n_slots;
  unsigned char* scratch;  // path_scratch_bytes of the deepest tree, aligned to 64
};

// Answers of a pair's categorical nodes, at the start of the scratch.
inline constexpr std::size_t kAnswerBytes = 3 * kTileRows * sizeof(std::uint16_t);

// Bytes of scratch that a walk needs: answers, then by place on the path P (in turn S), S of vector
// leaves (n_outputs, else 0), and masks, which are at most as large as a vector.
inline std::size_t path_scratch_bytes(std::size_t tile_rows, std::size_t n_levels,
                                      std::size_t n_points, std::size_t n_outputs,
                                      std::size_t value_size) {
  const std::size_t n_places = 1 + 2 * n_levels;
  return kAnswerBytes + n_places * tile_rows * value_size * (n_points * (1 + n_outputs) + 1);
}

}  // namespace leafshap
