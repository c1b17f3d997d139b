// Partial dependence from how much weight of the rows would reach each leaf.
#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "engine/dispatch.hpp"
#include "engine/response_engine.hpp"
#include "engine/response_rows.hpp"
#include "engine/response_walk.hpp"

namespace leafshap {
namespace {

// Whole numbers, so that their sums do not depend on the order.
struct LeafWeights {
  explicit LeafWeights(const ResponsePlan& plan)
      : leaves(plan.leaves().size(), 0), slots(plan.n_slots(), 0) {}

  void add(const LeafWeights& other) {
    for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i] += other.leaves[i];
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] += other.slots[i];
  }

  std::vector<std::int64_t> leaves;  // of the rows that reach the leaf
  std::vector<std::int64_t> slots;   // of the rows that reach it only with the slot's player free
};

// Weights as shares of 2^60; empty if there are none.
std::vector<std::int64_t> whole_weights(const std::vector<double>& weights) {
  const double largest = weights.empty() ? 0 : *std::max_element(weights.begin(), weights.end());
  double sum = 0;
  for (const double weight : weights) sum += weight / largest;
  std::vector<std::int64_t> out;
  for (const double weight : weights) {
    out.push_back(std::llrint(std::ldexp(weight / largest / sum, 60)));
  }
  return out;
}

class WeighWorker {
 public:
  WeighWorker(const ResponsePlan& plan, const std::vector<std::int64_t>& weights,
              LeafWeights& total, std::mutex& mutex)
      : weights_(weights), memory_(plan), own_(plan), total_(total), mutex_(mutex) {}
  WeighWorker(const WeighWorker&) = delete;
  ~WeighWorker() {
    const std::lock_guard<std::mutex> lock(mutex_);
    total_.add(own_);
  }

  void operator()(ResponseRows& rows, Index begin, Index, const Stop& stop) {
    WeighArguments a{};
    a.weights = weights_.empty() ? nullptr : weights_.data() + begin;
    a.leaf_weights = own_.leaves.data();
    a.slot_weights = own_.slots.data();
    rows.for_trees(stop, [&](const HomeArguments& home) {
      a.walk = memory_.walk(home.tile);
      kernels().weigh_leaves(a);
    });
  }

 private:
  const std::vector<std::int64_t>& weights_;
  ResponseWalkMemory memory_;
  LeafWeights own_;
  LeafWeights& total_;
  std::mutex& mutex_;
};

// A player on the path to a leaf, and the cells with which it satisfies the path's conditions.
struct PathPlayer {
  std::uint32_t player;
  ResponseRuns runs;
};

// Calls use(leaf, players on its path) for every leaf of a tree.
template <typename Use>
void for_leaves(const ResponsePlan& plan, std::int32_t root, Use&& use) {
  struct Step {
    std::int32_t node;
    int n_done;
    ResponseRuns replaced;
  };
  std::vector<Step> steps;
  std::vector<PathPlayer> players;
  std::int32_t node = root;
  while (true) {
    if (node < 0) {
      use(static_cast<std::size_t>(~node), players);
    } else {
      const ResponseNode& n = plan.nodes()[node];
      if (n.adds_slot) players.push_back({n.player, {}});
      steps.push_back({node, 0, n.slot < 0 ? ResponseRuns{} : players[n.slot].runs});
    }
    while (!steps.empty() && steps.back().n_done == 2) {
      const ResponseNode& n = plan.nodes()[steps.back().node];
      if (n.slot >= 0) players[n.slot].runs = steps.back().replaced;
      if (n.adds_slot) players.pop_back();
      steps.pop_back();
    }
    if (steps.empty()) return;
    const ResponseNode& n = plan.nodes()[steps.back().node];
    const int side = steps.back().n_done++;
    if (n.slot >= 0) players[n.slot].runs = n.runs[side];
    node = n.children[side];
  }
}

void add_run(double* curve, std::int64_t n_cells, OutputId n_outputs, const ResponseRun& run,
             double gain) {
  const std::int64_t begin = run.begin, end = run.end;
  curve[begin * n_outputs] += gain;
  if (end < n_cells) curve[end * n_outputs] -= gain;
}

}  // namespace

void mean_responses(const ResponsePlan& plan, const Rows& rows, const std::vector<double>& weights,
                    double* out, int n_threads, Cancellation& cancellation) {
  const std::vector<std::int64_t> whole = whole_weights(weights);
  LeafWeights found(plan);
  std::mutex mutex;
  for_response_rows(plan, rows, 0, count_rows(rows), kResponseRows, n_threads, cancellation,
                    [&] { return WeighWorker(plan, whole, found, mutex); });
  const double all =
      whole.empty()
          ? static_cast<double>(count_rows(rows))
          : static_cast<double>(std::accumulate(whole.begin(), whole.end(), std::int64_t{0}));

  // steps along the cells: what players change, leaf by leaf; and the mean of the rows unchanged
  const OutputId n_outputs = plan.ensemble().n_outputs, width = plan.ensemble().leaf_width();
  const std::vector<std::int64_t>& first_cells = plan.first_cells();
  const Index n_cells = first_cells.back();
  std::fill_n(out, n_cells * n_outputs, 0.0);
  std::vector<double> means = plan.ensemble().base_values;
  for (const ResponseTree& tree : plan.trees()) {
    if (cancellation.requested()) throw Cancelled();
    for_leaves(plan, tree.root, [&](std::size_t leaf, const std::vector<PathPlayer>& players) {
      const ResponseLeaf& place = plan.leaves()[leaf];
      const double share = static_cast<double>(found.leaves[leaf]) / all;
      for (OutputId k = 0; k < width; ++k) {
        const double value =
            plan.units()[tree.output + k] * static_cast<double>(plan.values()[place.value + k]);
        means[tree.output + k] += value * share;
        for (std::size_t s = 0; s < players.size(); ++s) {
          const std::int64_t begin = first_cells[players[s].player];
          const std::int64_t size = first_cells[players[s].player + 1] - begin;
          const double free_share =
              static_cast<double>(found.leaves[leaf] + found.slots[place.slot + s]) / all;
          double* curve = out + begin * n_outputs + tree.output + k;
          if (size > 0) curve[0] -= value * share;
          for (std::uint32_t r = players[s].runs.first; r < players[s].runs.end; ++r) {
            add_run(curve, size, n_outputs, plan.runs()[r], value * free_share);
          }
        }
      }
    });
  }
  for (Index p = 0; p < plan.players().n_players; ++p) {
    for (OutputId k = 0; k < n_outputs; ++k) {
      double sum = means[k];
      for (Index cell = first_cells[p]; cell < first_cells[p + 1]; ++cell) {
        sum += out[cell * n_outputs + k];
        out[cell * n_outputs + k] = sum;
      }
    }
  }
}

}  // namespace leafshap
