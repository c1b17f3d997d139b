// What answering for players that take other values needs of an ensemble, computed once: the
// trees' nodes, and which values satisfy their paths' conditions.
#pragma once

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
  // Whether the cells are those of a player's features taken together; else of every feature.
  bool joint;
};

class ResponsePlan {
 public:
  // Over the first n_trees trees; players take values from the probes.
  ResponsePlan(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees, ResponsePlayers players,
               const Rows& probes);
  ResponsePlan(const ResponsePlan&) = delete;
  ResponsePlan& operator=(const ResponsePlan&) = delete;

  const TreeEnsemble& ensemble() const { return *ensemble_; }
  const Quantizer& quantizer() const { return quantizer_; }
  const ResponsePlayers& players() const { return players_; }
  const std::vector<ResponseAxis>& axes() const { return axes_; }
  Index n_probes() const { return n_probes_; }
  // Joint players: where the cells of each begin, and how many there are in all.
  const std::vector<std::int64_t>& first_cells() const { return first_cells_; }

  const std::vector<ResponseTree>& trees() const { return trees_; }
  const std::vector<ResponseNode>& nodes() const { return nodes_; }
  const std::vector<ResponseLeaf>& leaves() const { return leaves_; }  // child i is leaf ~i
  std::size_t n_slots() const { return n_slots_; }                     // of all leaves
  const std::vector<ResponseRun>& runs() const { return runs_; }
  const std::vector<std::int64_t>& values() const { return values_; }
  double unit() const { return unit_; }  // of the values
  std::size_t n_levels() const { return n_levels_; }
  std::size_t most_slots() const { return most_slots_; }  // of a path

 private:
  class Compiler;

  void find_axes(const Rows& probes);
  void choose_unit();

  std::shared_ptr<const TreeEnsemble> ensemble_;
  Index n_trees_;
  Quantizer quantizer_;
  ResponsePlayers players_;
  std::vector<std::int32_t> axis_of_feature_;
  std::vector<ResponseAxis> axes_;
  Index n_probes_;
  std::vector<std::int64_t> first_cells_;
  std::vector<ResponseTree> trees_;
  std::vector<ResponseNode> nodes_;
  std::vector<ResponseLeaf> leaves_;
  std::vector<ResponseRun> runs_;
  std::vector<std::int64_t> values_;
  double unit_ = 1;
  std::size_t n_slots_ = 0, n_levels_ = 0, most_slots_ = 0;
};

}  // namespace leafshap
