#include "plan/game_plan.hpp"

#include <algorithm>
#include <limits>

#include "error.hpp"
#include "ir/statistics.hpp"
#include "plan/leaf_range.hpp"

namespace leafshap {
namespace {

// Of all tables of shares.
constexpr std::size_t kTableBytes = std::size_t{256} << 20;

}  // namespace

// Compiles one tree after the other into the plan's arrays.
class GamePlan::Compiler {
 public:
  Compiler(GamePlan& plan, bool averages)
      : plan_(plan),
        e_(*plan.ensemble_),
        averages_(averages),
        position_(static_cast<std::size_t>(e_.n_features), -1) {}

  void compile(Index tree) {
    tree_ = tree;
    offset_ = e_.tree_offsets[tree];
    weight_ = e_.weight(tree, plan_.n_trees_);
    if (is_leaf(0)) {
      for (OutputId k = 0; k < e_.leaf_width(); ++k) {
        const OutputId output = e_.vector_leaves ? k : e_.tree_output[tree];
        plan_.constant_[output] += weight_ * e_.leaf(offset_)[k];
      }
      return;
    }
    count_leaves();
    averaged_ = averages_ && fits();
    if (!averaged_) {
      ++plan_.n_by_pairs_;
      const Index depth = *std::max_element(order_.depth.begin(), order_.depth.end());
      plan_.most_levels_ = std::max(plan_.most_levels_, depth);
    }
    const std::size_t first = plan_.nodes_.size();
    walk();
    const OutputId output = e_.vector_leaves ? 0 : e_.tree_output[tree];
    plan_.trees_.push_back({static_cast<std::uint32_t>(first),
                            static_cast<std::uint32_t>(plan_.nodes_.size() - first), output,
                            averaged_});
  }

 private:
  struct Frame {
    NodeId node;
    std::int32_t place;  // of the node's patterns
    int n_children_done;
    bool added;                // the node's feature is new on the path
    std::size_t step;          // that splits its patterns
    std::int32_t children[2];  // as in GameNode
  };

  bool is_leaf(NodeId node) const { return e_.left[offset_ + node] == -1; }
  FeatureId feature(NodeId node) const { return e_.split_feature[offset_ + node]; }

  void count_leaves() {
    order_ = parents_first(e_, tree_);
    n_leaves_.assign(order_.nodes.size(), 1);
    for (auto node = order_.nodes.rbegin(); node != order_.nodes.rend(); ++node) {
      if (is_leaf(*node)) continue;
      n_leaves_[*node] = n_leaves_[e_.left[offset_ + *node]] + n_leaves_[e_.right[offset_ + *node]];
    }
  }

  // Whether the shares of all leaves fit into what is left of the memory.
  bool fits() const {
    const std::size_t most = kTableBytes / sizeof(double);
    std::size_t size = plan_.table_size_;
    std::vector<std::vector<FeatureId>> above(order_.nodes.size());
    for (const NodeId node : order_.nodes) {
      std::vector<FeatureId> path = std::move(above[node]);
      if (is_leaf(node)) {
        size += std::size_t{1} << path.size();
        if (size > most) return false;
        continue;
      }
      if (std::find(path.begin(), path.end(), feature(node)) == path.end()) {
        if (path.size() == kMostGameBits) return false;
        path.push_back(feature(node));
      }
      above[e_.left[offset_ + node]] = path;
      above[e_.right[offset_ + node]] = std::move(path);
    }
    return true;
  }

  // In depth, the child with more leaves first: few results wait for their sibling's.
  void walk() {
    std::vector<Frame> path;
    path.push_back(enter(0, 0, 0));
    while (true) {
      Frame& frame = path.back();
      if (frame.n_children_done < 2) {
        const NodeId sides[] = {e_.left[offset_ + frame.node], e_.right[offset_ + frame.node]};
        const bool right_first = n_leaves_[sides[1]] > n_leaves_[sides[0]];
        const int side = frame.n_children_done++ == 0 ? right_first : !right_first;
        const auto level = static_cast<std::int32_t>(path.size()) - 1;
        const std::int32_t place = 1 + 2 * level + side;
        if (is_leaf(sides[side])) {
          frame.children[side] = add_leaf(sides[side], place);
        } else {
          path.push_back(enter(sides[side], level + 1, place));  // invalidates frame
        }
        continue;
      }
      const std::int32_t index = leave(frame);
      path.pop_back();
      if (path.empty()) return;
      Frame& parent = path.back();
      parent.children[order_of_last(parent)] = index;
    }
  }

