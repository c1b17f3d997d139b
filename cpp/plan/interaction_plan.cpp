#include "plan/interaction_plan.hpp"

#include <algorithm>
#include <type_traits>

namespace leafshap {
namespace {

// Float sums are added to the double sums after so many additions, in the mean over the slots that
// the trees touched and in any.
constexpr Index kMeanAdditions = 32, kMostAdditions = 512;

}  // namespace

// Compiles one tree after the other into the plan's arrays, from the nodes of its walk.
template <typename T>
class InteractionPlan<T>::Compiler {
 public:
  explicit Compiler(InteractionPlan& plan) : plan_(plan), walks_(plan.path_) {}

  void compile(const PathTree<T>& tree, std::size_t n_nodes) {
    points_ = walks_.points(tree);
    off_begin_.push_back(plan_.off_.size());
    for (const double t : points_) plan_.off_.push_back(static_cast<T>(-1 / (1 - t)));
    for (std::size_t i = 0; i < n_nodes; ++i) add_node(tree.nodes[i]);
    while (n_followed_ > 0) leave_edge();
  }

  // Pairs hold their slots from 0 and trees their arrays by offset until all are known.
  void resolve() {
    plan_.pair_slots_.finish();
    const auto n_features = static_cast<std::uint32_t>(walks_.slots().size());
    for (PathPair& pair : plan_.node_pairs_) pair.slot += n_features;
    for (std::size_t i = 0; i < walks_.trees().size(); ++i) {
      const std::size_t first = walks_.trees()[i].nodes - walks_.nodes().data();
      plan_.trees_.push_back(
          {plan_.nodes_.data() + first, plan_.off_.data() + off_begin_[i], nullptr, 0});
    }
    if (std::is_same_v<T, float>) set_flushes();
  }

 private:
  // A node of the path and the edge by which the path leaves it. The edges that are the nearest of
  // their feature are linked, from the lowest to the root's.
  struct Level {
    std::size_t node;           // among the nodes of all trees
    std::int32_t edge;          // -1: none yet
    std::int32_t above, below;  // levels of the neighbours, or -1
  };

  // Nodes come parents first, so the nodes before have left the path above this one.
  void add_node(const PathNode<T>& node) {
    while (n_followed_ > std::max(node.level - 1, 0)) leave_edge();
    if (node.level > 0) follow_edge(node.source - 1);
    InteractionNode out{plan_.node_pairs_.size(), 0, 0};
    const int own = node.ancestor < 0 ? -1 : node.ancestor / 2;
    for (int level = lowest_; level >= 0; level = levels_[level].above) {
      if (level == own) continue;
      const std::uint32_t slot = pair_slot(node, walks_.nodes()[levels_[level].node]);
      plan_.node_pairs_.push_back({slot, static_cast<std::uint32_t>(levels_[level].edge)});
      ++out.n_pairs;
    }
    if (levels_.size() <= static_cast<std::size_t>(node.level)) levels_.emplace_back();
    levels_[node.level] = {plan_.nodes_.size(), -1, -1, -1};
    plan_.nodes_.push_back(out);
  }

  std::uint32_t pair_slot(const PathNode<T>& a, const PathNode<T>& b) {
    const Slot& slot = walks_.slots()[a.slot];
    return plan_.pair_slots_.slot_of(slot.feature, walks_.slots()[b.slot].feature, slot.output,
                                     walks_.ensemble().leaf_width());
  }

  void follow_edge(std::int32_t edge) {
    Level& level = levels_[n_followed_];
    if (level.edge < 0) add_factors(level.node);
    level.edge = edge;
    const std::int32_t hidden = walks_.nodes()[level.node].ancestor;
    if (hidden >= 0) unlink(hidden / 2);
    level.above = lowest_;
    if (lowest_ >= 0) levels_[lowest_].below = n_followed_;
    level.below = -1;
    lowest_ = n_followed_++;
  }

  void leave_edge() {
    const Level& level = levels_[--n_followed_];
    lowest_ = level.above;
    if (lowest_ >= 0) levels_[lowest_].below = -1;
    const std::int32_t hidden = walks_.nodes()[level.node].ancestor;
    if (hidden >= 0) relink(hidden / 2);
  }

