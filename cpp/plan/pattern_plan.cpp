#include "plan/pattern_plan.hpp"

#include <algorithm>
#include <map>

#include "ir/statistics.hpp"
#include "plan/leaf_range.hpp"
#include "plan/quadrature.hpp"

namespace leafshap {
namespace {

constexpr std::size_t kLine = 64;  // bytes; table entries and rows of phi are padded to lines

std::size_t padded(std::size_t n, std::size_t value_bytes) {
  const std::size_t per_line = kLine / value_bytes;
  return (n + per_line - 1) / per_line * per_line;
}

std::vector<PatternRule> exact_rules() {
  std::vector<PatternRule> rules(kMostPatternBits + 1);
  for (int d = 0; d <= kMostPatternBits; ++d) {
    PatternRule& rule = rules[d];
    rule.n_points = (d + 1) / 2;
    const Quadrature points = gauss_legendre(rule.n_points);
    for (int k = 0; k < rule.n_points; ++k) {
      const double t = points.points[k], w = points.weights[k];
      rule.t[k] = t;
      rule.over_1t[k] = w / (1 - t);
      rule.over_t_1t[k] = w / (t * (1 - t));
      rule.over_1t_squared[k] = w / ((1 - t) * (1 - t));
      rule.over_t_squared[k] = w / (t * t);
    }
  }
  return rules;
}

}  // namespace

// Compiles one tree after the other into the plan's arrays.
class PatternPlan::Compiler {
 public:
  Compiler(PatternPlan& plan, const PatternJob& job)
      : plan_(plan),
        e_(*plan.ensemble_),
        job_(job),
        position_(static_cast<std::size_t>(e_.n_features), -1) {}

  void compile(Index tree) {
    tree_ = tree;
    offset_ = e_.tree_offsets[tree];
    weight_ = e_.weight(tree, plan_.n_trees_);
    if (is_leaf(0)) {
      for (OutputId k = 0; k < e_.leaf_width(); ++k) {
        plan_.constant_[output(k)] += weight_ * e_.leaf(offset_)[k];
      }
      return;
    }
    roles_ = choose_patterns(e_, tree, job_);
    find_groups_below();
    find_centre();
    if (!has_group_[0]) return;
    plan_.tree_begins_.push_back(
        {static_cast<std::uint32_t>(plan_.groups_.size()), plan_.steps_.size()});
    stack_.assign(1, Frame{0, 0, 0, false, 0});
    while (!stack_.empty()) advance();
  }

 private:
  struct Frame {
    NodeId node;
    std::int32_t place;  // of the node's patterns
    int stage;
    bool added;        // the node's feature is new on the path
    std::size_t step;  // of the split
  };
  // A test on the way from a group's root to one of its leaves.
  struct Turn {
    std::int32_t test;
    bool to_left;
    FeatureId feature;
  };

  bool is_leaf(NodeId node) const { return e_.left[offset_ + node] == -1; }
  NodeId left(NodeId node) const { return e_.left[offset_ + node]; }
  NodeId right(NodeId node) const { return e_.right[offset_ + node]; }
  FeatureId feature(NodeId node) const { return e_.split_feature[offset_ + node]; }
  OutputId output(OutputId k) const { return e_.vector_leaves ? k : e_.tree_output[tree_]; }

  // A constant added to all leaves changes no phi; around their mean they lose fewer digits. The
  // pairwise walk takes leaves as they are, so a tree that it shares stays as it is.
  void find_centre() {
    centre_.assign(e_.leaf_width(), 0.0);
    if (std::find(roles_.begin(), roles_.end(), PatternRole::kPairwise) != roles_.end()) return;
    Index n = 0;
    for (Index node = offset_; node < e_.tree_offsets[tree_ + 1]; ++node) {
      if (e_.left[node] != -1) continue;
      ++n;
      for (OutputId k = 0; k < e_.leaf_width(); ++k) {
        centre_[k] += (e_.leaf(node)[k] - centre_[k]) / static_cast<double>(n);
      }
    }
    for (OutputId k = 0; k < e_.leaf_width(); ++k)
      plan_.constant_[output(k)] += weight_ * centre_[k];
  }

