#include "plan/pairwise_plan.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "error.hpp"
#include "ir/statistics.hpp"
#include "plan/leaf_range.hpp"

namespace leafshap {

template <typename T>
class PairwisePlan<T>::Compiler {
 public:
  Compiler(PairwisePlan& plan, const std::vector<bool>& leaves)
      : plan_(plan), e_(*plan.ensemble_), leaves_(leaves) {}

  void compile(Index tree) {
    tree_ = tree;
    offset_ = e_.tree_offsets[tree];
    find_explained();
    if (ends(0)) return;
    PairwiseTree out{};
    first_step_ = plan_.steps_.size();
    first_node_ = plan_.nodes_.size();
    const std::size_t first_slot = plan_.tree_slots_.size();
    const std::size_t first_column = plan_.tree_columns_.size();
    tree_slots_.clear();
    columns_.clear();
    n_columns_ = 0;
    walk();
    out.n_steps = plan_.steps_.size() - first_step_;
    out.n_nodes = plan_.nodes_.size() - first_node_;
    out.n_columns = plan_.tree_columns_.size() - first_column;
    out.n_slots = plan_.tree_slots_.size() - first_slot;
    out.output = e_.vector_leaves ? 0 : static_cast<std::size_t>(e_.tree_output[tree]);
    plan_.trees_.push_back(out);
  }

  // The arrays have stopped growing: trees can point to them.
  void link() {
    const PairwiseStep* steps = plan_.steps_.data();
    const PairwiseNode* nodes = plan_.nodes_.data();
    const PairwiseColumn* columns = plan_.tree_columns_.data();
    const std::uint32_t* slots = plan_.tree_slots_.data();
    for (PairwiseTree& tree : plan_.trees_) {
      tree.steps = std::exchange(steps, steps + tree.n_steps);
      tree.nodes = std::exchange(nodes, nodes + tree.n_nodes);
      tree.columns = std::exchange(columns, columns + tree.n_columns);
      tree.slots = std::exchange(slots, slots + tree.n_slots);
    }
  }

  std::size_t n_distinct() const { return n_distinct_; }

 private:
  // A node on the way from the root, with what it hides until it is left.
  struct Frame {
    NodeId node;
    std::uint32_t index, open_step;  // within the tree
    std::int32_t ancestor;
    int n_children_done;
  };

  // Marks nodes with an explained leaf below, or that are one.
  void find_explained() {
    const NodeOrder order = parents_first(e_, tree_);
    explained_.assign(order.nodes.size(), leaves_.empty());
    if (leaves_.empty()) return;
    for (auto node = order.nodes.rbegin(); node != order.nodes.rend(); ++node) {
      const Index global = offset_ + *node;
      explained_[*node] = e_.left[global] == -1
                              ? leaves_[global]
                              : explained_[e_.left[global]] || explained_[e_.right[global]];
    }
  }

  // A subtree without explained leaves counts as one leaf of value 0.
  bool ends(NodeId node) const { return e_.left[offset_ + node] == -1 || !explained_[node]; }

  void walk() {
    std::vector<Frame> path;
    last_edge_.clear();
    std::size_t n_distinct = 0;
    path.push_back(enter(0, 0, 0));
    while (!path.empty()) {
      Frame& frame = path.back();
      const Index global = offset_ + frame.node;
      const FeatureId feature = e_.split_feature[global];
      const auto level = static_cast<std::int32_t>(path.size()) - 1;
      if (frame.n_children_done == 0) {
        n_distinct += frame.ancestor < 0 ? 1 : 0;
        n_distinct_ = std::max(n_distinct_, n_distinct);
      }
      if (frame.n_children_done == 2) {
        leave(frame, feature);
        n_distinct -= frame.ancestor < 0 ? 1 : 0;
        path.pop_back();
        continue;
      }
      const bool to_right = frame.n_children_done++ == 1;
      const NodeId child = to_right ? e_.right[global] : e_.left[global];
      if (ends(child)) continue;
      const std::int32_t edge = 1 + 2 * level + (to_right ? 1 : 0);
      last_edge_[feature] = edge;
      path.push_back(enter(child, level + 1, edge));
      plan_.n_levels_ = std::max(plan_.n_levels_, path.size());
    }
  }

