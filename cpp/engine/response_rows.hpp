// A thread's rows while their way through the trees is found (kernels/responses.hpp).
#pragma once

#include <algorithm>

#include "engine/aligned.hpp"
#include "engine/parallel.hpp"
#include "plan/response_plan.hpp"
#include "types.hpp"

namespace leafshap {

class ResponseRows {
 public:
  // At most `size` rows at a time.
  ResponseRows(const ResponsePlan& plan, const Rows& rows, Index size);

  // Takes rows [begin, begin + count).
  void take(Index begin, Index count);
  // Begins anew with the same rows.
  void restart() { margins_.clear(); }

  // Calls use(arguments) for every tree in turn; false if it was stopped before the last. The
  // kernels find the rows' homes with these arguments.
  template <typename Use>
  bool for_trees(const Stop& stop, Use&& use) {
    constexpr std::size_t kTreesPerStop = 16;
    for (std::size_t i = 0; i < plan_.trees().size(); ++i) {
      if (i % kTreesPerStop == 0 && stop()) return false;
      arguments_.tile.tree = plan_.trees()[i];
      use(arguments_);
    }
    return true;
  }

  // Adds the values of the rows' own leaves of a tree to margins().
  void add_homes(const ResponseTree& tree);
  const std::int64_t* margins(OutputId k) const {
    return margins_.data() + static_cast<std::size_t>(k) * arguments_.tile.size;
  }

  // Margins of the rows that were taken, `count` from `begin` on among all, (n, K).
  void write(Index begin, Index count, double* out) const;

  // Margin of a fixed-point sum for an output.
  double margin(OutputId k, std::int64_t sum) const {
    return plan_.ensemble().base_values[k] + plan_.units()[k] * static_cast<double>(sum);
  }

 private:
  const ResponsePlan& plan_;
  const Rows& rows_;
  AlignedBuffer<std::uint16_t> ranks_, row_list_;
  AlignedBuffer<ResponseSpan> spans_;
  AlignedBuffer<std::int64_t> home_, margins_;
  HomeArguments arguments_{};
};

// Calls worker(rows, begin, count, stop) for all rows in [begin, end), by thread, in tiles of
// `size` rows.
template <typename MakeWorker>
void for_response_rows(const ResponsePlan& plan, const Rows& x, Index begin, Index end, Index size,
                       int n_threads, Cancellation& cancellation, MakeWorker&& make_worker) {
  // tiles are not full where threads would have nothing to do
  const Index most = std::clamp<Index>(ceil_divide(end - begin, n_threads), 1, size);
  parallel_blocks(ceil_divide(end - begin, most), n_threads, cancellation, [&] {
    return [&, rows = ResponseRows(plan, x, size), worker = make_worker()](
               Index block, const Stop& stop) mutable {
      const Index first = begin + block * most, count = std::min(most, end - first);
      rows.take(first, count);
      worker(rows, first, count, stop);
    };
  });
}

}  // namespace leafshap