  // The side of the child that was entered last.
  int order_of_last(const Frame& frame) const {
    const Index global = offset_ + frame.node;
    const bool right_first = n_leaves_[e_.right[global]] > n_leaves_[e_.left[global]];
    return frame.n_children_done == 1 ? right_first : !right_first;
  }

  Frame enter(NodeId node, std::int32_t level, std::int32_t place) {
    const FeatureId f = feature(node);
    Frame frame{node, place, 0, false, plan_.steps_.size(), {0, 0}};
    if (!averaged_) return frame;
    frame.added = position_[f] < 0;
    if (frame.added) {
      position_[f] = static_cast<std::int32_t>(path_.size());
      path_.push_back(f);
    }
    PatternStep step{};
    step.index = static_cast<std::uint32_t>(plan_.tests_.size());
    step.first_group = static_cast<std::uint32_t>(plan_.groups_.size());
    step.source = place;
    step.target = 1 + 2 * level;
    step.bit = static_cast<std::uint16_t>(1u << position_[f]);
    step.repeated = !frame.added;
    plan_.steps_.push_back(step);
    plan_.tests_.push_back(test_of(node));
    plan_.n_levels_ = std::max(plan_.n_levels_, level + 1);
    return frame;
  }

  std::int32_t leave(const Frame& frame) {
    if (averaged_) {
      PatternStep& step = plan_.steps_[frame.step];
      step.end_group = static_cast<std::uint32_t>(plan_.groups_.size());
      step.n_steps = static_cast<std::uint32_t>(plan_.steps_.size() - frame.step);
      if (frame.added) {
        position_[feature(frame.node)] = -1;
        path_.pop_back();
      }
    }
    plan_.nodes_.push_back({test_of(frame.node), frame.children[0], frame.children[1]});
    plan_.features_.push_back(feature(frame.node));
    const std::size_t first =
        plan_.trees_.empty() ? 0 : plan_.trees_.back().node + plan_.trees_.back().n_nodes;
    return static_cast<std::int32_t>(plan_.nodes_.size() - 1 - first);
  }

  PatternTest test_of(NodeId node) {
    const Quantizer::Test test = plan_.quantizer_.test_of(offset_ + node);
    return {test.column, test.cut, test.categorical, test.category_bits};
  }

  std::int32_t add_leaf(NodeId node, std::int32_t place) {
    GamePlanLeaf leaf{};
    leaf.value = static_cast<std::uint32_t>(plan_.leaf_values_.size());
    for (OutputId k = 0; k < e_.leaf_width(); ++k) {
      const double value = weight_ * e_.leaf(offset_ + node)[k];
      check_leaf(value, sizeof(double), tree_, node);
      plan_.leaf_values_.push_back(value);
    }
    if (plan_.leaf_values_.size() > std::numeric_limits<std::uint32_t>::max()) {
      throw Unsupported("the model has more than 2^32 leaf values");
    }
    if (averaged_) {
      leaf.features = static_cast<std::uint32_t>(plan_.leaf_features_.size());
      leaf.n_features = static_cast<std::uint32_t>(path_.size());
      leaf.table = static_cast<std::uint32_t>(plan_.table_size_);
      plan_.leaf_features_.insert(plan_.leaf_features_.end(), path_.begin(), path_.end());
      PatternGroup group{};
      group.n_path = static_cast<std::int32_t>(path_.size());
      group.counts = plan_.table_size_;
      const auto index = static_cast<std::uint32_t>(plan_.groups_.size());
      plan_.groups_.push_back(group);
      plan_.steps_.push_back({index, index, index + 1, 1, place, 0, 0, 0});
      plan_.table_size_ += std::size_t{1} << path_.size();
    }
    plan_.leaves_.push_back(leaf);
    return ~static_cast<std::int32_t>(plan_.leaves_.size() - 1);
  }

  GamePlan& plan_;
  const TreeEnsemble& e_;
  bool averages_;
  // of the tree that is compiled
  Index tree_ = 0, offset_ = 0;
  double weight_ = 1;
  bool averaged_ = false;
  NodeOrder order_;
  std::vector<Index> n_leaves_;         // below every node
  std::vector<FeatureId> path_;         // distinct features, in order
  std::vector<std::int32_t> position_;  // of a feature in path_, or -1
};

GamePlan::GamePlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees, bool averages)
    : ensemble_(std::move(ensemble)),
      n_trees_(n_trees),
      quantizer_(*ensemble_, n_trees),
      constant_(ensemble_->base_values) {
  Compiler compiler(*this, averages);
  for (Index tree = 0; tree < n_trees; ++tree) compiler.compile(tree);
}

}  // namespace leafshap
