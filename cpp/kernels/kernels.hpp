// The contract between the engine and the kernels: plain-old-data arguments, by kernel, and one
// table of functions per instruction set. No ownership; <utility> is for the step table's
// integer_sequence, since no include may stand in a target region.
#pragma once

#include <utility>

#include "kernels/dense.hpp"
#include "kernels/game.hpp"
#include "kernels/interactions.hpp"
#include "kernels/pair_game.hpp"
#include "kernels/pairwise.hpp"
#include "kernels/path.hpp"
#include "kernels/patterns.hpp"
#include "kernels/responses.hpp"

namespace leafshap {

struct KernelTable {
  const char* isa;
  void (*tree_shap_double)(const PathArguments<double>&);
  void (*tree_shap_float)(const PathArguments<float>&);
  void (*interactions_double)(const InteractionArguments<double>&);
  void (*interactions_float)(const InteractionArguments<float>&);
  void (*count_rows)(const CountArguments<std::uint32_t>&);
  void (*count_weights)(const CountArguments<double>&);
  void (*build_table_double)(const TableArguments<double>&);
  void (*build_table_float)(const TableArguments<float>&);
  void (*look_up_double)(const LookUpArguments<double>&);
  void (*look_up_float)(const LookUpArguments<float>&);
  void (*pairwise_double)(const PairwiseArguments<double>&);
  void (*pairwise_float)(const PairwiseArguments<float>&);
  void (*evaluate_coalitions)(const GameArguments&);
  void (*decide_pairs)(const PairTileArguments&);
  void (*evaluate_pair)(const PairArguments&);
  void (*add_product)(const ProductArguments&);
  void (*find_homes)(const HomeArguments&);
  void (*respond)(const RespondArguments&);
  void (*add_curves)(const CurveArguments&);
  void (*weigh_leaves)(const WeighArguments&);
};

extern const KernelTable kBaselineKernels;
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;

}  // namespace leafshap
