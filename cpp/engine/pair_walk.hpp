// Interactions of the leaves that no table explains: each row with each background row, one by one.
#pragma once

#include <vector>

#include "engine/background.hpp"
#include "engine/parallel.hpp"
#include "ir/tree.hpp"
#include "plan/pattern_plan.hpp"

namespace leafshap {

// Adds, to the sums of one explained row after the other, what the plan's pairwise leaves
// contribute.
class PairWalk {
 public:
  PairWalk(const PatternPlan& plan, const Background& background);

  // sums is (n_slots) of the plan: SHAP values and halves of interactions. False if it was stopped.
  bool add(const Rows& rows, Index row, double* sums, const Stop& stop);

 private:
  struct Frame {
    NodeId node;
    int stage;
    bool first_left;     // the child that is visited first
    bool both;           // the other one is visited too, for mixtures with the background row
    std::int8_t before;  // state of the node's feature above
  };

  void walk(Index tree, const Rows& rows, Index row, Index background_row, double* sums);
  void add_leaf(Index tree, Index leaf, double weight, double* sums) const;
  // a! u! / (a + u + 1)!
  static double beta(std::size_t a, std::size_t u);

  const PatternPlan& plan_;
  const TreeEnsemble& e_;
  const Background& background_;
  std::vector<Index> trees_;  // with pairwise leaves
  // of the walk: features that only the row, only the background row satisfies
  std::vector<std::int8_t> state_;
  std::vector<FeatureId> row_only_, background_only_;
  std::vector<Frame> stack_;
};

}  // namespace leafshap
