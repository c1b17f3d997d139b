#include "engine/pair_walk.hpp"

#include <algorithm>

#include "ir/split.hpp"

namespace leafshap {
namespace {

// State of a feature on the path: not tested or satisfied by both rows, or by one of them alone.
constexpr std::int8_t kBoth = 0, kRowOnly = 1, kBackgroundOnly = 2;

bool row_goes_left(const TreeEnsemble& e, Index node, const Rows& rows, Index row) {
  return std::visit(
      [&](const auto& view) {
        return goes_left(e, node, read_value(e.input, view.row(row)[e.split_feature[node]]));
      },
      rows);
}

}  // namespace

PairWalk::PairWalk(const PatternPlan& plan, const Background& background)
    : plan_(plan),
      e_(plan.ensemble()),
      background_(background),
      state_(static_cast<std::size_t>(e_.n_features), kBoth) {
  const auto& pairwise = plan.pairwise_leaves();
  for (Index tree = 0; tree < plan.n_trees(); ++tree) {
    const auto end = pairwise.begin() + e_.tree_offsets[tree + 1];
    if (std::find(pairwise.begin() + e_.tree_offsets[tree], end, true) != end) {
      trees_.push_back(tree);
    }
  }
}

// Computed anew each time: a table for the longest path of any model could take gigabytes.
double PairWalk::beta(std::size_t a, std::size_t u) {
  const auto [few, many] = std::minmax(a, u);
  double value = 1 / static_cast<double>(many + 1);
  for (std::size_t i = 1; i <= few; ++i) {
    value *= static_cast<double>(i) / static_cast<double>(i + many + 1);
  }
  return value;
}

bool PairWalk::add(const Rows& rows, Index row, double* sums, const Stop& stop) {
  constexpr Index kRowsPerStop = 64;
  for (const Index tree : trees_) {
    for (Index b = 0; b < background_.n_rows(); ++b) {
      if (b % kRowsPerStop == 0 && stop()) return false;
      walk(tree, rows, row, b, sums);
    }
  }
  return true;
}

// Visits every leaf that a mixture of both rows can reach.
void PairWalk::walk(Index tree, const Rows& rows, Index row, Index background_row, double* sums) {
  const Index offset = e_.tree_offsets[tree];
  const double weight = background_.weight(background_row) * e_.weight(tree, plan_.n_trees());
  const Rows background = background_.rows();
  stack_.assign(1, Frame{0, 0, false, false, kBoth});
  while (!stack_.empty()) {
    Frame& frame = stack_.back();
    const Index node = offset + frame.node;
    if (e_.left[node] == -1) {
      if (plan_.pairwise_leaves()[node]) add_leaf(tree, node, weight, sums);
      stack_.pop_back();
      continue;
    }
    const FeatureId f = e_.split_feature[node];
    if (frame.stage == 0) {
      frame.before = state_[f];
      const bool row_left = row_goes_left(e_, node, rows, row);
      const bool background_left = row_goes_left(e_, node, background, background_row);
      frame.first_left = frame.before == kBackgroundOnly ? background_left : row_left;
      frame.both = frame.before == kBoth && row_left != background_left;
      if (frame.both) {
        state_[f] = kRowOnly;
        row_only_.push_back(f);
      }
    } else if (frame.stage == 1 && frame.both) {
      row_only_.pop_back();
      state_[f] = kBackgroundOnly;
      background_only_.push_back(f);
    } else {
      if (frame.both) background_only_.pop_back();
      state_[f] = frame.before;
      stack_.pop_back();
      continue;
    }
    const bool to_left = frame.stage == 0 ? frame.first_left : !frame.first_left;
    ++frame.stage;
    stack_.push_back({to_left ? e_.left[node] : e_.right[node], 0, false, false, kBoth});
  }
}

// With a features that only the row satisfies and u that only the background row does, the leaf's
// game has the multilinear extension t^a (1 - t)^u on the diagonal; both derivatives and integral.
void PairWalk::add_leaf(Index tree, Index leaf, double weight, double* sums) const {
  const std::size_t a = row_only_.size(), u = background_only_.size();
  const auto& pairs = plan_.pairs();
  for (OutputId k = 0; k < e_.leaf_width(); ++k) {
    const OutputId output = e_.vector_leaves ? k : e_.tree_output[tree];
    const double v = weight * e_.leaf(leaf)[k];
    const auto add_values = [&](const std::vector<FeatureId>& features, double value) {
      for (const FeatureId f : features) sums[plan_.slot_of_feature(f, output)] += value;
    };
    const auto add_pair = [&](FeatureId i, FeatureId j, double value) {
      const FeaturePair pair = std::minmax(i, j);
      const auto place = std::lower_bound(pairs.begin(), pairs.end(), pair);
      sums[plan_.slot_of_pair(static_cast<std::size_t>(place - pairs.begin()), output)] +=
          value / 2;
    };
    const auto add_pairs_within = [&](const std::vector<FeatureId>& features, double value) {
      for (std::size_t i = 0; i < features.size(); ++i) {
        for (std::size_t j = i + 1; j < features.size(); ++j) {
          add_pair(features[i], features[j], value);
        }
      }
    };
    if (a > 0) add_values(row_only_, v * beta(a - 1, u));
    if (u > 0) add_values(background_only_, -v * beta(a, u - 1));
    if (a > 1) add_pairs_within(row_only_, v * beta(a - 2, u));
    if (u > 1) add_pairs_within(background_only_, v * beta(a, u - 2));
    if (a == 0 || u == 0) continue;
    for (const FeatureId i : row_only_) {
      for (const FeatureId j : background_only_) add_pair(i, j, -v * beta(a - 1, u - 1));
    }
  }
}

}  // namespace leafshap
