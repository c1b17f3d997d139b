// Pairs of features that occur together on a path: the only ones that interact.
#pragma once

#include <vector>

#include "ir/tree.hpp"
#include "plan/slots.hpp"

namespace leafshap {

// Of the first n_trees trees, sorted.
std::vector<FeaturePair> pairs_on_paths(const TreeEnsemble& ensemble, Index n_trees);

}  // namespace leafshap
