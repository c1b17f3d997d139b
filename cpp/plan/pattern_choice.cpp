#include "plan/pattern_choice.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "error.hpp"
#include "ir/statistics.hpp"
#include "kernels/patterns.hpp"

namespace leafshap {
namespace {

constexpr std::array<std::pair<const char*, PatternMethod>, 5> kMethods = {{
    {"auto", PatternMethod::kAuto},
    {"leaves", PatternMethod::kLeaves},
    {"siblings", PatternMethod::kSiblings},
    {"subtrees", PatternMethod::kSubtrees},
    {"pairwise", PatternMethod::kPairwise},
}};

// Larger tables than this lose more in cache than they save.
constexpr Index kMostSharedBits = 12;
// Of building one table; also bounds the table.
constexpr std::size_t kMostScratchBytes = std::size_t{64} << 20;

// Clock cycles, roughly: only their proportions matter.
class Costs {
 public:
  explicit Costs(const PatternJob& job)
      : job_(job),
        n_background_(static_cast<double>(job.n_background)),
        // The choice must not depend on how many rows a call explains, or their values would by
        // rounding: as many as there are in the background, within reason.
        n_rows_(std::clamp(n_background_, job.interactions ? 1e2 : 1e3, 1e5)) {}

  double split() const { return (n_rows_ + n_background_) * 0.12; }

  // Values of all patterns of a leaf with d features.
  double leaf(Index d) const {
    const double n = static_cast<double>(d), pairs = job_.interactions ? n * (n - 1) / 2 : 0;
    return std::ldexp(std::ceil(n / 2) * (n / 2 + 3) + 2 * n + 4 * pairs, static_cast<int>(d));
  }

  // Values of a row that a group of so many features has, per output.
  std::size_t cells(Index n_features) const {
    const auto n = static_cast<std::size_t>(n_features);
    return job_.interactions ? n + n * (n - 1) / 2 : n;
  }

  bool fits(Index n_path, Index n_tests) const {
    const Index n_bits = n_path + n_tests;
    const std::size_t scratch =
        table_scratch_size(static_cast<std::int32_t>(n_bits), cells(n_bits), job_.leaf_width);
    return scratch * sizeof(double) <= kMostScratchBytes;
  }

  // Everything about a group but its leaves.
  double group(Index n_path, Index n_tests) const {
    const double n_bits = static_cast<double>(n_path + n_tests), n_leaves = double(n_tests) + 1;
    const double n_cells = static_cast<double>(cells(n_path + n_tests) * job_.leaf_width);
    double bytes = static_cast<double>(job_.entry_bytes);
    double add = bytes / 64;  // per row: one vector after the other
    if (job_.entry_bytes == 0) {
      bytes = n_cells * static_cast<double>(job_.value_bytes);
      add = 1.6 * n_cells;
    }
    const double lines = std::ldexp(bytes / 64, static_cast<int>(n_bits));
    const double build =
        std::ldexp(n_leaves * n_cells / 4 + bytes / 5 + 2 * n_cells, static_cast<int>(n_bits));
    // a tile of rows reads the table once
    return build + n_background_ * 1.6 + n_rows_ * (0.7 + 1.3 * add + 2 * lines / kTileRows) +
           (n_rows_ + n_background_) * 0.05 * (double(n_tests) + 1);
  }

  // A leaf that the share `reach` of all pairs of rows can reach by mixing their features.
  double pairwise(Index d, double reach) const {
    if (job_.interactions) {  // one pair after the other
      return n_rows_ * n_background_ * reach * (100.0 + 10.0 * double(d) * double(d));
    }
    constexpr double kLanes = 16;
    return n_rows_ * n_background_ * std::min(1.0, kLanes * reach) / kLanes * 25 + n_rows_ * 5;
  }

 private:
  static constexpr double kTileRows = 4096;

  const PatternJob& job_;
  double n_background_, n_rows_;
};

// Bottom-up over a tree: the cheapest way for every subtree.
class Chooser {
 public:
  Chooser(const TreeEnsemble& e, Index tree, const PatternJob& job)
      : e_(e),
        offset_(e.tree_offsets[tree]),
        job_(job),
        costs_(job),
        order_(parents_first(e, tree)) {
    const std::size_t n = order_.nodes.size();
    n_distinct_.assign(n, 0);
    reach_.assign(n, 1.0);
    n_tests_.assign(n, 0);
    leaves_.assign(n, 0.0);
    best_.assign(n, 0.0);
    roles_.assign(n, PatternRole::kNone);
  }

  std::vector<PatternRole> choose() {
    follow_paths();
    for (auto node = order_.nodes.rbegin(); node != order_.nodes.rend(); ++node) choose_for(*node);
    clear_below_groups();
    return std::move(roles_);
  }

