#include "engine/cover_engine.hpp"

#include <algorithm>
#include <utility>

#include "ir/builder.hpp"
#include "ir/predict.hpp"
#include "ir/statistics.hpp"

namespace leafshap {

std::shared_ptr<const TreeEnsemble> recount_cover(const TreeEnsemble& e, const Rows& rows,
                                                  const std::vector<double>& weights, int n_threads,
                                                  Cancellation& cancellation) {
  // A block of trees sees some rows at a time while they are in cache. One thread adds up a
  // tree's rows in their order, so weighted sums do not depend on the number of threads.
  constexpr Index kTrees = 8, kRows = 512;
  std::vector<double> cover(static_cast<std::size_t>(e.n_nodes()), 0.0);

  const auto count_leaves = [&](const auto& view, Index first_tree, const Stop& stop) {
    const Index end_tree = std::min(first_tree + kTrees, e.n_trees());
    for (Index begin = 0; begin < view.n_rows; begin += kRows) {
      if (stop()) return;
      const Index end = std::min(begin + kRows, view.n_rows);
      for (Index tree = first_tree; tree < end_tree; ++tree) {
        for (Index i = begin; i < end; ++i) {
          cover[find_leaf(e, tree, view.row(i))] += weights.empty() ? 1.0 : weights[i];
        }
      }
    }
  };
  parallel_blocks((e.n_trees() + kTrees - 1) / kTrees, n_threads, cancellation, [&] {
    return [&](Index block, const Stop& stop) {
      std::visit([&](const auto& view) { count_leaves(view, block * kTrees, stop); }, rows);
    };
  });

  for (Index tree = 0; tree < e.n_trees(); ++tree) {
    const Index offset = e.tree_offsets[tree];
    const NodeOrder order = parents_first(e, tree);
    for (auto node = order.nodes.rbegin(); node != order.nodes.rend(); ++node) {
      const Index global = offset + *node;
      if (e.left[global] == -1) continue;
      cover[global] = cover[offset + e.left[global]] + cover[offset + e.right[global]];
    }
  }
  TreeEnsemble counted = e;
  counted.cover = std::move(cover);
  counted.has_cover = true;
  return build_ensemble(std::move(counted));
}

}  // namespace leafshap
