// Cover counted anew from rows: for path-dependent SHAP values of another population than the
// training data, or of a model that carries no cover.
#pragma once

#include <memory>
#include <vector>

#include "engine/parallel.hpp"
#include "ir/tree.hpp"
#include "types.hpp"

namespace leafshap {

// The same trees; the cover of a node is the sum of the weights (empty: 1 each) of the rows that
// reach it.
std::shared_ptr<const TreeEnsemble> recount_cover(const TreeEnsemble& ensemble, const Rows& rows,
                                                  const std::vector<double>& weights, int n_threads,
                                                  Cancellation& cancellation);

}  // namespace leafshap
