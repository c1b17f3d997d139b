// What the pattern kernels need of an ensemble, computed once: the groups of leaves that share a
// table, the walk that numbers their patterns, and where table entries go.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "ir/tree.hpp"
#include "kernels/patterns.hpp"
#include "plan/feature_pairs.hpp"
#include "plan/pattern_choice.hpp"
#include "plan/quantizer.hpp"

namespace leafshap {

struct PatternOptions {
  PatternMethod method = PatternMethod::kAuto;
  Index n_background = 1;
  bool interactions = false;
  std::size_t value_bytes = sizeof(double);  // of the tables
};

class PatternPlan {
 public:
  // Over the first n_trees trees.
  PatternPlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees,
              const PatternOptions& options);
  PatternPlan(const PatternPlan&) = delete;
  PatternPlan& operator=(const PatternPlan&) = delete;

  const TreeEnsemble& ensemble() const { return *ensemble_; }
  Index n_trees() const { return n_trees_; }
  bool interactions() const { return interactions_; }
  const Quantizer& quantizer() const { return quantizer_; }

  const std::vector<PatternTest>& tests() const { return tests_; }
  const std::vector<PatternGroup>& groups() const { return groups_; }
  const std::vector<PatternLeaf>& leaves() const { return leaves_; }
  const std::vector<PatternLiteral>& literals() const { return literals_; }
  const std::vector<std::uint32_t>& cells() const { return cells_; }
  const std::vector<std::uint32_t>& places() const { return places_; }
  const std::vector<std::uint32_t>& group_slots() const { return group_slots_; }
  const std::vector<double>& leaf_values() const { return leaf_values_; }
  const std::vector<PatternRule>& rules() const { return rules_; }
  // Steps of the trees that hold the groups [first, end).
  std::span<const PatternStep> steps_of(std::uint32_t first, std::uint32_t end) const;
  std::int32_t n_levels() const { return n_levels_; }
  bool scattered() const { return scattered_; }

  // Slots of phi: for every output, features from slot_of_feature, then pairs, padded to n_slots.
  std::size_t n_slots() const { return output_slots_ * ensemble_->n_outputs; }
  std::size_t slot_of_feature(FeatureId feature, OutputId output) const {
    return output * output_slots_ + static_cast<std::size_t>(feature);
  }
  std::size_t slot_of_pair(std::size_t pair, OutputId output) const {
    return output * output_slots_ + static_cast<std::size_t>(ensemble_->n_features) + pair;
  }
  const std::vector<FeaturePair>& pairs() const { return pairs_; }  // with interactions

  std::size_t table_size() const { return table_size_; }  // numbers, of all groups
  std::size_t count_size() const { return count_size_; }

  // Leaves by global node that no table explains.
  const std::vector<bool>& pairwise_leaves() const { return pairwise_leaves_; }
  Index n_pairwise_leaves() const { return n_pairwise_leaves_; }
  // What the trees without any split predict, with the tables' constant part taken out: (K).
  const std::vector<double>& constant() const { return constant_; }

 private:
  class Compiler;
  void lay_out_slots(const PatternOptions& options);

  std::shared_ptr<const TreeEnsemble> ensemble_;
  Index n_trees_;
  bool interactions_;
  Quantizer quantizer_;
  std::vector<FeaturePair> pairs_;
  std::size_t output_slots_ = 0;
  bool scattered_ = false;
  struct TreeBegin {
    std::uint32_t group;
    std::size_t step;
  };
  std::vector<TreeBegin> tree_begins_;  // of trees with groups
  std::vector<PatternStep> steps_;
  std::vector<PatternTest> tests_;
  std::vector<PatternGroup> groups_;
  std::vector<PatternLeaf> leaves_;
  std::vector<PatternLiteral> literals_;
  std::vector<std::uint32_t> cells_, places_, group_slots_;
  std::vector<double> leaf_values_;
  std::vector<PatternRule> rules_;
  std::int32_t n_levels_ = 0;
  std::size_t table_size_ = 0, count_size_ = 0;
  std::vector<bool> pairwise_leaves_;
  Index n_pairwise_leaves_ = 0;
  std::vector<double> constant_;
};

}  // namespace leafshap
