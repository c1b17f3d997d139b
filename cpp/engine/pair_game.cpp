#include "engine/pair_game.hpp"

#include <algorithm>

#include "engine/aligned.hpp"
#include "engine/dispatch.hpp"

namespace leafshap {
namespace {

// Trees whose nodes are decided together for a tile of the background.
struct TreeGroup {
  std::vector<PairTree> trees;  // the nodes' place in the group is added by the worker
  std::size_t first_node = 0, n_nodes = 0;
};

// What all threads share.
struct PairCall {
  const GamePlan& plan;
  const Background& background;
  GameOutput output;
  const Rows& rows;
  const OrderedCoalitions& coalitions;
  double* out;
  Index n_rows;
  std::size_t n_outputs;
  Index tile_rows;  // of the background
};

// An explained row and a chunk of coalitions.
class PairWorker {
 public:
  explicit PairWorker(const PairCall& call)
      : call_(call),
        row_ranks_(call.plan.quantizer().n_columns()),
        ranks_(call.plan.quantizer().n_columns() * kPairTile),
        margins_(static_cast<std::size_t>(call.tile_rows) * row_size()),
        values_(row_size()),
        places_(static_cast<std::size_t>(call.plan.most_levels()) + 1),
        leaves_(kPairWords * kPairLeaves) {
    gather_trees();
  }

  void operator()(Index task, const Stop& stop) {
    const Index n_chunks = call_.coalitions.n_words() / kPairWords;
    const Index row = task / n_chunks, chunk = task % n_chunks;
    const Index first = chunk * kPairCoalitions;
    const Index n = std::min<Index>(kPairCoalitions, call_.coalitions.size() - first);
    call_.plan.quantizer().quantize(call_.rows, row, 1, 1, row_ranks_.data());
    std::uint64_t all[kPairWords] = {};
    for (Index c = 0; c < n; ++c) all[c / 64] |= std::uint64_t{1} << (c % 64);
    PairArguments a{};
    a.leaf_values = call_.plan.leaf_values().data();
    a.leaf_width = call_.plan.ensemble().leaf_width();
    a.members = call_.coalitions.words() + chunk * kPairWords;
    a.stride = static_cast<std::size_t>(call_.coalitions.n_words());
    a.coalitions = all;
    a.places = places_.data();
    a.leaves = leaves_.data();
    values_.clear();
    for (Index b = 0; b < call_.background.n_rows(); b += call_.tile_rows) {
      if (!add_tile(a, b, static_cast<std::size_t>(n), stop)) return;
    }
    write(row, first, n);
  }

 private:
  std::size_t row_size() const { return call_.n_outputs * kPairCoalitions; }

  // Groups with few nodes, so that the pairs of a tile find them in the L2 cache.
  void gather_trees() {
    constexpr std::size_t kNodes = 16384;
    std::size_t most_nodes = 0;
    for (const GamePlanTree& tree : call_.plan.trees()) {
      if (tree.averaged) continue;
      if (groups_.empty() || groups_.back().n_nodes + tree.n_nodes > kNodes ||
          groups_.back().first_node + groups_.back().n_nodes != tree.node) {
        groups_.push_back({{}, tree.node, 0});
      }
      TreeGroup& group = groups_.back();
      group.trees.push_back({nullptr, static_cast<std::int32_t>(tree.n_nodes) - 1, tree.output});
      group.n_nodes += tree.n_nodes;
      most_nodes = std::max(most_nodes, group.n_nodes);
    }
    nodes_.resize(most_nodes);
    for (TreeGroup& group : groups_) {
      const PairNode* node = nodes_.data();
      for (PairTree& tree : group.trees) {
        tree.nodes = node;
        node += tree.root + 1;
      }
    }
  }

  // Background rows from b on.
  bool add_tile(PairArguments& a, Index b, std::size_t n, const Stop& stop) {
    const Background& background = call_.background;
    const Index count = std::min(call_.tile_rows, background.n_rows() - b);
    call_.plan.quantizer().quantize(background.rows(), b, count, kPairTile, ranks_.data());
    const bool raw = call_.output == GameOutput::kRaw;
    for (Index i = 0; i < count; ++i) {
      double* margins = margins_.data() + static_cast<std::size_t>(i) * row_size();
      for (const double constant : call_.plan.constant()) {
        std::fill_n(margins, kPairCoalitions, raw ? 0 : constant);
        margins += kPairCoalitions;
      }
    }
    for (const TreeGroup& group : groups_) {
      decide(group);
      a.trees = group.trees.data();
      a.n_trees = group.trees.size();
      for (Index i = 0; i < count; ++i) {
        a.background = static_cast<std::int32_t>(i);
        a.margins = margins_.data() + static_cast<std::size_t>(i) * row_size();
        for (a.output = 0; a.output < a.leaf_width; ++a.output) kernels().evaluate_pair(a);
        if (stop()) return false;
      }
    }
    for (Index i = 0; i < count; ++i) {
      add_outputs(call_.output, background.weight(b + i), call_.n_outputs, n, kPairCoalitions,
                  margins_.data() + static_cast<std::size_t>(i) * row_size(), values_.data());
    }
    return !stop();
  }

  void decide(const TreeGroup& group) {
    PairTileArguments a{};
    a.nodes = call_.plan.nodes().data() + group.first_node;
    a.features = call_.plan.features().data() + group.first_node;
    a.n_nodes = group.n_nodes;
    a.players = call_.coalitions.players().data();
    a.category_bits = call_.plan.quantizer().category_bits().data();
    a.ranks = ranks_.data();
    a.row_ranks = row_ranks_.data();
    a.out = nodes_.data();
    kernels().decide_pairs(a);
  }

  void write(Index row, Index first, Index n) const {
    const bool raw = call_.output == GameOutput::kRaw;
    for (Index c = 0; c < n; ++c) {
      const Index cell = call_.coalitions.at(first + c) * call_.n_rows + row;
      double* out = call_.out + cell * static_cast<Index>(call_.n_outputs);
      const double* value = values_.data() + c;
      for (std::size_t k = 0; k < call_.n_outputs; ++k, value += n) {
        out[k] = raw ? out[k] + *value : *value;
      }
    }
  }

  const PairCall& call_;
  std::vector<TreeGroup> groups_;
  std::vector<PairNode> nodes_;  // of a group
  AlignedBuffer<std::uint16_t> row_ranks_, ranks_;
  AlignedBuffer<double> margins_;  // (rows of a tile, K, kPairCoalitions)
  AlignedBuffer<double> values_;   // (K, coalitions)
  AlignedBuffer<PairPlace> places_;
  AlignedBuffer<PairLeaf> leaves_;
};

}  // namespace

void pair_coalitions(const GamePlan& plan, const Background& background, GameOutput output,
                     const Rows& rows, const OrderedCoalitions& coalitions, double* out,
                     int n_threads, Cancellation& cancellation) {
  // as many as fit into a few megabytes of margins
  constexpr Index kMarginRows = 512;
  const Index n_outputs = plan.ensemble().n_outputs;
  const PairCall call{plan,
                      background,
                      output,
                      rows,
                      coalitions,
                      out,
                      count_rows(rows),
                      static_cast<std::size_t>(n_outputs),
                      std::clamp<Index>(kMarginRows / n_outputs, 1, kPairTile)};
  parallel_blocks(call.n_rows * (coalitions.n_words() / kPairWords), n_threads, cancellation,
                  [&] { return PairWorker(call); });
}

}  // namespace leafshap
