#include "engine/averaged_game.hpp"

#include <algorithm>

#include "engine/aligned.hpp"
#include "engine/dispatch.hpp"
#include "plan/game_program.hpp"

namespace leafshap {
namespace {

// Coalitions of a task: their sums take a part of the L2 cache. Fewer if threads had nothing to do.
Index coalitions_per_task(Index n_coalitions, Index n_rows, int n_threads) {
  constexpr Index kMost = 2048, kLeast = kGameBlock;
  const Index n_tiles = ceil_divide(n_rows, kGameLanes);
  const Index balanced = ceil_divide(n_coalitions, ceil_divide(n_threads, n_tiles));
  return std::min(n_coalitions, std::clamp(balanced, kLeast, kMost));
}

// What all threads share.
struct AveragedCall {
  const GamePlan& plan;
  const double* shares;
  const Rows& rows;
  const OrderedCoalitions& coalitions;
  double* out;
  Index n_rows, n_outputs;
  Index chunk;  // coalitions of a task
  std::vector<std::uint8_t> members;
  std::vector<GameProgram> programs;
  std::vector<GameTree> trees;  // averaged
  struct Group {
    std::size_t begin, end;  // of trees
    OutputId output;
  };
  std::vector<Group> groups;
  std::size_t scratch_bytes = 0;

  Index n_chunks() const { return ceil_divide(coalitions.size(), chunk); }

  void compile(int n_threads, Cancellation& cancellation) {
    std::vector<const GamePlanTree*> chosen;
    for (const GamePlanTree& tree : plan.trees()) {
      if (tree.averaged) chosen.push_back(&tree);
    }
    programs.resize(chosen.size());
    parallel_blocks(static_cast<Index>(chosen.size()), n_threads, cancellation, [&] {
      return [&](Index tree, const Stop&) {
        programs[tree] = compile_game(plan, *chosen[tree], coalitions.players(),
                                      coalitions.nobody(), static_cast<std::size_t>(chunk));
      };
    });
    std::size_t n_entries = 0, bytes = 0;
    for (std::size_t t = 0; t < chosen.size(); ++t) {
      trees.push_back(programs[t].view(plan, *chosen[t]));
      n_entries += trees[t].n_entries;
      if (groups.empty() || groups.back().output != chosen[t]->output ||
          t - groups.back().begin == kGameTrees || n_entries > kGameEntries) {
        groups.push_back({t, t, chosen[t]->output});
        n_entries = trees[t].n_entries;
        bytes = kGameIndexBytes;
      }
      groups.back().end = t + 1;
      bytes += game_scratch_bytes(trees[t].n_nodes, trees[t].n_entries);
      scratch_bytes = std::max(scratch_bytes, bytes);
    }
  }
};

// A tile of explained rows and a chunk of coalitions.
class AveragedWorker {
 public:
  explicit AveragedWorker(const AveragedCall& call)
      : call_(call),
        ranks_(call.plan.quantizer().n_columns() * kGameLanes),
        sums_(static_cast<std::size_t>(call.chunk) * kGameLanes),
        scratch_(call.scratch_bytes) {}

  void operator()(Index task, const Stop& stop) {
    const Index row = task / call_.n_chunks() * kGameLanes;
    const Index first = task % call_.n_chunks() * call_.chunk;
    const Index n_rows = std::min<Index>(kGameLanes, call_.n_rows - row);
    call_.plan.quantizer().quantize(call_.rows, row, n_rows, kGameLanes, ranks_.data());
    GameArguments a{};
    a.tables = call_.shares;
    a.category_bits = call_.plan.quantizer().category_bits().data();
    a.ranks = ranks_.data();
    a.members = call_.members.data() + first;
    a.stride = static_cast<std::size_t>(call_.coalitions.n_words() * 64);
    a.n_coalitions =
        static_cast<std::int32_t>(std::min(call_.chunk, call_.coalitions.size() - first));
    a.sums = sums_.data();
    a.scratch = scratch_.data();
    for (OutputId k = 0; k < call_.n_outputs; ++k) {
      std::fill_n(sums_.data(), a.n_coalitions * kGameLanes, call_.plan.constant()[k]);
      if (!add_trees(a, k, stop)) return;
      for (Index c = 0; c < a.n_coalitions; ++c) {
        const Index cell = call_.coalitions.at(first + c) * call_.n_rows + row;
        for (Index i = 0; i < n_rows; ++i) {
          call_.out[(cell + i) * call_.n_outputs + k] = sums_.data()[c * kGameLanes + i];
        }
      }
    }
  }

 private:
  bool add_trees(GameArguments& a, OutputId k, const Stop& stop) const {
    const bool vector_leaves = call_.plan.ensemble().vector_leaves;
    a.leaf_values = call_.plan.leaf_values().data() + (vector_leaves ? k : 0);
    for (const AveragedCall::Group& group : call_.groups) {
      if (!vector_leaves && group.output != k) continue;
      a.trees = call_.trees.data() + group.begin;
      a.n_trees = static_cast<std::int32_t>(group.end - group.begin);
      kernels().evaluate_coalitions(a);
      if (stop()) return false;
    }
    return true;
  }

  const AveragedCall& call_;
  AlignedBuffer<std::uint16_t> ranks_;
  AlignedBuffer<double> sums_;
  AlignedBuffer<unsigned char> scratch_;
};

}  // namespace

void average_coalitions(const GamePlan& plan, const double* shares, const Rows& rows,
                        const OrderedCoalitions& coalitions, double* out, int n_threads,
                        Cancellation& cancellation) {
  AveragedCall call{plan,
                    shares,
                    rows,
                    coalitions,
                    out,
                    count_rows(rows),
                    plan.ensemble().n_outputs,
                    coalitions_per_task(coalitions.size(), count_rows(rows), n_threads),
                    coalitions.bytes(),
                    {},
                    {},
                    {}};
  call.compile(n_threads, cancellation);
  parallel_blocks(ceil_divide(call.n_rows, kGameLanes) * call.n_chunks(), n_threads, cancellation,
                  [&] { return AveragedWorker(call); });
}

}  // namespace leafshap
