#include "engine/interaction_engine.hpp"

#include <algorithm>
#include <cstdlib>
#include <type_traits>

#include "engine/aligned.hpp"
#include "engine/dispatch.hpp"

namespace leafshap {
namespace {

Index ceil_divide(Index a, Index b) { return (a + b - 1) / b; }

// The rows that one thread explains together.
struct Block {
  Index tile_rows, n_tiles;
  Index rows() const { return tile_rows * n_tiles; }
};

template <typename T>
Block block_for(const InteractionPlan<T>&, Index, int) {
  const char* t = std::getenv("TILE");
  const char* n = std::getenv("NTILES");
  return {t ? atoi(t) : 32, n ? atoi(n) : 1};
}

// One thread's memory and its way through a block.
template <typename T>
class InteractionWorker {
 public:
  InteractionWorker(const InteractionPlan<T>& plan, const KernelTable& kernels, const Rows& rows,
                    Index n_rows, const InteractionArrays<T>& out, const Block& block)
      : plan_(plan),
        walks_(plan.path()),
        kernels_(kernels),
        rows_(rows),
        n_rows_(n_rows),
        block_(block),
        writer_(walks_.ensemble().n_features, walks_.ensemble().n_outputs, walks_.slots(),
                plan.pair_slots(), out),
        ranks_(size(block.rows()) * walks_.quantizer().n_columns()),
        phi_(size(block.rows()) * plan.n_slots()),
        phi_sums_(kIsFloat ? phi_.size() : 0),
        by_row_(kRowsAtOnce * plan.n_slots()),
        scratch_(interaction_scratch_bytes(size(block.tile_rows), walks_.n_levels(),
                                           walks_.points_per_walk(), n_vector_outputs(),
                                           sizeof(T))) {}

  void operator()(Index block, const Stop& stop) {
    const Index begin = block * block_.rows();
    const Index count = std::min(block_.rows(), n_rows_ - begin);
    const auto n_columns = static_cast<Index>(walks_.quantizer().n_columns());
    for (Index first = 0; first < count; first += block_.tile_rows) {
      walks_.quantizer().quantize(rows_, begin + first, std::min(block_.tile_rows, count - first),
                                  static_cast<int>(block_.tile_rows),
                                  ranks_.data() + first * n_columns);
    }
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
  std::size_t n_vector_outputs() const {
    return walks_.ensemble().vector_leaves ? size(walks_.ensemble().n_outputs) : 0;
  }

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
    a.n_tiles = static_cast<std::int32_t>(ceil_divide(count, block_.tile_rows));
    a.tile_rows = static_cast<std::int32_t>(block_.tile_rows);
    a.n_rows = count;
    a.ranks = ranks_.data();
    a.n_columns = walks_.quantizer().n_columns();
    a.phi = phi_.data();
    a.phi_sums = phi_sums_.data();
    a.n_slots = plan_.n_slots();
    a.scratch = scratch_.data();
    return a;
  }

  // Rows [first, first + n) of a block, all of one tile: from (slot, row) to (row, slot), then out.
  void write(Index begin, Index first, Index n) {
    const Index tile_rows = block_.tile_rows;
    const auto n_slots = static_cast<Index>(plan_.n_slots());
    const double* sums = final_sums() + first / tile_rows * n_slots * tile_rows + first % tile_rows;
    for (Index s = 0; s < n_slots; ++s) {
      for (Index i = 0; i < n; ++i) by_row_.data()[i * n_slots + s] = sums[s * tile_rows + i];
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
  Block block_;
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
  const Index n_rows = std::visit([](const auto& view) { return view.n_rows; }, rows);
  const Block block = block_for(plan, n_rows, n_threads);
  const KernelTable& table = kernels();
  parallel_blocks(ceil_divide(n_rows, block.rows()), n_threads, cancellation, [&] {
    return InteractionWorker<T>(plan, table, rows, n_rows, out, block);
  });
}

template void explain_interactions(const InteractionPlan<float>&, const Rows&,
                                   const InteractionArrays<float>&, int, Cancellation&);
template void explain_interactions(const InteractionPlan<double>&, const Rows&,
                                   const InteractionArrays<double>&, int, Cancellation&);

}  // namespace leafshap