  // Whether any group lies in the subtree; leaves for the pairwise walk are noted.
  void find_groups_below() {
    has_group_.assign(roles_.size(), false);
    const NodeOrder order = parents_first(e_, tree_);
    for (auto node = order.nodes.rbegin(); node != order.nodes.rend(); ++node) {
      const PatternRole role = roles_[*node];
      has_group_[*node] =
          role == PatternRole::kGroup ||
          (role == PatternRole::kSplit && (has_group_[left(*node)] || has_group_[right(*node)]));
      if (role == PatternRole::kPairwise) {
        plan_.pairwise_leaves_[offset_ + *node] = true;
        ++plan_.n_pairwise_leaves_;
      }
    }
  }

  // Advances the node on top of the stack: splits its patterns, turns to its children, leaves it.
  void advance() {
    Frame& frame = stack_.back();
    const NodeId node = frame.node;
    const FeatureId f = feature(node);
    if (frame.stage == 0) {
      if (!has_group_[node]) {
        stack_.pop_back();
        return;
      }
      if (roles_[node] == PatternRole::kGroup) {
        emit_group(node, frame.place);
        stack_.pop_back();
        return;
      }
      frame.added = position_[f] < 0;
      if (frame.added) {
        position_[f] = static_cast<std::int32_t>(path_.size());
        path_.push_back(f);
      }
      frame.step = plan_.steps_.size();
      emit_split(node, frame);
    }
    if (frame.stage < 2) {
      const NodeId child = frame.stage == 0 ? left(node) : right(node);
      const std::int32_t place = plan_.steps_[frame.step].target + frame.stage;
      ++frame.stage;
      stack_.push_back(Frame{child, place, 0, false, 0});  // invalidates frame
      return;
    }
    PatternStep& step = plan_.steps_[frame.step];
    step.end_group = static_cast<std::uint32_t>(plan_.groups_.size());
    step.n_steps = static_cast<std::uint32_t>(plan_.steps_.size() - frame.step);
    if (frame.added) {
      position_[f] = -1;
      path_.pop_back();
    }
    stack_.pop_back();
  }

  void emit_split(NodeId node, const Frame& frame) {
    const auto level = static_cast<std::int32_t>(stack_.size()) - 1;
    plan_.n_levels_ = std::max(plan_.n_levels_, level + 1);
    PatternStep step{};
    step.index = emit_test(node);
    step.first_group = static_cast<std::uint32_t>(plan_.groups_.size());
    step.source = frame.place;
    step.target = 1 + 2 * level;
    step.bit = static_cast<std::uint16_t>(1u << position_[feature(node)]);
    step.repeated = !frame.added;
    plan_.steps_.push_back(step);
  }

  std::uint32_t emit_test(NodeId node) {
    const Quantizer::Test test = plan_.quantizer_.test_of(offset_ + node);
    plan_.tests_.push_back({test.column, test.cut, test.categorical, test.category_bits});
    return static_cast<std::uint32_t>(plan_.tests_.size() - 1);
  }

  void emit_group(NodeId root, std::int32_t place) {
    PatternGroup group{};
    group.n_path = static_cast<std::int32_t>(path_.size());
    group.first_test = static_cast<std::uint32_t>(plan_.tests_.size());
    group.first_leaf = static_cast<std::uint32_t>(plan_.leaves_.size());
    features_ = path_;
    pair_cells_.clear();
    leaves_.clear();
    turns_.clear();
    collect(root, group);
    emit_leaves(group);
    emit_places(group);
    group.counts = plan_.count_size_;
    group.table = plan_.table_size_;
    plan_.count_size_ += std::size_t{1} << group.n_bits();
    plan_.table_size_ += group.entry_size << group.n_bits();
    const auto index = static_cast<std::uint32_t>(plan_.groups_.size());
    plan_.groups_.push_back(group);
    plan_.steps_.push_back({index, index, index + 1, 1, place, 0, 0, 0});
  }

