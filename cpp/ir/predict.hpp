// The plain scalar reference: what every kernel and every converter is checked against.
#pragma once

#include "ir/split.hpp"
#include "ir/tree.hpp"

namespace leafshap {

// The leaf (global node) that a row reaches.
template <typename T>
Index find_leaf(const TreeEnsemble& e, Index tree, const T* row) {
  const Index offset = e.tree_offsets[tree];
  Index node = offset;
  while (e.left[node] != -1) {
    const double x = read_value(e.input, row[e.split_feature[node]]);
    node = offset + (goes_left(e, node, x) ? e.left[node] : e.right[node]);
  }
  return node;
}

// Raw margin of one row over the first n_used trees; out has K entries.
template <typename T>
void predict_row(const TreeEnsemble& e, const T* row, Index n_used, double* out) {
  for (OutputId k = 0; k < e.n_outputs; ++k) out[k] = e.base_values[k];
  for (Index tree = 0; tree < n_used; ++tree) {
    const double* leaf = e.leaf(find_leaf(e, tree, row));
    const double weight = e.weight(tree, n_used);
    if (e.vector_leaves) {
      for (OutputId k = 0; k < e.n_outputs; ++k) out[k] += weight * leaf[k];
    } else {
      out[e.tree_output[tree]] += weight * leaf[0];
    }
  }
}

}  // namespace leafshap
