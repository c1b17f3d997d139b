// Arguments of the pattern kernels: interventional SHAP values by tables
// (docs/maths_background.md).
//
// For one leaf, a row is only its pattern: which of the features tested on the leaf's path have all
// their conditions satisfied. A group is a leaf, or a small subtree whose leaves share one table;
// its pattern holds a bit for every distinct feature on the path to the subtree's root, then one
// for every test inside, which is set if the row goes left there.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leafshap {

// A pattern is a 16-bit number.
inline constexpr int kMostPatternBits = 16;
// Points of the exact quadrature over that many features.
inline constexpr int kMostPatternPoints = kMostPatternBits / 2;

struct PatternTest {
  std::uint32_t column;
  std::uint16_t cut;            // the row goes left if its rank is at most this
  std::uint8_t categorical;     // ranks are looked up in a bit set instead
  std::uint32_t category_bits;  // first 64-bit word of the test's bit set
};

// One step of the walk over a tree: a split hands patterns down from a node to its two children, a
// group completes the pattern of its subtree.
struct PatternStep {
  std::uint32_t index;        // of the split's test, or of the group
  std::uint32_t first_group;  // groups below, or the group itself: [first_group, end_group)
  std::uint32_t end_group;
  std::uint32_t n_steps;  // of the node and everything below: 1 at a group, more at a split
  std::int32_t source;    // place of the node's patterns
  std::int32_t target;    // split: place of the left child's patterns; the right child's follows
  std::uint16_t bit;      // split: of the feature
  std::uint8_t repeated;  // split: an ancestor tests the same feature
};

struct PatternGroup {
  std::int32_t n_path;   // distinct features on the path to the subtree
  std::int32_t n_tests;  // within the subtree
  std::uint32_t first_test;
  std::uint32_t first_leaf, end_leaf;
  std::uint32_t n_cells;   // numbers that a pattern stands for, per output of a leaf
  std::size_t places;      // of the n_cells * leaf width cells in an entry of the table
  std::size_t entry_size;  // of the table, padded
  std::size_t slots;       // scattered: slot of every number of an entry
  std::size_t first_slot;  // not scattered: the entry is added to the slots from here on
  std::uint32_t n_slots;   // scattered: numbers of an entry that count
  std::uint32_t first_output;
  std::size_t counts, table;  // where its 2^bits counts and entries begin among all groups'
  std::int32_t n_bits() const { return n_path + n_tests; }
};

// A leaf's own pattern of d bits out of its group's: for the answers h of the group's tests it is
// (path bits & keep[h]) | set[h].
struct PatternLiteral {
  std::uint16_t keep, set;
};
struct PatternLeaf {
  std::int32_t n_bits;   // d
  std::size_t literals;  // 2^n_tests
  std::size_t cells;     // of its d features, then of its d (d - 1) / 2 pairs with interactions
  std::size_t values;    // (leaf width), weighted
};

// Gauss-Legendre points of the exact rule for d features, and its weights w over powers of t and
// 1 - t.
struct PatternRule {
  std::int32_t n_points;
  double t[kMostPatternPoints];
  double over_1t[kMostPatternPoints];    // w / (1 - t)
  double over_t_1t[kMostPatternPoints];  // w / (t (1 - t))
  double over_1t_squared[kMostPatternPoints];
  double over_t_squared[kMostPatternPoints];
};

// A tile of rows on its way through the trees.
struct PatternRows {
  const PatternStep* steps;
  std::size_t n_steps;
  const PatternTest* tests;
  const PatternGroup* groups;
  std::uint32_t first_group, end_group;  // the others are left out
  const std::uint64_t* category_bits;
  const std::uint16_t* ranks;  // (n_columns, tile_rows)
  std::int32_t tile_rows;      // a multiple of kPatternLanes
  std::int32_t n_rows;         // the rest is padding
  std::uint16_t* places;       // scratch: pattern_scratch_places(levels) arrays of tile_rows
};

inline constexpr int kPatternLanes = 32;
// Groups that are looked up together.
inline constexpr int kGroupsAtOnce = 4;

// Arrays of patterns: of the root, of two children per level, the groups' own and the answers of a
// categorical test.
inline constexpr std::int32_t pattern_scratch_places(std::int32_t n_levels) {
  return 1 + 2 * n_levels + kGroupsAtOnce + 1;
}

// Adds the tile's rows to the counts of their patterns.
template <typename Count>
struct CountArguments {
  PatternRows rows;
  std::int32_t n_places;  // of the walk, before the groups' own
  const double* weights;  // Count = double: of the tile's rows
  Count* counts;          // of groups from first_group on
  std::size_t first_count;
};

// Adds the table entries of the tile's rows to phi.
template <typename T>
struct LookUpArguments {
  PatternRows rows;
  std::int32_t n_places;
  const T* tables;  // of groups from first_group on
  std::size_t first_table;
  const std::uint32_t* slots;
  // Entries hold a group's own slots, added one by one; else runs of slots, added as vectors.
  bool scattered;
  T* phi;        // not scattered: (n_rows, n_slots), zero at the start
  double* sums;  // scattered, or T = float: the same in double; phi ends up here
  std::size_t n_slots;
};

// Computes the table of one group from the shares of its patterns in the background.
template <typename T>
struct TableArguments {
  const PatternGroup* group;
  const PatternLeaf* leaves;
  const PatternLiteral* literals;
  const std::uint32_t* cells;
  const std::uint32_t* places;
  const double* leaf_values;
  const PatternRule* rules;  // by d
  std::int32_t leaf_width;
  bool interactions;
  const double* shares;  // (2^n_bits), sum 1
  double* scratch;       // table_scratch_size
  T* table;              // (2^n_bits, entry_size)
  double* expectation;   // (leaf width): the background's mean of the group's leaves is added
};

// Doubles of scratch: six arrays over the patterns of a leaf, the leaf's cells and the group's.
inline std::size_t table_scratch_size(std::int32_t n_bits, std::size_t n_cells,
                                      std::size_t leaf_width) {
  return (std::size_t{1} << n_bits) * (6 + n_cells + n_cells * leaf_width);
}

}  // namespace leafshap