  // The group's tests in preorder, its leaves with the turns that lead to them, and its features.
  void collect(NodeId node, PatternGroup& group) {
    if (is_leaf(node)) {
      leaves_.push_back({node, turns_});
      return;
    }
    const FeatureId f = feature(node);
    if (std::find(features_.begin(), features_.end(), f) == features_.end()) features_.push_back(f);
    const std::int32_t test = group.n_tests++;
    emit_test(node);
    for (const bool to_left : {true, false}) {
      turns_.push_back({test, to_left, f});
      collect(to_left ? left(node) : right(node), group);
      turns_.pop_back();
    }
  }

  std::uint32_t cell_of_feature(FeatureId f) const {
    return static_cast<std::uint32_t>(std::find(features_.begin(), features_.end(), f) -
                                      features_.begin());
  }

  void emit_leaves(PatternGroup& group) {
    for (const auto& [node, turns] : leaves_) {
      std::vector<FeatureId> own = path_;  // features of the leaf's path, by bit of its pattern
      for (const Turn& turn : turns) {
        if (std::find(own.begin(), own.end(), turn.feature) == own.end())
          own.push_back(turn.feature);
      }
      PatternLeaf leaf{};
      leaf.n_bits = static_cast<std::int32_t>(own.size());
      leaf.literals = emit_literals(group, own, turns);
      leaf.cells = plan_.cells_.size();
      for (const FeatureId f : own) plan_.cells_.push_back(cell_of_feature(f));
      if (plan_.interactions_) {
        for (std::size_t i = 0; i < own.size(); ++i) {
          for (std::size_t j = i + 1; j < own.size(); ++j) {
            plan_.cells_.push_back(cell_of_pair(own[i], own[j]));
          }
        }
      }
      leaf.values = plan_.leaf_values_.size();
      for (OutputId k = 0; k < e_.leaf_width(); ++k) {
        const double value = weight_ * (e_.leaf(offset_ + node)[k] - centre_[k]);
        check_leaf(value, job_.value_bytes, tree_, node);
        plan_.leaf_values_.push_back(value);
      }
      plan_.leaves_.push_back(leaf);
    }
    group.end_leaf = static_cast<std::uint32_t>(plan_.leaves_.size());
    group.n_cells = static_cast<std::uint32_t>(features_.size() + pair_cells_.size());
  }

  std::size_t emit_literals(const PatternGroup& group, const std::vector<FeatureId>& own,
                            const std::vector<Turn>& turns) {
    const std::size_t begin = plan_.literals_.size();
    const std::uint32_t on_path = (1u << group.n_path) - 1, all = (1u << own.size()) - 1;
    for (std::uint32_t answers = 0; answers < 1u << group.n_tests; ++answers) {
      std::uint32_t satisfied = all;
      for (const Turn& turn : turns) {
        const bool goes_left = (answers >> turn.test & 1) != 0;
        const auto bit = std::find(own.begin(), own.end(), turn.feature) - own.begin();
        if (goes_left != turn.to_left) satisfied &= ~(1u << bit);
      }
      plan_.literals_.push_back({static_cast<std::uint16_t>(satisfied & on_path),
                                 static_cast<std::uint16_t>(satisfied & ~on_path)});
    }
    return begin;
  }

  std::uint32_t cell_of_pair(FeatureId a, FeatureId b) {
    const FeaturePair pair = std::minmax(a, b);
    const auto next = static_cast<std::uint32_t>(pair_cells_.size());
    return static_cast<std::uint32_t>(features_.size()) +
           pair_cells_.try_emplace(pair, next).first->second;
  }