 private:
  bool is_leaf(NodeId node) const { return e_.left[offset_ + node] == -1; }
  NodeId left(NodeId node) const { return e_.left[offset_ + node]; }
  NodeId right(NodeId node) const { return e_.right[offset_ + node]; }

  // Share of pairs of rows of which at least one satisfies conditions that the share z satisfies.
  static double either(double z) { return std::max(z * (2 - z), 1e-9); }

  // Distinct features above every node, and the share of pairs that reach it.
  void follow_paths() {
    struct Frame {
      NodeId node;
      int stage;
      double z_above;  // of the node's feature
    };
    std::vector<double> z(static_cast<std::size_t>(e_.n_features), -1.0);  // -1: not on the path
    std::vector<Frame> stack{{0, 0, -1}};
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const NodeId node = frame.node;
      if (is_leaf(node)) {
        stack.pop_back();
        continue;
      }
      double& z_f = z[e_.split_feature[offset_ + node]];
      if (frame.stage == 0) frame.z_above = z_f;
      if (frame.stage == 2) {
        z_f = frame.z_above;
        stack.pop_back();
        continue;
      }
      const double above = frame.z_above < 0 ? 1 : frame.z_above;
      const double ratio = e_.has_cover ? e_.left_ratio(offset_, node) : 0.5;
      const NodeId child = frame.stage == 0 ? left(node) : right(node);
      z_f = above * (frame.stage == 0 ? ratio : 1 - ratio);
      n_distinct_[child] = n_distinct_[node] + (frame.z_above < 0 ? 1 : 0);
      reach_[child] = reach_[node] / either(above) * either(z_f);
      ++frame.stage;
      stack.push_back({child, 0, -1});  // invalidates frame
    }
  }

  void choose_for(NodeId node) {
    const bool leaf = is_leaf(node);
    if (leaf) {
      leaves_[node] = n_distinct_[node] <= kMostPatternBits ? costs_.leaf(n_distinct_[node]) : 0;
      best_[node] = costs_.pairwise(n_distinct_[node], reach_[node]);
      roles_[node] = PatternRole::kPairwise;
    } else {
      n_tests_[node] = 1 + n_tests_[left(node)] + n_tests_[right(node)];
      leaves_[node] = leaves_[left(node)] + leaves_[right(node)];
      best_[node] = costs_.split() + best_[left(node)] + best_[right(node)];
      roles_[node] = PatternRole::kSplit;
    }
    if (!may_group(node)) return;
    const double cost = leaves_[node] + costs_.group(n_distinct_[node], n_tests_[node]);
    if (job_.method != PatternMethod::kAuto || cost < best_[node]) {
      best_[node] = cost;
      roles_[node] = PatternRole::kGroup;
    }
  }

  bool may_group(NodeId node) const {
    const Index n_tests = n_tests_[node], n_bits = n_distinct_[node] + n_tests;
    if (n_bits > kMostPatternBits || !costs_.fits(n_distinct_[node], n_tests)) return false;
    switch (job_.method) {
      case PatternMethod::kLeaves:
        return n_tests == 0;
      case PatternMethod::kSiblings:
        return n_tests <= 1;
      case PatternMethod::kPairwise:
        return false;
      default:
        return n_tests == 0 || n_bits <= kMostSharedBits;
    }
  }

  void clear_below_groups() {
    std::vector<bool> below(roles_.size(), false);
    for (const NodeId node : order_.nodes) {
      if (below[node]) roles_[node] = PatternRole::kNone;
      if (is_leaf(node)) continue;
      const bool covered = below[node] || roles_[node] == PatternRole::kGroup;
      below[left(node)] = below[right(node)] = covered;
    }
  }

  const TreeEnsemble& e_;
  Index offset_;
  const PatternJob& job_;
  Costs costs_;
  NodeOrder order_;
  std::vector<Index> n_distinct_;  // features tested above
  std::vector<double> reach_;
  std::vector<Index> n_tests_;  // in the subtree
  std::vector<double> leaves_;  // cost of the subtree's leaves in any table
  std::vector<double> best_;
  std::vector<PatternRole> roles_;
};

}  // namespace

PatternMethod pattern_method(const std::string& name) {
  for (const auto& [known, method] : kMethods) {
    if (name == known) return method;
  }
  throw InvalidInput("unknown method '" + name + "'");
}

std::vector<std::string> pattern_methods() {
  std::vector<std::string> names;
  for (const auto& entry : kMethods) names.emplace_back(entry.first);
  return names;
}

std::vector<PatternRole> choose_patterns(const TreeEnsemble& ensemble, Index tree,
                                         const PatternJob& job) {
  return Chooser(ensemble, tree, job).choose();
}

}  // namespace leafshap
