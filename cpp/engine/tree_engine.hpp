// Explains rows: cuts them into blocks of tiles, quantises each block, walks all trees over it and
// writes phi, on as many threads as asked for.
#pragma once

#include "engine/parallel.hpp"
#include "ir/tree.hpp"
#include "plan/path_plan.hpp"
#include "types.hpp"

namespace leafshap {

// Path-dependent SHAP values; out is (n_rows, F, K), overwritten whole.
template <typename T>
void explain(const PathPlan<T>& plan, const Rows& rows, T* out, int n_threads,
             Cancellation& cancellation);

// Saabas' values (approximate=True): along the row's own path, each split is credited with the
// change of the expectation. out is (n_rows, F, K), overwritten whole.
template <typename T>
void explain_saabas(const TreeEnsemble& ensemble, Index n_trees, const Rows& rows, T* out,
                    int n_threads, Cancellation& cancellation);

// Raw margins by the scalar reference; out is (n_rows, K), overwritten whole.
void predict(const TreeEnsemble& ensemble, Index n_trees, const Rows& rows, double* out,
             int n_threads, Cancellation& cancellation);

}  // namespace leafshap
