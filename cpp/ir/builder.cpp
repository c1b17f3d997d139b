#include "ir/builder.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "error.hpp"

namespace leafshap {
namespace {

[[noreturn]] void fail(const std::string& what) { throw InvalidModel(what); }

[[noreturn]] void fail_at(Index tree, Index node, const std::string& what) {
  fail("tree " + std::to_string(tree) + ", node " + std::to_string(node) + ": " + what);
}

template <typename Vector>
void check_size(const Vector& values, Index expected, const char* name) {
  if (static_cast<Index>(values.size()) != expected) {
    fail(std::string(name) + " has " + std::to_string(values.size()) + " entries, expected " +
         std::to_string(expected));
  }
}

void check_sizes(const TreeEnsemble& e) {
  const Index n_trees = e.n_trees(), n_nodes = e.n_nodes();
  if (e.n_features < 0) fail("n_features is negative");
  if (e.n_features > std::numeric_limits<FeatureId>::max()) fail("n_features is too large");
  if (e.n_outputs < 1) fail("n_outputs must be at least 1");
  check_size(e.tree_offsets, n_trees + 1, "tree_offsets");
  check_size(e.tree_output, n_trees, "tree_output");
  check_size(e.base_values, e.n_outputs, "base_values");
  check_size(e.left, n_nodes, "left");
  check_size(e.right, n_nodes, "right");
  check_size(e.threshold, n_nodes, "threshold");
  check_size(e.default_left, n_nodes, "default_left");
  check_size(e.missing, n_nodes, "missing");
  check_size(e.split_kind, n_nodes, "categorical");
  check_size(e.leaf_values, n_nodes * e.leaf_width(), "leaf_value");
  if (e.has_cover) check_size(e.cover, n_nodes, "cover");
  for (const double base : e.base_values) {
    if (!std::isfinite(base)) fail("base_values holds a value that is not finite");
  }
}

void check_offsets(const TreeEnsemble& e) {
  if (e.tree_offsets.front() != 0) fail("tree_offsets must start at 0");
  if (e.tree_offsets.back() != e.n_nodes()) fail("tree_offsets must end at the number of nodes");
  for (Index t = 0; t < e.n_trees(); ++t) {
    if (e.tree_offsets[t + 1] <= e.tree_offsets[t])
      fail("tree " + std::to_string(t) + " has no node");
    const Index size = e.tree_offsets[t + 1] - e.tree_offsets[t];
    if (size > std::numeric_limits<NodeId>::max()) {
      fail("tree " + std::to_string(t) + " has more nodes than an index can hold");
    }
    const OutputId output = e.tree_output[t];
    if (e.vector_leaves ? output != -1 : output < 0 || output >= e.n_outputs) {
      fail("tree " + std::to_string(t) + ": output " + std::to_string(output) +
           (e.vector_leaves ? " must be -1, its leaves are vectors"
                            : " is out of range for " + std::to_string(e.n_outputs) + " outputs"));
    }
    if (!std::isfinite(e.tree_weight[t])) {
      fail("tree " + std::to_string(t) + ": its weight is not finite");
    }
  }
}

void check_category_offsets(const TreeEnsemble& e) {
  if (e.category_offsets.empty()) {
    if (!e.category_codes.empty()) fail("category_codes without category_offsets");
    return;
  }
  check_size(e.category_offsets, e.n_nodes() + 1, "category_offsets");
  if (e.category_offsets.front() != 0) fail("category_offsets must start at 0");
  if (e.category_offsets.back() != static_cast<Index>(e.category_codes.size())) {
    fail("category_offsets must end at the number of category_codes");
  }
  if (!std::is_sorted(e.category_offsets.begin(), e.category_offsets.end())) {
    fail("category_offsets must not decrease");
  }
}

void check_leaf(const TreeEnsemble& e, Index tree, Index node, Index global) {
  if (e.right[global] != -1 || e.split_feature[global] != -1) {
    fail_at(tree, node, "has no left child, but a right child or a split feature");
  }
  const double* values = e.leaf(global);
  for (OutputId k = 0; k < e.leaf_width(); ++k) {
    if (!std::isfinite(values[k])) {
      fail_at(tree, node, "leaf value " + std::to_string(values[k]) + " is not finite");
    }
  }
}

void check_categories(TreeEnsemble& e, Index tree, Index node, Index global) {
  if (!e.has_categories()) fail_at(tree, node, "is categorical, but category_offsets is empty");
  const auto begin = e.category_codes.begin() + e.category_offsets[global];
  const auto end = e.category_codes.begin() + e.category_offsets[global + 1];
  std::sort(begin, end);
  if (begin != end && *begin < 0) {
    fail_at(tree, node, "category code " + std::to_string(*begin) + " is negative");
  }
}

void check_split(TreeEnsemble& e, Index tree, Index node, Index global) {
  const FeatureId feature = e.split_feature[global];
  if (feature < 0 || feature >= e.n_features) {
    fail_at(tree, node,
            "split feature " + std::to_string(feature) + " is out of range for " +
                std::to_string(e.n_features) + " features");
  }
  if (static_cast<std::uint8_t>(e.missing[global]) > 2) {
    fail_at(tree, node, "unknown missing-value policy");
  }
  switch (e.split_kind[global]) {
    case SplitKind::kNumeric:
      if (!std::isfinite(e.threshold[global])) {
        fail_at(tree, node, "threshold " + std::to_string(e.threshold[global]) + " is not finite");
      }
      return;
    case SplitKind::kMembersLeft:
    case SplitKind::kMembersRight:
      return check_categories(e, tree, node, global);
  }
  fail_at(tree, node, "unknown kind of split");
}

void check_cover(const TreeEnsemble& e, Index tree, Index node, Index global) {
  const double cover = e.cover[global];
  if (!(cover >= 0) || !std::isfinite(cover)) {
    fail_at(tree, node, "cover " + std::to_string(cover) + " is not a non-negative number");
  }
}

// Every node is the root or the child of exactly one node, and the root reaches all: with n - 1
// edges, one parent each and no root among the children, a cycle would leave nodes unreached.
void check_topology(const TreeEnsemble& e, Index tree, std::vector<NodeId>& stack,
                    std::vector<std::uint8_t>& seen) {
  const Index offset = e.tree_offsets[tree];
  const Index size = e.tree_offsets[tree + 1] - offset;
  seen.assign(static_cast<std::size_t>(size), 0);
  stack.assign(1, 0);
  seen[0] = 1;
  Index n_seen = 1;
  while (!stack.empty()) {
    const NodeId node = stack.back();
    stack.pop_back();
    if (e.left[offset + node] == -1) continue;
    for (const NodeId child : {e.right[offset + node], e.left[offset + node]}) {
      if (child < 0 || child >= size) {
        fail_at(tree, node,
                "child " + std::to_string(child) + " is out of range for " + std::to_string(size) +
                    " nodes");
      }
      if (seen[child]) {
        fail_at(tree, child,
                "is reached twice (a cycle, or two parents; second parent is node " +
                    std::to_string(node) + ")");
      }
      seen[child] = 1;
      ++n_seen;
      stack.push_back(child);
    }
  }
  if (n_seen != size) {
    const auto orphan = std::find(seen.begin(), seen.end(), 0) - seen.begin();
    fail_at(tree, orphan, "is not reached from the root");
  }
}

}  // namespace

std::shared_ptr<const TreeEnsemble> build_ensemble(TreeEnsemble e) {
  check_sizes(e);
  check_offsets(e);
  check_category_offsets(e);
  std::vector<NodeId> stack;
  std::vector<std::uint8_t> seen;
  for (Index tree = 0; tree < e.n_trees(); ++tree) {
    const Index offset = e.tree_offsets[tree];
    for (Index global = offset; global < e.tree_offsets[tree + 1]; ++global) {
      const Index node = global - offset;
      if (e.left[global] == -1) {
        check_leaf(e, tree, node, global);
      } else {
        check_split(e, tree, node, global);
      }
      if (e.has_cover) check_cover(e, tree, node, global);
    }
    check_topology(e, tree, stack, seen);
  }
  return std::make_shared<const TreeEnsemble>(std::move(e));
}

}  // namespace leafshap
