// A thread's rows while their way through the trees is found (kernels/responses.hpp).
#pragma once

#include <algorithm>

#include "engine/aligned.hpp"
#include "engine/parallel.hpp"
#include "plan/response_plan.hpp"
#include "types.hpp"

namespace leafshap {

class ResponseTile {
 public:
  ResponseTile(const ResponsePlan& plan, const Rows& rows);

  // Takes rows [begin, begin + count), count <= kResponseRows.
  void take(Index begin, Index count);

  // Calls use(walk) for every tree in turn; false if it was stopped before the last.
  template <typename Use>
  bool for_trees(const Stop& stop, Use&& use) {
    constexpr std::size_t kTreesPerStop = 64;
    for (std::size_t i = 0; i < plan_.trees().size(); ++i) {
      if (i % kTreesPerStop == 0 && stop()) return false;
      walk_.tree = plan_.trees()[i];
      use(walk_);
    }
    return true;
  }

  // Adds the values of the rows' own leaves, which a kernel found, to margins().
  void add_homes(const ResponseTree& tree);
  const std::int64_t* margins(OutputId k) const { return margins_.data() + k * kResponseRows; }

  // Margin of a fixed-point sum for an output.
  double margin(OutputId k, std::int64_t sum) const {
    return plan_.ensemble().base_values[k] + plan_.unit() * static_cast<double>(sum);
  }

 private:
  const ResponsePlan& plan_;
  const Rows& rows_;
  AlignedBuffer<std::uint16_t> ranks_;
  AlignedBuffer<ResponsePlace> places_;
  AlignedBuffer<ResponseSet> sets_;
  AlignedBuffer<ResponseStep> steps_;
  AlignedBuffer<ResponseSlot> slots_;
  AlignedBuffer<ResponseCondition> conditions_;
  AlignedBuffer<std::int64_t> home_, margins_;
  ResponseWalk walk_{};
};

// Calls worker(tile, begin, count, stop) for all rows in [begin, end), by thread.
template <typename MakeWorker>
void for_response_tiles(const ResponsePlan& plan, const Rows& rows, Index begin, Index end,
                        int n_threads, Cancellation& cancellation, MakeWorker&& make_worker) {
  // fewer rows in a tile where threads would have nothing to do
  const Index size = std::clamp<Index>(ceil_divide(end - begin, n_threads), 1, kResponseRows);
  parallel_blocks(ceil_divide(end - begin, size), n_threads, cancellation, [&] {
    return [&, tile = ResponseTile(plan, rows), worker = make_worker()](Index block,
                                                                        const Stop& stop) mutable {
      const Index first = begin + block * size, count = std::min(size, end - first);
      tile.take(first, count);
      worker(tile, first, count, stop);
    };
  });
}

}  // namespace leafshap
