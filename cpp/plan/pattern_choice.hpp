// Chooses how every leaf of a tree is explained against a background: by a table of its own, by one
// that it shares with its neighbours in a small subtree, or by walking all pairs of rows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/tree.hpp"

namespace leafshap {

enum class PatternMethod : std::uint8_t {
  kAuto,      // whatever is expected to be cheapest
  kLeaves,    // a table for every leaf
  kSiblings,  // leaves that are siblings share one
  kSubtrees,  // subtrees as large as tables may be
  kPairwise,  // no tables
};
PatternMethod pattern_method(const std::string& name);  // throws InvalidInput
std::vector<std::string> pattern_methods();

// What the costs depend on besides the tree.
struct PatternJob {
  PatternMethod method = PatternMethod::kAuto;
  Index n_background = 1;
  bool interactions = false;
  std::size_t entry_bytes = 64;  // of a table, per pattern; 0 if it depends on the group
  std::size_t value_bytes = 8;
  std::size_t leaf_width = 1;
};

// What is at a node of the tree.
enum class PatternRole : std::uint8_t {
  kNone,      // below a group
  kSplit,     // groups or pairwise leaves are below
  kGroup,     // root of a subtree with one table; may be a leaf
  kPairwise,  // a leaf
};

// Roles by node of the tree.
std::vector<PatternRole> choose_patterns(const TreeEnsemble& ensemble, Index tree,
                                         const PatternJob& job);

}  // namespace leafshap
