// What answering for players that take other values needs of an ensemble, computed once: the
// trees' nodes, and which values satisfy their paths' conditions.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "ir/tree.hpp"
#include "kernels/responses.hpp"
#include "plan/quantizer.hpp"
#include "plan/response_cells.hpp"

namespace leafshap {

// Disjoint sets of features.
struct ResponsePlayers {
  std::vector<std::int32_t> of_feature;  // -1: none
  std::int32_t n_players;
};

class ResponsePlan {
 public:
  // Over the first n_trees trees; players take values from the probes: any of them if
  // `all_values`, which finds their cells, else those that are named later. `between_trees` is
  // called now and then, and may throw.
  ResponsePlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees, ResponsePlayers players,
               const Rows& probes, bool all_values, const std::function<void()>& between_trees);
  ResponsePlan(const ResponsePlan&) = delete;
  ResponsePlan& operator=(const ResponsePlan&) = delete;

  const TreeEnsemble& ensemble() const { return *ensemble_; }
  const Quantizer& quantizer() const { return quantizer_; }
  const ResponsePlayers& players() const { return players_; }
  Index n_probes() const { return n_probes_; }
  bool all_values() const { return all_values_; }
  // Not all values: (n_columns, n_probes).
  const std::vector<std::uint16_t>& probe_ranks() const { return probe_ranks_; }
  // All values: by player; where the cells of each begin, and how many there are in all.
  const std::vector<PlayerCells>& cells() const { return cells_; }
  const std::vector<std::int64_t>& first_cells() const { return first_cells_; }

  const std::vector<ResponseTree>& trees() const { return trees_; }
  const std::vector<ResponseNode>& nodes() const { return nodes_; }
  const std::vector<ResponseLeaf>& leaves() const { return leaves_; }  // child i is leaf ~i
  std::size_t n_slots() const { return n_slots_; }                     // of all leaves
  const std::vector<ResponseRun>& runs() const { return runs_; }
  const std::vector<std::int64_t>& values() const { return values_; }
  const std::vector<double>& units() const { return units_; }  // of the values, by output
  std::size_t n_levels() const { return n_levels_; }
  std::size_t most_slots() const { return most_slots_; }  // of a path

 private:
  class Compiler;

  void rank_probes(const Rows& probes);
  void find_cells();
  void choose_units();

  std::shared_ptr<const TreeEnsemble> ensemble_;
  Index n_trees_;
  Quantizer quantizer_;
  ResponsePlayers players_;
  Index n_probes_;
  bool all_values_;
  std::vector<std::uint16_t> probe_ranks_;
  std::vector<PlayerCells> cells_;
  std::vector<std::int64_t> first_cells_;
  std::vector<ResponseTree> trees_;
  std::vector<ResponseNode> nodes_;
  std::vector<ResponseLeaf> leaves_;
  std::vector<ResponseRun> runs_;
  std::vector<std::int64_t> values_;
  std::vector<double> units_;
  std::size_t n_slots_ = 0, n_levels_ = 0, most_slots_ = 0;
};

}  // namespace leafshap
