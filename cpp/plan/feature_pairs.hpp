// Pairs of features that occur together on a path: the only ones that interact.
#pragma once

#include <utility>
#include <vector>

#include "ir/tree.hpp"

namespace leafshap {

using FeaturePair = std::pair<FeatureId, FeatureId>;  // first < second

// Of the first n_trees trees, sorted.
std::vector<FeaturePair> pairs_on_paths(const TreeEnsemble& ensemble, Index n_trees);

}  // namespace leafshap
