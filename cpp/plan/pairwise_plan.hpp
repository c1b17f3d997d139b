// What the pairwise kernel needs, computed once: the walk of every tree, the background's ranks by
// tile, and the Shapley weights.
#pragma once

#include <memory>
#include <vector>

#include "ir/tree.hpp"
#include "kernels/kernels.hpp"
#include "plan/path_plan.hpp"
#include "plan/quantizer.hpp"

namespace leafshap {

template <typename T>
class PairwisePlan {
 public:
  using Value = T;

  // Over the first n_trees trees. The background's weights (empty: all equal) need not add up to 1.
  // If leaves is not empty, it says of every node of the ensemble whether it is a leaf that is
  // explained; all other leaves count as 0.
  PairwisePlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees, const Rows& background,
               const std::vector<double>& weights, const std::vector<bool>& leaves = {});
  PairwisePlan(const PairwisePlan&) = delete;  // trees() points into the plan's own arrays
  PairwisePlan& operator=(const PairwisePlan&) = delete;

  const TreeEnsemble& ensemble() const { return *ensemble_; }
  Index n_trees() const { return n_trees_; }
  const Quantizer& quantizer() const { return quantizer_; }

  Index n_background() const { return n_background_; }
  // Of the background, adding up to 1; 0 for the padding of the last tile.
  const std::vector<double>& weights() const { return weights_; }
  const std::vector<std::uint16_t>& ranks() const { return ranks_; }  // (tiles, n_columns, tile)

  const std::vector<PairwiseTree>& trees() const { return trees_; }
  const std::vector<T>& leaf_values() const { return leaf_values_; }
  const std::vector<Slot>& slots() const { return slots_; }
  std::size_t n_levels() const { return n_levels_; }
  PairwiseWeights<T> shapley_weights() const {
    return {pos_.data(), neg_.data(), pos_last_.data(), neg_last_.data(), short_paths_};
  }

 private:
  class Compiler;
  void tabulate_weights(std::size_t n_distinct);

  std::shared_ptr<const TreeEnsemble> ensemble_;
  Index n_trees_;
  Quantizer quantizer_;
  Index n_background_;
  std::vector<double> weights_;
  std::vector<std::uint16_t> ranks_;
  std::vector<PairwiseTree> trees_;
  std::vector<PairwiseStep> steps_;
  std::vector<PairwiseNode> nodes_;
  std::vector<PairwiseColumn> tree_columns_;
  std::vector<std::uint32_t> tree_slots_;
  std::vector<T> leaf_values_;
  std::vector<Slot> slots_;
  std::size_t n_levels_ = 1;
  std::vector<T> shapley_weights_;
  std::vector<const T*> pos_, neg_;
  std::vector<std::int32_t> pos_last_, neg_last_;
  bool short_paths_ = true;
};

extern template class PairwisePlan<float>;
extern template class PairwisePlan<double>;

}  // namespace leafshap