  // Where the cells of every output stand in a table entry, and on which slots they are added.
  void emit_places(PatternGroup& group) {
    std::vector<std::size_t> slots(group.n_cells);
    for (std::size_t c = 0; c < features_.size(); ++c)
      slots[c] = plan_.slot_of_feature(features_[c], 0);
    for (const auto& [pair, cell] : pair_cells_) {
      const auto place = std::lower_bound(plan_.pairs_.begin(), plan_.pairs_.end(), pair);
      slots[features_.size() + cell] =
          plan_.slot_of_pair(static_cast<std::size_t>(place - plan_.pairs_.begin()), 0);
    }
    const std::size_t width = e_.leaf_width();
    group.places = plan_.places_.size();
    group.first_output = static_cast<std::uint32_t>(output(0));
    group.first_slot = plan_.output_slots_ * output(0);
    group.slots = plan_.group_slots_.size();
    for (std::size_t k = 0; k < width; ++k) {
      for (std::size_t c = 0; c < slots.size(); ++c) {
        const std::size_t slot = k * plan_.output_slots_ + slots[c];
        plan_.places_.push_back(
            static_cast<std::uint32_t>(plan_.scattered_ ? k * slots.size() + c : slot));
        if (plan_.scattered_) {
          plan_.group_slots_.push_back(static_cast<std::uint32_t>(group.first_slot + slot));
        }
      }
    }
    group.n_slots = static_cast<std::uint32_t>(width * slots.size());
    group.entry_size = plan_.scattered_ ? group.n_slots : width * plan_.output_slots_;
  }

  PatternPlan& plan_;
  const TreeEnsemble& e_;
  const PatternJob& job_;
  // of the tree that is compiled
  Index tree_ = 0, offset_ = 0;
  double weight_ = 1;
  std::vector<double> centre_;  // (leaf width)
  std::vector<PatternRole> roles_;
  std::vector<bool> has_group_;
  std::vector<Frame> stack_;
  std::vector<FeatureId> path_;         // distinct features, in order
  std::vector<std::int32_t> position_;  // of a feature in path_, or -1
  // of the group that is emitted
  std::vector<FeatureId> features_;
  std::map<FeaturePair, std::uint32_t> pair_cells_;
  std::vector<std::pair<NodeId, std::vector<Turn>>> leaves_;
  std::vector<Turn> turns_;
};

// Where few slots lie side by side, entries are as wide as all of them and are added whole: a
// vector add is cheaper than the address of every number.
void PatternPlan::lay_out_slots(const PatternOptions& options) {
  constexpr std::size_t kMostLines = 4;
  output_slots_ =
      padded(static_cast<std::size_t>(ensemble_->n_features) + pairs_.size(), options.value_bytes);
  const std::size_t entry = output_slots_ * ensemble_->leaf_width();
  scattered_ = entry * options.value_bytes > kMostLines * kLine;
}

std::span<const PatternStep> PatternPlan::steps_of(std::uint32_t first, std::uint32_t end) const {
  // the last tree that begins at or before the group, and the first that begins at or after the end
  const auto by_group = [](const TreeBegin& tree, std::uint32_t group) {
    return tree.group < group;
  };
  const auto begin =
      std::lower_bound(tree_begins_.begin(), tree_begins_.end(), first + 1, by_group) - 1;
  const auto stop = std::lower_bound(tree_begins_.begin(), tree_begins_.end(), end, by_group);
  const std::size_t last = stop == tree_begins_.end() ? steps_.size() : stop->step;
  return std::span(steps_).subspan(begin->step, last - begin->step);
}

PatternPlan::PatternPlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees,
                         const PatternOptions& options)
    : ensemble_(std::move(ensemble)),
      n_trees_(n_trees),
      interactions_(options.interactions),
      quantizer_(*ensemble_, n_trees),
      rules_(exact_rules()),
      pairwise_leaves_(static_cast<std::size_t>(ensemble_->n_nodes()), false),
      constant_(ensemble_->base_values) {
  if (interactions_) pairs_ = pairs_on_paths(*ensemble_, n_trees);
  lay_out_slots(options);
  const std::size_t entry = output_slots_ * ensemble_->leaf_width() * options.value_bytes;
  const PatternJob job{options.method,       options.n_background,
                       options.interactions, scattered_ ? 0 : entry,
                       options.value_bytes,  static_cast<std::size_t>(ensemble_->leaf_width())};
  Compiler compiler(*this, job);
  for (Index tree = 0; tree < n_trees; ++tree) compiler.compile(tree);
}

}  // namespace leafshap
