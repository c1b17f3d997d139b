#include "plan/path_plan.hpp"

#include <algorithm>
#include <map>
#include <span>
#include <type_traits>

#include "error.hpp"
#include "ir/statistics.hpp"
#include "plan/leaf_range.hpp"
#include "plan/quadrature.hpp"

namespace leafshap {
namespace {

// Error of a leaf's quadrature for the worst row, in units of the leaf value (docs/maths.md).
template <typename T>
constexpr double kTolerance = std::is_same_v<T, float> ? 2e-7 : 1e-12;

// Float phi is added to the double sums after so many additions, in the mean over slots and in any.
constexpr Index kMeanAdditions = 32, kMostAdditions = 512;

}  // namespace

// Compiles one tree after the other into the plan's arrays.
template <typename T>
class PathPlan<T>::Compiler {
 public:
  explicit Compiler(PathPlan& plan)
      : plan_(plan),
        e_(*plan.ensemble_),
        edge_of_feature_(static_cast<std::size_t>(e_.n_features), -1),
        zero_fraction_(static_cast<std::size_t>(e_.n_features), 1.0) {}

  void compile(Index tree) {
    tree_ = tree;
    offset_ = e_.tree_offsets[tree];
    if (is_leaf(0)) return;
    weight_ = e_.weight(tree, plan_.n_trees_);
    mean_ = node_expectations(e_, tree);  // the root's values come first
    const int n_points = points_of_tree(e_, tree, kTolerance<T>, bound_);
    plan_.max_points_ = std::max(plan_.max_points_, n_points);
    const Quadrature rule = gauss_legendre(n_points);
    // more points than a walk has: as many walks as it takes, each with some of the points
    const int n_walks = (n_points + kMaxPoints - 1) / kMaxPoints;
    for (int walk = 0; walk < n_walks; ++walk) {
      const auto begin = static_cast<std::size_t>(n_points * walk / n_walks);
      const auto end = static_cast<std::size_t>(n_points * (walk + 1) / n_walks);
      points_ = std::span(rule.points).subspan(begin, end - begin);
      emit_tree(std::span(rule.weights).subspan(begin, end - begin));
    }
  }

  // Steps, nodes and weights were appended by offset, since their arrays moved while they grew.
  void resolve() {
    for (std::size_t i = 0; i < plan_.trees_.size(); ++i) {
      PathTree<T>& tree = plan_.trees_[i];
      tree.steps = plan_.steps_.data() + begins_[i].step;
      tree.nodes = plan_.nodes_.data() + begins_[i].node;
      tree.weights = plan_.weights_.data() + begins_[i].weight;
    }
    set_flushes();
  }

 private:
  enum class Stage : std::uint8_t { kEnter, kTurn, kClose };
  struct Frame {
    NodeId node;
    Stage stage;
    std::uint32_t index;      // of the emitted node
    std::int32_t edge_above;  // state of the node's feature above it
    double zero_fraction_above;
  };
  struct Begin {
    std::size_t step, node, weight;
  };

  bool is_leaf(NodeId node) const { return e_.left[offset_ + node] == -1; }
  NodeId left(NodeId node) const { return e_.left[offset_ + node]; }
  NodeId right(NodeId node) const { return e_.right[offset_ + node]; }
  bool is_bottom(NodeId node) const {
    return !is_leaf(node) && is_leaf(left(node)) && is_leaf(right(node));
  }
  bool is_low(NodeId node) const { return is_leaf(node) || is_bottom(node); }

  void emit_tree(std::span<const double> weights) {
    const Begin begin{plan_.steps_.size(), plan_.nodes_.size(), plan_.weights_.size()};
    begins_.push_back(begin);
    plan_.weights_.insert(plan_.weights_.end(), weights.begin(), weights.end());
    plan_.points_.insert(plan_.points_.end(), points_.begin(), points_.end());
    stack_.assign(1, Frame{0, Stage::kEnter, 0, -1, 1.0});
    level_ = 0;
    node_at_level_.clear();
    while (!stack_.empty()) advance();
    PathTree<T> tree{};
    tree.n_steps = plan_.steps_.size() - begin.step;
    tree.n_points = static_cast<std::int32_t>(weights.size());
    plan_.points_per_walk_ = std::max(plan_.points_per_walk_, weights.size());
    tree.n_levels = static_cast<std::int32_t>(node_at_level_.size());
    plan_.n_levels_ = std::max(plan_.n_levels_, node_at_level_.size());
    plan_.trees_.push_back(tree);
  }

  void step(PathOp op, std::uint32_t node, std::uint32_t flags = 0) {
    const std::uint32_t code = kPathFlags * static_cast<std::uint32_t>(op) + flags;
    plan_.steps_.push_back({code + emitted(node).repeated, node});
  }
  PathNode<T>& emitted(std::uint32_t node) { return plan_.nodes_[begins_.back().node + node]; }

