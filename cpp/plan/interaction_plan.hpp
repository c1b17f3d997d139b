// What interactions need besides the walks of a PathPlan: for every node the edges above it that
// test other features, the factors h of every edge, and where the pairs are added up.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/kernels.hpp"
#include "plan/path_plan.hpp"
#include "plan/slots.hpp"

namespace leafshap {

template <typename T>
class InteractionPlan {
 public:
  using Value = T;

  // Of the trees of a plan, which must outlive this one.
  explicit InteractionPlan(const PathPlan<T>& path);
  InteractionPlan(const InteractionPlan&) = delete;  // trees() points into the plan's own arrays
  InteractionPlan& operator=(const InteractionPlan&) = delete;

  const PathPlan<T>& path() const { return path_; }
  const std::vector<InteractionTree<T>>& trees() const { return trees_; }
  const std::vector<PathPair>& node_pairs() const { return node_pairs_; }
  const std::vector<T>& factors() const { return factors_; }

  // Slots of pairs follow those of features.
  const PairSlots& pair_slots() const { return pair_slots_; }
  std::size_t n_slots() const { return path_.slots().size() + pair_slots_.slots().size(); }

 private:
  class Compiler;

  const PathPlan<T>& path_;
  std::vector<InteractionTree<T>> trees_;
  std::vector<InteractionNode> nodes_;  // as the nodes of path_
  std::vector<PathPair> node_pairs_;
  std::vector<T> factors_, off_;
  std::vector<std::uint32_t> flushed_;
  PairSlots pair_slots_;
};

extern template class InteractionPlan<float>;
extern template class InteractionPlan<double>;

}  // namespace leafshap
