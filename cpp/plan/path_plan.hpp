// What the path-dependent kernel needs of an ensemble, computed once: quadrature constants of every
// node, the order of the walk, and the tests on ranks.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ir/tree.hpp"
#include "kernels/kernels.hpp"
#include "plan/quantizer.hpp"
#include "plan/slots.hpp"

namespace leafshap {

template <typename T>
class PathPlan {
 public:
  using Value = T;

  // Over the first n_trees trees. Throws Unsupported if the ensemble has no cover.
  PathPlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees);
  PathPlan(const PathPlan&) = delete;  // trees() points into the plan's own arrays
  PathPlan& operator=(const PathPlan&) = delete;

  const TreeEnsemble& ensemble() const { return *ensemble_; }
  Index n_trees() const { return n_trees_; }
  const Quantizer& quantizer() const { return quantizer_; }
  const std::vector<double>& expected_values() const { return expected_values_; }

  const std::vector<PathTree<T>>& trees() const { return trees_; }
  const std::vector<PathNode<T>>& nodes() const { return nodes_; }
  // Quadrature points t_k of a tree's walk, beside its weights.
  std::span<const double> points(const PathTree<T>& tree) const {
    return {points_.data() + (tree.weights - weights_.data()),
            static_cast<std::size_t>(tree.n_points)};
  }
  const std::vector<T>& constants() const { return constants_; }
  const std::vector<T>& leaf_values() const { return leaf_values_; }
  const std::vector<Slot>& slots() const { return slots_; }
  std::size_t n_levels() const { return n_levels_; }
  std::size_t points_per_walk() const { return points_per_walk_; }  // at most
  int max_points() const { return max_points_; }  // over all trees, before the split into walks

 private:
  class Compiler;

  std::shared_ptr<const TreeEnsemble> ensemble_;
  Index n_trees_;
  Quantizer quantizer_;
  std::vector<double> expected_values_;
  std::vector<PathTree<T>> trees_;
  std::vector<PathStep> steps_;
  std::vector<PathNode<T>> nodes_;
  std::vector<T> constants_, leaf_values_, weights_;
  std::vector<double> points_;
  std::vector<Slot> slots_;
  std::size_t n_levels_ = 1, points_per_walk_ = 1;
  int max_points_ = 0;
};

extern template class PathPlan<float>;
extern template class PathPlan<double>;

}  // namespace leafshap