  // Advances the node on top of the stack: emits it and enters its left child, turns to the right
  // child, or closes it.
  void advance() {
    Frame& frame = stack_.back();
    const NodeId node = frame.node;
    switch (frame.stage) {
      case Stage::kEnter:
        if (is_bottom(node) || (!e_.vector_leaves && is_low(left(node)) && is_low(right(node)))) {
          emit_low_subtree(node);
          stack_.pop_back();
          --level_;
          return;
        }
        frame.index = emit_node(node);
        remember(frame);
        step(is_leaf(left(node))    ? PathOp::kOpenRight
             : is_leaf(right(node)) ? PathOp::kOpenLeft
                                    : PathOp::kOpen,
             frame.index);
        frame.stage = Stage::kTurn;
        if (!is_leaf(left(node))) descend(frame, left(node), true);
        return;
      case Stage::kTurn:
        frame.stage = Stage::kClose;
        if (!is_leaf(right(node))) descend(frame, right(node), false);
        return;
      case Stage::kClose:
        step(is_leaf(left(node))    ? PathOp::kCloseLeftLeaf
             : is_leaf(right(node)) ? PathOp::kCloseRightLeaf
                                    : PathOp::kClose,
             frame.index);
        restore(frame);
        stack_.pop_back();
        --level_;
        return;
    }
  }

  // A node whose children are leaves or bottom nodes: one step, its bottom nodes follow it.
  void emit_low_subtree(NodeId node) {
    if (is_bottom(node)) {
      step(PathOp::kBottom, emit_node(node));
      return;
    }
    Frame frame{node, Stage::kEnter, emit_node(node), -1, 1.0};
    remember(frame);
    std::uint32_t flags = 0;
    for (const bool to_left : {true, false}) {
      const NodeId child = to_left ? left(node) : right(node);
      if (is_leaf(child)) continue;
      follow_edge(frame, to_left);
      ++level_;
      if (emitted(emit_node(child)).repeated) flags |= to_left ? 2 : 4;
      --level_;
    }
    restore(frame);
    step(is_leaf(left(node))    ? PathOp::kPairLeftLeaf
         : is_leaf(right(node)) ? PathOp::kPairRightLeaf
                                : PathOp::kPair,
         frame.index, flags);
  }

  FeatureId feature(NodeId node) const { return e_.split_feature[offset_ + node]; }

  // The state of a feature on the path: where it was tested last, and its zero fraction z.
  void remember(Frame& frame) const {
    frame.edge_above = edge_of_feature_[feature(frame.node)];
    frame.zero_fraction_above = zero_fraction_[feature(frame.node)];
  }
  void restore(const Frame& frame) {
    edge_of_feature_[feature(frame.node)] = frame.edge_above;
    zero_fraction_[feature(frame.node)] = frame.zero_fraction_above;
  }
  void follow_edge(const Frame& frame, bool to_left) {
    const double ratio = e_.left_ratio(offset_, frame.node);
    edge_of_feature_[feature(frame.node)] = edge_of_level_[level_] = 2 * level_ + (to_left ? 0 : 1);
    zero_fraction_[feature(frame.node)] = frame.zero_fraction_above * (to_left ? ratio : 1 - ratio);
  }
  void descend(const Frame& frame, NodeId child, bool to_left) {
    follow_edge(frame, to_left);
    ++level_;
    stack_.push_back(Frame{child, Stage::kEnter, 0, -1, 1.0});  // invalidates frame
  }

  std::uint32_t emit_node(NodeId node) {
    const FeatureId f = feature(node);
    const double r = e_.left_ratio(offset_, node);
    const double z_a = zero_fraction_[f], z_left = z_a * r, z_right = z_a * (1 - r);
    const Quantizer::Test test = plan_.quantizer_.test_of(offset_ + node);
    // With scalar leaves, S = v_R + Q_L (v_L - v_R) of a bottom node takes Q_L's place.
    const bool folded = is_bottom(node) && !e_.vector_leaves;
    const double v_right = folded ? leaf_value(right(node), 0) : 0;
    const double d = folded ? leaf_value(left(node), 0) - v_right : 1;

    PathNode<T> out{};
    out.toward_left = static_cast<T>(z_right * d);
    out.toward_right = static_cast<T>(-z_left * d);
    out.ratio = static_cast<T>(v_right + r * d);
    out.level = level_;
    out.source = level_ == 0 ? 0 : 1 + edge_of_level_[level_ - 1];
    out.ancestor = edge_of_feature_[f];
    out.slot = slot_of(f);
    out.column = test.column;
    out.cut = test.cut;
    out.repeated = out.ancestor >= 0;
    out.categorical = test.categorical;
    out.category_bits = test.category_bits;
    if (is_leaf(left(node)) && !folded) out.left_values = emit_leaf(left(node));
    if (is_leaf(right(node)) && !folded) out.right_values = emit_leaf(right(node));
    out.constants = plan_.constants_.size();
    for (const double goes_left : {0.0, 1.0}) {
      for (const double t : points_) {
        const double q = (goes_left * t + (1 - t) * z_left) / (t + (1 - t) * z_a);
        plan_.constants_.push_back(static_cast<T>(v_right + q * d));
      }
    }
    if (out.repeated) {
      for (const double t : points_) {
        const double f_a = t + (1 - t) * z_a;
        plan_.constants_.push_back(static_cast<T>(1 / (f_a * f_a)));
      }
    }
    plan_.nodes_.push_back(out);
    if (out.repeated) emitted(node_at_level_[out.ancestor / 2]).repeated_below = 1;
    if (node_at_level_.size() <= static_cast<std::size_t>(level_)) {
      node_at_level_.resize(level_ + 1);
      edge_of_level_.resize(level_ + 1);
    }
    node_at_level_[level_] =
        static_cast<std::uint32_t>(plan_.nodes_.size() - 1 - begins_.back().node);
    return node_at_level_[level_];
  }

