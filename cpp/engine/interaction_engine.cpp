#include "engine/interaction_engine.hpp"

#include <algorithm>
#include <type_traits>

#include "engine/aligned.hpp"
#include "engine/dispatch.hpp"

namespace leafshap {
namespace {

std::size_t n_vector_outputs(const TreeEnsemble& e) {
  return e.vector_leaves ? static_cast<std::size_t>(e.n_outputs) : 0;
}

template <typename T>
std::size_t scratch_bytes(const PathPlan<T>& walks, Index tile_rows) {
  return interaction_scratch_bytes(static_cast<std::size_t>(tile_rows), walks.n_levels(),
                                   walks.points_per_walk(), n_vector_outputs(walks.ensemble()),
                                   sizeof(T));
}

// Rows that a thread takes at a time, one tile: as many as share a step's constants, fewer when
// their sums, or P and S of a deep tree, would not stay in the L2 cache, or when there are so few
// rows that threads would have nothing to do.
template <typename T>
Index tile_rows_for(const InteractionPlan<T>& plan, Index n_rows, int n_threads) {
  constexpr Index kSumBytes = 768 * 1024, kFewestRows = 16;
  constexpr std::size_t kScratchBytes = 256 * 1024;
  const auto row_bytes = static_cast<Index>(plan.n_slots() * sizeof(T));
  const Index fit = kSumBytes / std::max<Index>(row_bytes, 1);
  const Index share = ceil_divide(ceil_divide(n_rows, n_threads), kFewestRows) * kFewestRows;
  Index rows = kTileRows;
  while (rows > kFewestRows && (rows > fit || scratch_bytes(plan.path(), rows) > kScratchBytes)) {
    rows /= 2;
  }
  return std::max(std::min(rows, share), kFewestRows);
}

// One thread's memory and its way through a block.
template <typename T>
class InteractionWorker {
 public:
  InteractionWorker(const InteractionPlan<T>& plan, const KernelTable& kernels, const Rows& rows,
                    Index n_rows, const InteractionArrays<T>& out, Index tile_rows)
      : plan_(plan),
        walks_(plan.path()),
        kernels_(kernels),
        rows_(rows),
        n_rows_(n_rows),
        tile_rows_(tile_rows),
        writer_(walks_.ensemble().n_features, walks_.ensemble().n_outputs, walks_.slots(),
                plan.pair_slots(), out),
        ranks_(size(tile_rows) * walks_.quantizer().n_columns()),
        phi_(size(tile_rows) * plan.n_slots()),
        phi_sums_(kIsFloat ? phi_.size() : 0),
        by_row_(kRowsAtOnce * plan.n_slots()),
        scratch_(scratch_bytes(walks_, tile_rows)) {}

  void operator()(Index tile, const Stop& stop) {
    const Index begin = tile * tile_rows_, count = std::min(tile_rows_, n_rows_ - begin);
    walks_.quantizer().quantize(rows_, begin, count, static_cast<int>(tile_rows_), ranks_.data());
    phi_.clear();
    phi_sums_.clear();
    if (!run_kernel(count, stop)) return;
    for (Index first = 0; first < count; first += kRowsAtOnce) {
      write(begin, first, std::min(kRowsAtOnce, count - first));
    }
  }

 private:
  static constexpr bool kIsFloat = std::is_same_v<T, float>;
  static constexpr Index kRowsAtOnce = 8;  // a cache line of double sums

  static std::size_t size(Index n) { return static_cast<std::size_t>(n); }

  // Walks all trees, a group after the other so that a long block can be stopped; false if it was.
  bool run_kernel(Index count, const Stop& stop) {
    constexpr std::size_t kStepsPerGroup = 20'000;  // some tens of milliseconds
    InteractionArguments<T> a{arguments(count), nullptr, plan_.node_pairs().data(),
                              plan_.factors().data()};
    const auto& trees = walks_.trees();
    for (std::size_t begin = 0, end = 0; begin < trees.size(); begin = end) {
      std::size_t n_steps = 0;
      while (end < trees.size() && n_steps < kStepsPerGroup) n_steps += trees[end++].n_steps;
      a.path.trees = trees.data() + begin;
      a.path.n_trees = end - begin;
      a.trees = plan_.trees().data() + begin;
      if constexpr (kIsFloat) {
        kernels_.interactions_float(a);
      } else {
        kernels_.interactions_double(a);
      }
      if (stop()) return false;
    }
    return true;
  }

  PathArguments<T> arguments(Index count) {
    PathArguments<T> a{};
    a.constants = walks_.constants().data();
    a.leaf_values = walks_.leaf_values().data();
    a.category_bits = walks_.quantizer().category_bits().data();
    a.vector_leaves = walks_.ensemble().vector_leaves;
    a.n_outputs = walks_.ensemble().leaf_width();
    a.n_tiles = 1;
    a.tile_rows = static_cast<std::int32_t>(tile_rows_);
    a.n_rows = count;
    a.ranks = ranks_.data();
    a.n_columns = walks_.quantizer().n_columns();
    a.phi = phi_.data();
    a.phi_sums = phi_sums_.data();
    a.n_slots = plan_.n_slots();
    a.scratch = scratch_.data();
    return a;
  }

  // Rows [first, first + n) of the tile that begins at begin: from (slot, row) to (row, slot), out.
  void write(Index begin, Index first, Index n) {
    const auto n_slots = static_cast<Index>(plan_.n_slots());
    const double* sums = final_sums() + first;
    for (Index s = 0; s < n_slots; ++s) {
      for (Index i = 0; i < n; ++i) by_row_.data()[i * n_slots + s] = sums[s * tile_rows_ + i];
    }
    const auto n_features = static_cast<Index>(walks_.slots().size());
    for (Index i = 0; i < n; ++i) {
      const double* row = by_row_.data() + i * n_slots;
      writer_.write(begin + first + i, row, row + n_features);
    }
  }

  const double* final_sums() {
    if constexpr (kIsFloat) {
      return phi_sums_.data();
    } else {
      return phi_.data();
    }
  }

  const InteractionPlan<T>& plan_;
  const PathPlan<T>& walks_;
  const KernelTable& kernels_;
  const Rows& rows_;
  Index n_rows_;
  Index tile_rows_;
  InteractionWriter<T> writer_;
  AlignedBuffer<std::uint16_t> ranks_;
  AlignedBuffer<T> phi_;
  AlignedBuffer<double> phi_sums_;
  AlignedBuffer<double> by_row_;  // (rows at once, slot)
  AlignedBuffer<unsigned char> scratch_;
};

}  // namespace

template <typename T>
void explain_interactions(const InteractionPlan<T>& plan, const Rows& rows,
                          const InteractionArrays<T>& out, int n_threads,
                          Cancellation& cancellation) {
  const Index n_rows = count_rows(rows);
  const Index tile_rows = tile_rows_for(plan, n_rows, n_threads);
  const KernelTable& table = kernels();
  parallel_blocks(ceil_divide(n_rows, tile_rows), n_threads, cancellation,
                  [&] { return InteractionWorker<T>(plan, table, rows, n_rows, out, tile_rows); });
}

template void explain_interactions(const InteractionPlan<float>&, const Rows&,
                                   const InteractionArrays<float>&, int, Cancellation&);
template void explain_interactions(const InteractionPlan<double>&, const Rows&,
                                   const InteractionArrays<double>&, int, Cancellation&);

}  // namespace leafshap
