// What evaluating coalitions needs of an ensemble, computed once: the trees' nodes, and for trees
// whose leaves count by shares of the background, the walk that counts its patterns.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ir/tree.hpp"
#include "kernels/game.hpp"
#include "plan/quantizer.hpp"

namespace leafshap {

struct GamePlanLeaf {
  std::uint32_t features, n_features;  // of an averaged tree: distinct, on its path, by bit
  std::uint32_t table;                 // first entry of its shares by pattern
  std::uint32_t value;                 // first of its weighted values (leaf width)
};

struct GamePlanTree {
  std::uint32_t node;  // first; the last one is the root
  std::uint32_t n_nodes;
  OutputId output;  // of the leaves' first value
  bool averaged;    // over the whole background at once, else by pairs
};

class GamePlan {
 public:
  // Over the first n_trees trees. Trees are averaged if `averages` and their tables of shares are
  // small enough; the others are evaluated by pairs.
  GamePlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees, bool averages);
  GamePlan(const GamePlan&) = delete;
  GamePlan& operator=(const GamePlan&) = delete;

  const TreeEnsemble& ensemble() const { return *ensemble_; }
  Index n_trees() const { return n_trees_; }
  const Quantizer& quantizer() const { return quantizer_; }

  const std::vector<GamePlanTree>& trees() const { return trees_; }  // that have a split
  const std::vector<GameNode>& nodes() const { return nodes_; }
  const std::vector<FeatureId>& features() const { return features_; }  // of the nodes
  const std::vector<GamePlanLeaf>& leaves() const { return leaves_; }   // child i is leaf ~i
  const std::vector<FeatureId>& leaf_features() const { return leaf_features_; }
  const std::vector<double>& leaf_values() const { return leaf_values_; }
  // Base values and what trees without a split add: (K).
  const std::vector<double>& constant() const { return constant_; }
  Index n_by_pairs() const { return n_by_pairs_; }    // trees
  Index most_levels() const { return most_levels_; }  // of inner nodes, of trees by pairs

  // The background's patterns at the leaves of averaged trees are counted as those of groups; a
  // group's counts lie where its leaf's table does.
  const std::vector<PatternStep>& steps() const { return steps_; }
  const std::vector<PatternTest>& tests() const { return tests_; }
  const std::vector<PatternGroup>& groups() const { return groups_; }
  std::int32_t n_levels() const { return n_levels_; }  // of averaged trees
  std::size_t table_size() const { return table_size_; }

 private:
  class Compiler;

  std::shared_ptr<const TreeEnsemble> ensemble_;
  Index n_trees_;
  Quantizer quantizer_;
  std::vector<GamePlanTree> trees_;
  std::vector<GameNode> nodes_;
  std::vector<FeatureId> features_;
  std::vector<GamePlanLeaf> leaves_;
  std::vector<FeatureId> leaf_features_;
  std::vector<double> leaf_values_, constant_;
  std::vector<PatternStep> steps_;
  std::vector<PatternTest> tests_;
  std::vector<PatternGroup> groups_;
  std::int32_t n_levels_ = 0;
  Index n_by_pairs_ = 0, most_levels_ = 0;
  std::size_t table_size_ = 0;
};

}  // namespace leafshap
