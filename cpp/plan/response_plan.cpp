#include "plan/response_plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "error.hpp"
#include "ir/statistics.hpp"
#include "plan/leaf_range.hpp"

namespace leafshap {
namespace {

// An output's values add up to less than 2^kBits over all trees. So a sum of what rows gain stays
// below 2^61; and what all trees add to a curve at one cell, where in each tree one leaf's run ends
// and another's begins, below 2^62.
constexpr int kBits = 60;
// Runs of cells of all nodes: a gigabyte. Combinations of several features may need many.
constexpr std::size_t kMostRuns = std::size_t{1} << 27;

std::uint32_t as_place(std::size_t place) {
  if (place > std::numeric_limits<std::uint32_t>::max()) {
    throw Unsupported("the model's leaves need more than 2^32 places");
  }
  return static_cast<std::uint32_t>(place);
}

std::int32_t as_index(std::size_t index) {
  if (index > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw Unsupported("the model has more than 2^31 nodes");
  }
  return static_cast<std::int32_t>(index);
}

}  // namespace

// Compiles one tree after the other into the plan's arrays.
class ResponsePlan::Compiler {
 public:
  Compiler(ResponsePlan& plan, const std::vector<Quantizer::Test>& tests)
      : plan_(plan),
        e_(*plan.ensemble_),
        tests_(tests),
        slot_(static_cast<std::size_t>(plan.players_.n_players), -1),
        cells_(slot_.size()) {}

  void compile(Index tree) {
    tree_ = tree;
    offset_ = e_.tree_offsets[tree];
    weight_ = e_.weight(tree, plan_.n_trees_);
    find_players();
    const std::int32_t root = walk();
    plan_.trees_.push_back({root, e_.vector_leaves ? 0 : e_.tree_output[tree]});
  }

 private:
  struct Frame {
    NodeId node;
    std::int32_t index;  // among the plan's nodes
    int n_children_done;
    std::vector<ResponseRun> whole, right;  // cells of the node's player: before it, right of it
  };

  bool is_leaf(NodeId node) const { return e_.left[offset_ + node] == -1; }
  std::int32_t player(NodeId node) const {
    return plan_.players_.of_feature[e_.split_feature[offset_ + node]];
  }
  void find_players() {
    const NodeOrder order = parents_first(e_, tree_);
    players_here_.assign(order.nodes.size(), false);
    for (auto node = order.nodes.rbegin(); node != order.nodes.rend(); ++node) {
      if (is_leaf(*node)) continue;
      players_here_[*node] = player(*node) >= 0 || players_here_[e_.left[offset_ + *node]] ||
                             players_here_[e_.right[offset_ + *node]];
    }
  }

  // In depth, left first; returns the root.
  std::int32_t walk() {
    if (is_leaf(0)) return add_leaf(0);
    std::vector<Frame> frames;
    frames.push_back(enter(0));
    const std::int32_t root = frames.back().index;
    while (!frames.empty()) {
      Frame& frame = frames.back();
      if (frame.n_children_done == 2) {
        leave(frame);
        frames.pop_back();
        continue;
      }
      const bool to_left = frame.n_children_done++ == 0;
      if (!to_left && player(frame.node) >= 0) {
        cells_[player(frame.node)] = std::move(frame.right);
      }
      const Index global = offset_ + frame.node;
      const NodeId child = to_left ? e_.left[global] : e_.right[global];
      const std::int32_t parent = frame.index;
      std::int32_t index;
      if (is_leaf(child)) {
        index = add_leaf(child);
      } else {
        frames.push_back(enter(child));  // invalidates frame
        index = frames.back().index;
        plan_.n_levels_ = std::max(plan_.n_levels_, frames.size());
      }
      plan_.nodes_[parent].children[to_left ? 0 : 1] = index;
    }
    plan_.n_levels_ = std::max<std::size_t>(plan_.n_levels_, 1);
    return root;
  }

  Frame enter(NodeId node) {
    const Quantizer::Test& test = tests_[offset_ + node];
    ResponseNode out{};
    out.test = {test.column, test.cut, test.categorical, test.category_bits};
    out.slot = -1;
    out.has_players_here = players_here_[node];
    Frame frame{node, as_index(plan_.nodes_.size()), 0, {}, {}};
    const std::int32_t p = player(node);
    if (p >= 0) {
      out.player = static_cast<std::uint32_t>(p);
      out.adds_slot = slot_[p] < 0;
      if (out.adds_slot) {
        slot_[p] = n_slots_++;
        plan_.most_slots_ = std::max(plan_.most_slots_, static_cast<std::size_t>(n_slots_));
        if (plan_.all_values_) cells_[p] = {{0, plan_.cells_[p].n_cells()}};
      }
      out.slot = slot_[p];
      if (plan_.all_values_) split_cells(test, frame, out);
    }
    plan_.nodes_.push_back(out);
    return frame;
  }

  void split_cells(const Quantizer::Test& test, Frame& frame, ResponseNode& out) {
    std::vector<ResponseRun>& cells = cells_[out.player];
    auto sides = plan_.cells_[out.player].split(cells, test, plan_.quantizer_.category_bits());
    out.runs[0] = add_runs(sides.left);
    out.runs[1] = add_runs(sides.right);
    frame.whole = std::move(cells);
    frame.right = std::move(sides.right);
    cells = std::move(sides.left);
  }

  ResponseRuns add_runs(const std::vector<ResponseRun>& cells) {
    const std::uint32_t first = as_place(plan_.runs_.size());
    plan_.runs_.insert(plan_.runs_.end(), cells.begin(), cells.end());
    return {first, as_place(plan_.runs_.size())};
  }

