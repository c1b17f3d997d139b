// Facts about an ensemble that plans and users ask for.
#pragma once

#include <vector>

#include "ir/tree.hpp"

namespace leafshap {

// Edges on the longest path of any tree.
Index max_depth(const TreeEnsemble& e);
Index n_leaves(const TreeEnsemble& e);

// Cover-weighted mean value of the subtree below every node of a tree, (nodes, leaf_width) in the
// tree's node order, without the tree's weight: the expectation when nothing more is known.
std::vector<double> node_expectations(const TreeEnsemble& e, Index tree);

// base_values plus the expectation of the first n_used trees, (K). Needs cover.
std::vector<double> expected_values(const TreeEnsemble& e, Index n_used);

// The nodes of a tree so that every parent stands before its children, and depth of each.
struct NodeOrder {
  std::vector<NodeId> nodes;
  std::vector<Index> depth;  // by node, not by position
};
NodeOrder parents_first(const TreeEnsemble& e, Index tree);

}  // namespace leafshap
