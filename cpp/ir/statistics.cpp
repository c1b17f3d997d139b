#include "ir/statistics.hpp"

#include <algorithm>

namespace leafshap {

NodeOrder parents_first(const TreeEnsemble& e, Index tree) {
  const Index offset = e.tree_offsets[tree];
  const auto size = static_cast<std::size_t>(e.tree_offsets[tree + 1] - offset);
  NodeOrder order{{0}, std::vector<Index>(size, 0)};
  order.nodes.reserve(size);
  for (std::size_t i = 0; i < order.nodes.size(); ++i) {
    const NodeId node = order.nodes[i];
    if (e.left[offset + node] == -1) continue;
    for (const NodeId child : {e.left[offset + node], e.right[offset + node]}) {
      order.depth[child] = order.depth[node] + 1;
      order.nodes.push_back(child);
    }
  }
  return order;
}

Index max_depth(const TreeEnsemble& e) {
  Index deepest = 0;
  for (Index tree = 0; tree < e.n_trees(); ++tree) {
    for (const Index depth : parents_first(e, tree).depth) deepest = std::max(deepest, depth);
  }
  return deepest;
}

Index n_leaves(const TreeEnsemble& e) { return std::count(e.left.begin(), e.left.end(), -1); }

std::vector<double> node_expectations(const TreeEnsemble& e, Index tree) {
  const Index offset = e.tree_offsets[tree];
  const OutputId width = e.leaf_width();
  const NodeOrder order = parents_first(e, tree);
  std::vector<double> mean(order.nodes.size() * width);
  for (auto node = order.nodes.rbegin(); node != order.nodes.rend(); ++node) {
    const Index global = offset + *node;
    double* target = mean.data() + Index{*node} * width;
    if (e.left[global] == -1) {
      std::copy_n(e.leaf(global), width, target);
      continue;
    }
    const double ratio = e.left_ratio(offset, *node);
    const double* l = mean.data() + Index{e.left[global]} * width;
    const double* r = mean.data() + Index{e.right[global]} * width;
    for (OutputId k = 0; k < width; ++k) target[k] = ratio * l[k] + (1 - ratio) * r[k];
  }
  return mean;
}

std::vector<double> expected_values(const TreeEnsemble& e, Index n_used) {
  std::vector<double> expected = e.base_values;
  for (Index tree = 0; tree < n_used; ++tree) {
    const std::vector<double> mean = node_expectations(e, tree);
    const double weight = e.weight(tree, n_used);
    for (OutputId k = 0; k < e.leaf_width(); ++k) {
      expected[e.vector_leaves ? k : e.tree_output[tree]] += weight * mean[k];
    }
  }
  return expected;
}

}  // namespace leafshap