  void leave(Frame& frame) {
    const ResponseNode& node = plan_.nodes_[frame.index];
    if (node.slot < 0) return;
    cells_[node.player] = std::move(frame.whole);
    if (!node.adds_slot) return;
    slot_[node.player] = -1;
    --n_slots_;
  }

  std::int32_t add_leaf(NodeId node) {
    plan_.leaves_.push_back({as_place(plan_.values_.size()), as_place(plan_.n_slots_)});
    plan_.n_slots_ += static_cast<std::size_t>(n_slots_);
    for (OutputId k = 0; k < e_.leaf_width(); ++k) {
      const double value = weight_ * e_.leaf(offset_ + node)[k];
      const OutputId output = e_.vector_leaves ? k : e_.tree_output[tree_];
      plan_.values_.push_back(std::llrint(value / plan_.units_[output]));
    }
    return ~as_index(plan_.leaves_.size() - 1);
  }

  ResponsePlan& plan_;
  const TreeEnsemble& e_;
  const std::vector<Quantizer::Test>& tests_;
  // of the tree that is compiled
  Index tree_ = 0, offset_ = 0;
  double weight_ = 1;
  std::vector<bool> players_here_;
  std::int32_t n_slots_ = 0;                     // of the path
  std::vector<std::int32_t> slot_;               // of a player on the path, or -1
  std::vector<std::vector<ResponseRun>> cells_;  // by player: that satisfy the path's conditions
};

ResponsePlan::ResponsePlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees,
                           ResponsePlayers players, const Rows& probes, bool all_values,
                           const std::function<void()>& between_trees)
    : ensemble_(std::move(ensemble)),
      n_trees_(n_trees),
      quantizer_(*ensemble_, n_trees),
      players_(std::move(players)),
      n_probes_(count_rows(probes)),
      all_values_(all_values) {
  const TreeEnsemble& e = *ensemble_;
  std::vector<Quantizer::Test> tests(static_cast<std::size_t>(e.tree_offsets[n_trees]));
  for (std::size_t node = 0; node < tests.size(); ++node) {
    if (e.left[node] != -1) tests[node] = quantizer_.test_of(static_cast<Index>(node));
  }
  rank_probes(probes);
  if (all_values_) find_cells();
  choose_units();
  Compiler compiler(*this, tests);
  for (Index tree = 0; tree < n_trees; ++tree) {
    between_trees();
    compiler.compile(tree);
    if (runs_.size() > kMostRuns) {
      throw InvalidInput(
          "values of several features taken together need more than " + std::to_string(kMostRuns) +
          " runs of cells at the model's nodes: take fewer rows or fewer features in a group");
    }
  }
}

void ResponsePlan::rank_probes(const Rows& probes) {
  constexpr int kTile = 256;
  const std::size_t n_columns = quantizer_.n_columns(), m = static_cast<std::size_t>(n_probes_);
  std::vector<std::uint16_t> tile(n_columns * kTile);
  probe_ranks_.resize(n_columns * m);
  for (Index begin = 0; begin < n_probes_; begin += kTile) {
    const Index count = std::min<Index>(kTile, n_probes_ - begin);
    quantizer_.quantize(probes, begin, count, kTile, tile.data());
    for (std::size_t c = 0; c < n_columns; ++c) {
      std::copy_n(tile.data() + c * kTile, count, probe_ranks_.data() + c * m + begin);
    }
  }
}

void ResponsePlan::find_cells() {
  std::vector<std::vector<std::uint32_t>> columns(static_cast<std::size_t>(players_.n_players));
  for (std::size_t c = 0; c < quantizer_.n_columns(); ++c) {
    const std::int32_t player = players_.of_feature[quantizer_.feature_of(c)];
    if (player >= 0) columns[player].push_back(static_cast<std::uint32_t>(c));
  }
  first_cells_.push_back(0);
  for (std::vector<std::uint32_t>& of_player : columns) {
    cells_.emplace_back(std::move(of_player)).find(probe_ranks_, n_probes_);
    first_cells_.push_back(first_cells_.back() + cells_.back().n_cells());
  }
  probe_ranks_ = {};
}

// Powers of two, so that values are only rounded: the smallest that leave room for the sums.
void ResponsePlan::choose_units() {
  const TreeEnsemble& e = *ensemble_;
  std::vector<double> most(static_cast<std::size_t>(e.n_outputs), 0.0);
  std::vector<double> largest(static_cast<std::size_t>(e.leaf_width()));
  for (Index tree = 0; tree < n_trees_; ++tree) {
    const double weight = e.weight(tree, n_trees_);
    std::fill(largest.begin(), largest.end(), 0.0);
    for (Index node = e.tree_offsets[tree]; node < e.tree_offsets[tree + 1]; ++node) {
      if (e.left[node] != -1) continue;
      for (OutputId k = 0; k < e.leaf_width(); ++k) {
        const double value = weight * e.leaf(node)[k];
        check_leaf(value, sizeof(double), tree, static_cast<NodeId>(node - e.tree_offsets[tree]));
        largest[k] = std::max(largest[k], std::fabs(value));
      }
    }
    const OutputId first = e.vector_leaves ? 0 : e.tree_output[tree];
    for (OutputId k = 0; k < e.leaf_width(); ++k) most[first + k] += largest[k];
  }
  for (const double sum : most) {
    if (!std::isfinite(sum)) throw Unsupported("the model's leaf values are too large to add up");
    int exponent = 0;
    std::frexp(sum, &exponent);       // sum < 2^exponent
    constexpr int kSmallest = -1074;  // of a double
    units_.push_back(std::ldexp(1.0, std::max(exponent - kBits, kSmallest)));
  }
}

}  // namespace leafshap
