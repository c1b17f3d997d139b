// Arguments of the kernel that walks every pair of an explained and a background row.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leafshap {

// Background rows per tile of the pairwise kernel: enough for rows of a leaf to share vectors.
inline constexpr int kBackgroundTile = 512;
// Bytes of lanes that a pairwise walk takes at a time: one vector of the widest, several of others.
inline constexpr int kPairwiseBytes = 64;
// Bytes of a place of the walk: five arrays of lanes (masks may be as large as vectors) and a rest.
inline constexpr int kPairwisePlaceBytes = 6 * kPairwiseBytes;
// Up to so many distinct features on a path, the weights of one u are looked up in registers.
inline constexpr int kShortPath = 15;

// One step of the pairwise walk: "open" goes down from a node, "close" returns to it; leaves are
// handled within their parent's steps.
enum class PairwiseOp : std::uint32_t {
  kOpen,
  kClose,           // both children are subtrees
  kCloseLeftLeaf,   // the left child is a leaf
  kCloseRightLeaf,  // the right child is a leaf
  kBottom,          // both children are leaves: down and up at once
};

struct PairwiseStep {
  PairwiseOp op;
  std::uint32_t node;  // within the tree's nodes
  std::uint32_t end;   // step after the node's subtree: where a walk without alive rows goes on
};

// An inner node of the pairwise walk. Edges of the path have places: 0 leads to the root, the
// edges of the path's node at level i are 1 + 2 i (left) and 2 + 2 i (right).
struct PairwiseNode {
  std::int32_t level;
  std::int32_t source;          // place of the edge that leads here
  std::int32_t ancestor;        // place of the path's last edge that tests the feature, or -1
  std::uint32_t slot;           // of the feature, within the tree
  std::uint32_t column;         // ranks that the node compares, within the tree
  std::uint16_t cut;            // b goes left if its rank is at most this
  std::uint8_t repeated_below;  // a descendant tests the same feature
  std::size_t left_values, right_values;  // of children that are leaves, (leaf width)
};

// Ranks that nodes of a tree compare; a categorical node has its own column, of answers 0 and 1.
struct PairwiseColumn {
  std::uint32_t column;         // of the quantizer
  std::uint32_t category_bits;  // first 64-bit word of the node's bit set
  std::uint8_t categorical;
};

struct PairwiseTree {
  const PairwiseStep* steps;
  std::size_t n_steps;
  const PairwiseNode* nodes;
  std::size_t n_nodes;
  const PairwiseColumn* columns;
  std::size_t n_columns;
  const std::uint32_t* slots;  // (n_slots) where phi of a feature, first output, is added up
  std::size_t n_slots;
  std::size_t output;  // of the leaves' first value
};

// The Shapley weights w(a, u) = (a-1)! u! / (a+u)! of a leaf, by rows u. pos[u][a] = w(a, u) and
// neg[u][a] = w(a + 1, u - 1), both 0 where they are not defined. On short paths every row has 16
// entries; else the entries after last are 0, and that of last too.
template <typename T>
struct PairwiseWeights {
  const T* const* pos;
  const T* const* neg;
  const std::int32_t* pos_last;
  const std::int32_t* neg_last;
  bool short_paths;
};

// Explains a block of rows against one tile of background rows.
template <typename T>
struct PairwiseArguments {
  const PairwiseTree* trees;
  std::size_t n_trees;
  PairwiseWeights<T> weights;
  const T* leaf_values;
  const std::uint64_t* category_bits;
  std::int32_t n_outputs;               // values per leaf
  std::int32_t n_rows;                  // explained
  std::int32_t row_stride;              // of row_ranks
  std::int32_t n_background;            // rows of the tile that are not padding
  std::int32_t n_levels;                // of inner nodes, at most
  const std::uint16_t* row_ranks;       // (n_columns, row_stride)
  const std::uint16_t* ranks;           // (n_columns, kBackgroundTile)
  const T* scale;                       // omega by (explained row, output, background row)
  std::size_t scale_row, scale_output;  // strides; 0 where all share
  double* phi;                          // (n_rows, n_slots), added to
  std::size_t n_slots;
  unsigned char* scratch;  // pairwise_scratch_bytes, aligned to 64
};

// Bytes of scratch that a pairwise walk of a tree needs, for masks as large as vectors.
inline std::size_t pairwise_scratch_bytes(const PairwiseTree& tree, std::size_t n_levels,
                                          std::size_t n_rows) {
  const std::size_t places = 1 + 2 * n_levels;
  return kPairwisePlaceBytes * places + kPairwiseBytes * tree.n_slots + n_rows * tree.n_nodes +
         sizeof(std::uint16_t) * (tree.n_columns + 2) * kBackgroundTile +
         sizeof(double) * kBackgroundTile;
}

}  // namespace leafshap