  Frame enter(NodeId node, std::int32_t level, std::int32_t source) {
    const Index global = offset_ + node;
    const NodeId left = e_.left[global], right = e_.right[global];
    const FeatureId feature = e_.split_feature[global];
    const auto above = last_edge_.find(feature);
    const std::int32_t ancestor = above == last_edge_.end() ? -1 : above->second;
    const auto index = static_cast<std::uint32_t>(plan_.nodes_.size() - first_node_);
    nodes_on_path_.resize(static_cast<std::size_t>(level));
    if (ancestor >= 0) {
      const std::uint32_t owner = nodes_on_path_[static_cast<std::size_t>((ancestor - 1) / 2)];
      plan_.nodes_[first_node_ + owner].repeated_below = 1;
    }
    nodes_on_path_.push_back(index);

    const Quantizer::Test test = plan_.quantizer_.test_of(global);
    PairwiseNode out{};
    out.level = level;
    out.source = source;
    out.ancestor = ancestor;
    out.slot = slot_of(feature);
    out.column = column_of(test);
    out.cut = test.categorical ? 0 : test.cut;
    if (ends(left)) out.left_values = add_leaf(left);
    if (ends(right)) out.right_values = add_leaf(right);
    plan_.nodes_.push_back(out);
    const bool bottom = ends(left) && ends(right);
    plan_.steps_.push_back({bottom ? PairwiseOp::kBottom : PairwiseOp::kOpen, index, 0});
    return {node, index, static_cast<std::uint32_t>(plan_.steps_.size() - first_step_ - 1),
            ancestor, 0};
  }

  void leave(const Frame& frame, FeatureId feature) {
    if (frame.ancestor < 0) {
      last_edge_.erase(feature);
    } else {
      last_edge_[feature] = frame.ancestor;
    }
    PairwiseStep& open = plan_.steps_[first_step_ + frame.open_step];
    if (open.op != PairwiseOp::kOpen) return;
    const Index global = offset_ + frame.node;
    const PairwiseOp op = ends(e_.left[global])    ? PairwiseOp::kCloseLeftLeaf
                          : ends(e_.right[global]) ? PairwiseOp::kCloseRightLeaf
                                                   : PairwiseOp::kClose;
    open.end = static_cast<std::uint32_t>(plan_.steps_.size() + 1 - first_step_);
    plan_.steps_.push_back({op, frame.index, 0});
  }

  std::uint32_t column_of(const Quantizer::Test& test) {
    if (!test.categorical) {
      const auto [place, added] = columns_.try_emplace(test.column, n_columns_);
      if (!added) return place->second;
    }
    plan_.tree_columns_.push_back({test.column, test.category_bits, test.categorical});
    return n_columns_++;
  }

  std::size_t add_leaf(NodeId node) {
    const std::size_t first = plan_.leaf_values_.size();
    const double weight = e_.weight(tree_, plan_.n_trees_);
    for (OutputId k = 0; k < e_.leaf_width(); ++k) {
      const double value = explained_[node] ? weight * e_.leaf(offset_ + node)[k] : 0;
      check_leaf(value, sizeof(T), tree_, node);
      plan_.leaf_values_.push_back(static_cast<T>(value));
    }
    return first;
  }

  // The feature's number within the tree; its phi has one slot, or one for each output.
  std::uint32_t slot_of(FeatureId feature) {
    const auto next = static_cast<std::uint32_t>(tree_slots_.size());
    const auto [local, added] = tree_slots_.try_emplace(feature, next);
    if (added) {
      const OutputId output = e_.vector_leaves ? 0 : e_.tree_output[tree_];
      const auto first = static_cast<std::uint32_t>(plan_.slots_.size());
      const auto [place, is_new] = slots_.try_emplace({feature, output}, first);
      for (OutputId k = 0; is_new && k < e_.leaf_width(); ++k) {
        plan_.slots_.push_back({feature, output + k});
      }
      plan_.tree_slots_.push_back(place->second);
    }
    return local->second;
  }

