// The only way to make a TreeEnsemble: takes its arrays and checks every invariant of tree.hpp.
#pragma once

#include <memory>

#include "ir/tree.hpp"

namespace leafshap {

// Throws InvalidModel naming the tree and the node that break a rule. Sorts category sets.
std::shared_ptr<const TreeEnsemble> build_ensemble(TreeEnsemble arrays);

}  // namespace leafshap