  // A constant added to all leaves changes no phi; around the tree's mean they lose fewer digits.
  double leaf_value(NodeId node, OutputId k) const {
    const double value = weight_ * (e_.leaf(offset_ + node)[k] - mean_[k]);
    check_leaf(value, sizeof(T), tree_, node);
    return value;
  }

  std::size_t emit_leaf(NodeId node) {
    const std::size_t begin = plan_.leaf_values_.size();
    for (OutputId k = 0; k < e_.leaf_width(); ++k) {
      plan_.leaf_values_.push_back(static_cast<T>(leaf_value(node, k)));
    }
    return begin;
  }

  // First of the feature's slots in this tree: one, or one for each output of a vector leaf.
  std::uint32_t slot_of(FeatureId f) {
    const OutputId first_output = e_.vector_leaves ? 0 : e_.tree_output[tree_];
    const auto next = static_cast<std::uint32_t>(plan_.slots_.size());
    const auto [place, added] = slots_.try_emplace({f, first_output}, next);
    if (added) {
      for (OutputId k = 0; k < e_.leaf_width(); ++k) {
        plan_.slots_.push_back({f, first_output + k});
      }
    }
    return place->second;
  }

  // Float: after which trees phi is added to the double sums. A few features may take most of the
  // additions, so the fullest slot counts as well as the mean.
  void set_flushes() {
    std::vector<Index> additions(plan_.slots_.size(), 0);
    Index total = 0, most = 0;
    for (std::size_t i = 0; i < plan_.trees_.size(); ++i) {
      const std::size_t end = i + 1 < begins_.size() ? begins_[i + 1].node : plan_.nodes_.size();
      for (std::size_t node = begins_[i].node; node < end; ++node) {
        most = std::max(most, ++additions[plan_.nodes_[node].slot]);
        total += e_.leaf_width();
      }
      const bool last = i + 1 == plan_.trees_.size();
      const bool full = total >= kMeanAdditions * static_cast<Index>(additions.size());
      plan_.trees_[i].flush = last || full || most >= kMostAdditions;
      if (plan_.trees_[i].flush) {
        std::fill(additions.begin(), additions.end(), 0);
        total = most = 0;
      }
    }
  }

  PathPlan& plan_;
  const TreeEnsemble& e_;
  // of the tree that is compiled
  Index tree_ = 0, offset_ = 0;
  double weight_ = 1;
  std::vector<double> mean_;        // (leaf width)
  std::span<const double> points_;  // of the walk that is emitted
  std::vector<Frame> stack_;
  std::int32_t level_ = 0;
  std::vector<std::uint32_t> node_at_level_;   // emitted node of the path, by level
  std::vector<std::int32_t> edge_of_level_;    // the path's edge below each level
  std::vector<std::int32_t> edge_of_feature_;  // the path's edge that last tested it, or -1
  std::vector<double> zero_fraction_;          // z of the feature on the path
  // of all trees
  std::vector<Begin> begins_;
  std::map<std::pair<FeatureId, OutputId>, std::uint32_t> slots_;
  QuadratureBound bound_;
};

template <typename T>
PathPlan<T>::PathPlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees)
    : ensemble_(std::move(ensemble)), n_trees_(n_trees), quantizer_(*ensemble_, n_trees) {
  if (!ensemble_->has_cover) {
    throw Unsupported(
        "the model carries no cover (training weight per node), which path-dependent SHAP values "
        "need; explain it with background data instead (data=)");
  }
  expected_values_ = leafshap::expected_values(*ensemble_, n_trees);
  Compiler compiler(*this);
  for (Index tree = 0; tree < n_trees; ++tree) compiler.compile(tree);
  compiler.resolve();
}

template class PathPlan<float>;
template class PathPlan<double>;

}  // namespace leafshap