  // A level keeps its links while it is out, and comes back before they change.
  void unlink(std::int32_t i) {
    const Level& level = levels_[i];
    (level.below >= 0 ? levels_[level.below].above : lowest_) = level.above;
    if (level.above >= 0) levels_[level.above].below = level.below;
  }
  void relink(std::int32_t i) {
    const Level& level = levels_[i];
    (level.below >= 0 ? levels_[level.below].above : lowest_) = i;
    if (level.above >= 0) levels_[level.above].below = i;
  }

  // h of both edges of a node that others stand below.
  void add_factors(std::size_t index) {
    InteractionNode& out = plan_.nodes_[index];
    out.factors = plan_.factors_.size();
    const PathNode<T>& node = walks_.nodes()[index];
    for (const double z :
         {-static_cast<double>(node.toward_right), static_cast<double>(node.toward_left)}) {
      for (const double t : points_) {
        plan_.factors_.push_back(static_cast<T>((1 - z) / (t + (1 - t) * z)));
      }
    }
  }

  // After which trees, and in which slots, the float sums are added to the double sums.
  void set_flushes() {
    std::vector<Index> additions(plan_.n_slots(), 0);
    std::vector<std::uint32_t> touched;
    std::vector<std::size_t> begins;
    Index total = 0, most = 0;
    const auto add = [&](std::uint32_t first) {
      for (OutputId k = 0; k < walks_.ensemble().leaf_width(); ++k, ++total) {
        if (additions[first + k]++ == 0) touched.push_back(first + k);
      }
      most = std::max(most, additions[first]);
    };
    for (std::size_t i = 0; i < plan_.trees_.size(); ++i) {
      InteractionTree<T>& tree = plan_.trees_[i];
      const bool last = i + 1 == plan_.trees_.size();
      const InteractionNode* end =
          last ? plan_.nodes_.data() + plan_.nodes_.size() : plan_.trees_[i + 1].nodes;
      const PathNode<T>* node = walks_.trees()[i].nodes;
      for (const InteractionNode* extra = tree.nodes; extra != end; ++extra, ++node) {
        add(node->slot);
        for (std::uint32_t p = 0; p < extra->n_pairs; ++p) {
          add(plan_.node_pairs_[extra->pairs + p].slot);
        }
      }
      begins.push_back(plan_.flushed_.size());
      if (!last && most < kMostAdditions &&
          total < kMeanAdditions * static_cast<Index>(touched.size())) {
        continue;
      }
      tree.n_flush = touched.size();
      plan_.flushed_.insert(plan_.flushed_.end(), touched.begin(), touched.end());
      for (const std::uint32_t slot : touched) additions[slot] = 0;
      touched.clear();
      total = most = 0;
    }
    for (std::size_t i = 0; i < begins.size(); ++i) {
      plan_.trees_[i].flush = plan_.flushed_.data() + begins[i];
    }
  }

  InteractionPlan& plan_;
  const PathPlan<T>& walks_;
  std::span<const double> points_;  // of the tree that is compiled
  std::vector<Level> levels_;
  std::int32_t n_followed_ = 0;         // edges of the path
  std::int32_t lowest_ = -1;            // level of the lowest of them
  std::vector<std::size_t> off_begin_;  // by tree
};

template <typename T>
InteractionPlan<T>::InteractionPlan(const PathPlan<T>& path) : path_(path) {
  nodes_.reserve(path.nodes().size());
  Compiler compiler(*this);
  const auto& trees = path.trees();
  for (std::size_t i = 0; i < trees.size(); ++i) {
    const PathNode<T>* end =
        i + 1 < trees.size() ? trees[i + 1].nodes : path.nodes().data() + path.nodes().size();
    compiler.compile(trees[i], static_cast<std::size_t>(end - trees[i].nodes));
  }
  compiler.resolve();
}

template class InteractionPlan<float>;
template class InteractionPlan<double>;

}  // namespace leafshap