  PairwisePlan& plan_;
  const TreeEnsemble& e_;
  const std::vector<bool>& leaves_;
  Index tree_ = 0, offset_ = 0;
  std::size_t first_step_ = 0, first_node_ = 0, n_distinct_ = 0;
  std::vector<bool> explained_;
  std::vector<std::uint32_t> nodes_on_path_;
  std::unordered_map<FeatureId, std::int32_t> last_edge_;     // on the path
  std::unordered_map<FeatureId, std::uint32_t> tree_slots_;   // of this tree
  std::unordered_map<std::uint32_t, std::uint32_t> columns_;  // of this tree, numeric
  std::uint32_t n_columns_ = 0;
  std::map<std::pair<FeatureId, OutputId>, std::uint32_t> slots_;
};

template <typename T>
PairwisePlan<T>::PairwisePlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees,
                              const Rows& background, const std::vector<double>& weights,
                              const std::vector<bool>& leaves)
    : ensemble_(std::move(ensemble)), n_trees_(n_trees), quantizer_(*ensemble_, n_trees) {
  Compiler compiler(*this, leaves);
  for (Index tree = 0; tree < n_trees; ++tree) compiler.compile(tree);
  compiler.link();
  tabulate_weights(compiler.n_distinct());

  n_background_ = std::visit([](const auto& view) { return view.n_rows; }, background);
  const Index n_tiles = (n_background_ + kBackgroundTile - 1) / kBackgroundTile;
  weights_.assign(static_cast<std::size_t>(n_tiles * kBackgroundTile), 0.0);
  if (weights.empty()) {
    std::fill_n(weights_.begin(), n_background_, 1.0 / static_cast<double>(n_background_));
  } else {
    // by the largest first: the sum of large weights may overflow
    const double largest = *std::max_element(weights.begin(), weights.end());
    std::transform(weights.begin(), weights.end(), weights_.begin(),
                   [&](double weight) { return weight / largest; });
    const double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
    for (double& weight : weights_) weight /= sum;
  }
  const Index tile_ranks = static_cast<Index>(quantizer_.n_columns()) * kBackgroundTile;
  ranks_.resize(static_cast<std::size_t>(n_tiles * tile_ranks));
  for (Index tile = 0; tile < n_tiles; ++tile) {
    const Index begin = tile * kBackgroundTile;
    quantizer_.quantize(background, begin, std::min<Index>(kBackgroundTile, n_background_ - begin),
                        kBackgroundTile, ranks_.data() + tile * tile_ranks);
  }
}

// w(1, u) = 1 / (u + 1), and w(a + 1, u) = w(a, u) a / (a + u + 1): no factorial overflows. On
// long paths a row ends where T has no more numbers as small, which keeps the table of a path of
// 10,000 features at some millions of entries.
template <typename T>
void PairwisePlan<T>::tabulate_weights(std::size_t n_distinct) {
  short_paths_ = n_distinct <= kShortPath;
  const std::size_t n_rows = std::max<std::size_t>(n_distinct, kShortPath) + 2;
  std::vector<std::size_t> first(n_rows);
  shapley_weights_.assign(kShortPath + 2, T{0});  // neg of u = 0
  for (std::size_t u = 0; u + 1 < n_rows; ++u) {
    first[u] = shapley_weights_.size();
    const std::size_t end =
        short_paths_ ? kShortPath + 2 : n_distinct + 2 - std::min(u, n_distinct);
    shapley_weights_.push_back(T{0});
    double w = 1.0 / static_cast<double>(u + 1);
    for (std::size_t a = 1; a < end && (short_paths_ || w >= std::numeric_limits<T>::min()); ++a) {
      shapley_weights_.push_back(static_cast<T>(w));
      w *= static_cast<double>(a) / static_cast<double>(a + u + 1);
    }
    shapley_weights_.push_back(T{0});
  }
  first[n_rows - 1] = shapley_weights_.size();
  for (std::size_t u = 0; u + 1 < n_rows; ++u) {
    pos_.push_back(shapley_weights_.data() + first[u]);
    pos_last_.push_back(static_cast<std::int32_t>(first[u + 1] - first[u] - 1));
    neg_.push_back(u == 0 ? shapley_weights_.data() : pos_[u - 1] + 1);
    neg_last_.push_back(u == 0 ? 0 : pos_last_[u - 1] - 1);
  }
}

template class PairwisePlan<float>;
template class PairwisePlan<double>;

}  // namespace leafshap
