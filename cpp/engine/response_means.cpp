// Partial dependence from how much weight of the rows would reach each leaf.
#include <cmath>
#include <mutex>
#include <numeric>

#include "engine/dispatch.hpp"
#include "engine/response_engine.hpp"
#include "engine/response_tile.hpp"

namespace leafshap {
namespace {

// Whole numbers, so that their sums do not depend on the order.
struct LeafWeights {
  explicit LeafWeights(const ResponsePlan& plan)
      : leaves(plan.leaves().size(), 0), slots(plan.slots().size(), 0) {}

  void add(const LeafWeights& other) {
    for (std::size_t i = 0; i < leaves.size(); ++i) leaves[i] += other.leaves[i];
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] += other.slots[i];
  }

  std::vector<std::int64_t> leaves;  // of the rows that reach the leaf
  std::vector<std::int64_t> slots;   // of the rows that reach it with the slot's player free
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
      : weights_(weights), own_(plan), total_(total), mutex_(mutex) {}
  WeighWorker(const WeighWorker&) = delete;
  ~WeighWorker() {
    const std::lock_guard<std::mutex> lock(mutex_);
    total_.add(own_);
  }

  void operator()(ResponseTile& tile, Index begin, const Stop& stop) {
    WeighArguments a{};
    a.weights = weights_.empty() ? nullptr : weights_.data() + begin;
    a.leaf_weights = own_.leaves.data();
    a.slot_weights = own_.slots.data();
    tile.for_trees(stop, [&](const ResponseWalk& walk) {
      a.walk = walk;
      kernels().weigh_leaves(a);
    });
  }

 private:
  const std::vector<std::int64_t>& weights_;
  LeafWeights own_;
  LeafWeights& total_;
  std::mutex& mutex_;
};

}  // namespace

void mean_responses(const ResponsePlan& plan, const Rows& rows, const std::vector<double>& weights,
                    double* out, int n_threads, Cancellation& cancellation) {
  const std::vector<std::int64_t> whole = whole_weights(weights);
  LeafWeights found(plan);
  std::mutex mutex;
  for_response_tiles(plan, rows, 0, count_rows(rows), n_threads, cancellation, [&] {
    return [worker = WeighWorker(plan, whole, found, mutex)](ResponseTile& tile, Index begin, Index,
                                                             const Stop& stop) mutable {
      worker(tile, begin, stop);
    };
  });
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
  std::uint32_t leaf = 0;
  for (std::size_t tree = 0; tree < plan.trees().size(); ++tree) {
    const OutputId output = plan.trees()[tree].output;
    for (; leaf < plan.end_leaves()[tree]; ++leaf) {
      const std::int64_t* values = plan.values().data() + plan.leaves()[leaf].value;
      const double share = static_cast<double>(found.leaves[leaf]) / all;
      const std::uint32_t first = plan.leaves()[leaf].slot;
      const std::uint32_t last = leaf + 1 < plan.leaves().size()
                                     ? plan.leaves()[leaf + 1].slot
                                     : static_cast<std::uint32_t>(plan.slots().size() - 1);
      for (OutputId k = 0; k < width; ++k) {
        const double value = plan.unit() * static_cast<double>(values[k]);
        means[output + k] += value * share;
        for (std::uint32_t s = first; s < last; ++s) {
          const ResponseSlot& slot = plan.slots()[s];
          const double free_share = static_cast<double>(found.slots[s]) / all;
          const std::int64_t begin = first_cells[slot.player];
          const std::int64_t size = first_cells[slot.player + 1] - begin;
          double* curve = out + begin * n_outputs + output + k;
          if (size > 0) curve[0] -= value * share;
          for (std::uint32_t r = slot.run; r < plan.slots()[s + 1].run; ++r) {
            const ResponseRun& run = plan.runs()[r];
            const std::int64_t behind = std::int64_t{run.begin} + run.size;
            curve[run.begin * std::int64_t{n_outputs}] += value * free_share;
            if (behind < size) curve[behind * n_outputs] -= value * free_share;
          }
        }
      }
    }
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
