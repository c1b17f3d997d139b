#include "engine/tree_engine.hpp"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "engine/aligned.hpp"
#include "engine/dispatch.hpp"
#include "ir/predict.hpp"
#include "ir/statistics.hpp"

namespace leafshap {
namespace {

// Rows that a thread takes at a time where no tile asks for a number.
constexpr Index kRowsPerBlock = 128;

// The rows that one thread explains together.
struct Block {
  Index tile_rows, n_tiles;
  Index rows() const { return tile_rows * n_tiles; }
};

std::size_t n_vector_outputs(const TreeEnsemble& e) {
  return e.vector_leaves ? static_cast<std::size_t>(e.n_outputs) : 0;
}

template <typename T>
std::size_t scratch_bytes(const PathPlan<T>& plan, Index tile_rows) {
  return path_scratch_bytes(static_cast<std::size_t>(tile_rows), plan.n_levels(),
                            plan.points_per_walk(), n_vector_outputs(plan.ensemble()), sizeof(T));
}

// Two tiles share a tree's constants while they are in cache; less, when there are so many
// features that the rows' phi would not stay in the L2 cache, or so few rows that threads would
// have nothing to do.
template <typename T>
Block block_for(const PathPlan<T>& plan, Index n_rows, int n_threads) {
  constexpr Index kBlockBytes = 1536 * 1024, kFewestRows = 32;
  constexpr std::size_t kScratchBytes = 16 * 1024 * 1024;
  const Index row_bytes =
      static_cast<Index>(plan.quantizer().n_columns() * sizeof(std::uint16_t) +
                         plan.slots().size() * (sizeof(T) == sizeof(double) ? 8 : 12));
  const Index fit = kBlockBytes / std::max<Index>(row_bytes, 1) / kFewestRows * kFewestRows;
  const Index share = ceil_divide(ceil_divide(n_rows, n_threads), kFewestRows) * kFewestRows;
  const Index rows = std::max(std::min(fit, share), kFewestRows);
  const Index tile_rows = std::min<Index>(rows, kTileRows);
  // very deep trees, or many outputs: rather fewer rows than hundreds of megabytes of P and S
  if (scratch_bytes(plan, tile_rows) > kScratchBytes) return {kFewestRows, 1};
  return {tile_rows, rows >= 2 * kTileRows ? 2 : 1};
}

// One thread's memory and its way through a block.
template <typename T>
class PathWorker {
 public:
  PathWorker(const PathPlan<T>& plan, const KernelTable& kernels, const Rows& rows, T* out,
             const Block& block)
      : plan_(plan),
        kernels_(kernels),
        rows_(rows),
        out_(out),
        n_rows_(count_rows(rows)),
        block_(block),
        ranks_(static_cast<std::size_t>(block.rows()) * plan.quantizer().n_columns()),
        phi_(static_cast<std::size_t>(block.rows()) * plan.slots().size()),
        phi_sums_(kIsFloat ? phi_.size() : 0),
        scratch_(scratch_bytes(plan, block.tile_rows)) {}

  void operator()(Index block, const Stop& stop) {
    const Index begin = block * block_.rows();
    const Index count = std::min(block_.rows(), n_rows_ - begin);
    const auto n_columns = static_cast<Index>(plan_.quantizer().n_columns());
    for (Index first = 0; first < count; first += block_.tile_rows) {
      plan_.quantizer().quantize(rows_, begin + first, std::min(block_.tile_rows, count - first),
                                 static_cast<int>(block_.tile_rows),
                                 ranks_.data() + first * n_columns);
    }
    phi_.clear();
    phi_sums_.clear();
    if (run_kernel(count, stop)) write(begin, count);
  }

 private:
  static constexpr bool kIsFloat = std::is_same_v<T, float>;

  // Walks all trees, a group after the other so that a long block can be stopped; false if it was.
  bool run_kernel(Index count, const Stop& stop) {
    constexpr std::size_t kStepsPerGroup = 100'000;  // some tens of milliseconds
    PathArguments<T> a = arguments(count);
    const auto& trees = plan_.trees();
    for (std::size_t begin = 0, end = 0; begin < trees.size(); begin = end) {
      std::size_t n_steps = 0;
      while (end < trees.size() && n_steps < kStepsPerGroup) n_steps += trees[end++].n_steps;
      a.trees = trees.data() + begin;
      a.n_trees = end - begin;
      if constexpr (kIsFloat) {
        kernels_.tree_shap_float(a);
      } else {
        kernels_.tree_shap_double(a);
      }
      if (stop()) return false;
    }
    return true;
  }

  PathArguments<T> arguments(Index count) {
    PathArguments<T> a{};
    a.constants = plan_.constants().data();
    a.leaf_values = plan_.leaf_values().data();
    a.category_bits = plan_.quantizer().category_bits().data();
    a.vector_leaves = plan_.ensemble().vector_leaves;
    a.n_outputs = plan_.ensemble().leaf_width();
    a.n_tiles = static_cast<std::int32_t>(ceil_divide(count, block_.tile_rows));
    a.tile_rows = static_cast<std::int32_t>(block_.tile_rows);
    a.n_rows = count;
    a.ranks = ranks_.data();
    a.n_columns = plan_.quantizer().n_columns();
    a.phi = phi_.data();
    a.phi_sums = phi_sums_.data();
    a.n_slots = plan_.slots().size();
    a.scratch = scratch_.data();
    return a;
  }

  // From (slot, row) to (row, feature, output), some slots at a time so that the cache lines of
  // a few slots serve neighbouring rows.
  void write(Index begin, Index count) {
    constexpr std::size_t kSlotsAtOnce = 16;
    const auto& slots = plan_.slots();
    const Index n_outputs = plan_.ensemble().n_outputs;
    const Index stride = plan_.ensemble().n_features * n_outputs;
    T* out = out_ + begin * stride;
    std::fill_n(out, count * stride, T{0});
    for (std::size_t first = 0; first < slots.size(); first += kSlotsAtOnce) {
      const std::size_t last = std::min(first + kSlotsAtOnce, slots.size());
      for (Index i = 0; i < count; ++i) {
        const auto n = static_cast<std::size_t>(block_.tile_rows);
        const std::size_t tile = static_cast<std::size_t>(i) / n * slots.size();
        for (std::size_t s = first; s < last; ++s) {
          const std::size_t place = (tile + s) * n + static_cast<std::size_t>(i) % n;
          out[i * stride + slots[s].feature * n_outputs + slots[s].output] = phi_at(place);
        }
      }
    }
  }

  T phi_at(std::size_t place) {
    if constexpr (kIsFloat) return static_cast<T>(phi_sums_.data()[place]);
    return phi_.data()[place];
  }

  const PathPlan<T>& plan_;
  const KernelTable& kernels_;
  const Rows& rows_;
  T* out_;
  Index n_rows_;
  Block block_;
  AlignedBuffer<std::uint16_t> ranks_;
  AlignedBuffer<T> phi_;
  AlignedBuffer<double> phi_sums_;
  AlignedBuffer<unsigned char> scratch_;
};

}  // namespace

template <typename T>
void explain(const PathPlan<T>& plan, const Rows& rows, T* out, int n_threads,
             Cancellation& cancellation) {
  const Index n_rows = count_rows(rows);
  const Block block = block_for(plan, n_rows, n_threads);
  const KernelTable& table = kernels();
  parallel_blocks(ceil_divide(n_rows, block.rows()), n_threads, cancellation,
                  [&] { return PathWorker<T>(plan, table, rows, out, block); });
}

template <typename T>
void explain_saabas(const TreeEnsemble& e, Index n_trees, const Rows& rows, T* out, int n_threads,
                    Cancellation& cancellation) {
  std::vector<std::vector<double>> means(static_cast<std::size_t>(n_trees));
  for (Index tree = 0; tree < n_trees; ++tree) means[tree] = node_expectations(e, tree);
  const Index n_rows = count_rows(rows), stride = e.n_features * e.n_outputs;

  const auto explain_row = [&](const auto* row, double* phi) {
    for (Index tree = 0; tree < n_trees; ++tree) {
      const Index offset = e.tree_offsets[tree];
      const double weight = e.weight(tree, n_trees);
      NodeId node = 0;
      while (e.left[offset + node] != -1) {
        const FeatureId feature = e.split_feature[offset + node];
        const double x = read_value(e.input, row[feature]);
        const NodeId child =
            goes_left(e, offset + node, x) ? e.left[offset + node] : e.right[offset + node];
        for (OutputId k = 0; k < e.leaf_width(); ++k) {
          const OutputId output = e.vector_leaves ? k : e.tree_output[tree];
          phi[feature * e.n_outputs + output] +=
              weight * (means[tree][Index{child} * e.leaf_width() + k] -
                        means[tree][Index{node} * e.leaf_width() + k]);
        }
        node = child;
      }
    }
  };
  parallel_blocks(ceil_divide(n_rows, kRowsPerBlock), n_threads, cancellation, [&] {
    return [&, phi = std::vector<double>(static_cast<std::size_t>(stride))](Index block,
                                                                            const Stop&) mutable {
      const Index end = std::min(n_rows, (block + 1) * kRowsPerBlock);
      for (Index i = block * kRowsPerBlock; i < end; ++i) {
        std::fill(phi.begin(), phi.end(), 0.0);
        std::visit([&](const auto& view) { explain_row(view.row(i), phi.data()); }, rows);
        std::transform(phi.begin(), phi.end(), out + i * stride,
                       [](double value) { return static_cast<T>(value); });
      }
    };
  });
}

void predict(const TreeEnsemble& e, Index n_trees, const Rows& rows, double* out, int n_threads,
             Cancellation& cancellation) {
  const Index n_rows = count_rows(rows);
  parallel_blocks(ceil_divide(n_rows, kRowsPerBlock), n_threads, cancellation, [&] {
    return [&](Index block, const Stop&) {
      const Index end = std::min(n_rows, (block + 1) * kRowsPerBlock);
      for (Index i = block * kRowsPerBlock; i < end; ++i) {
        std::visit(
            [&](const auto& view) { predict_row(e, view.row(i), n_trees, out + i * e.n_outputs); },
            rows);
      }
    };
  });
}

template void explain(const PathPlan<float>&, const Rows&, float*, int, Cancellation&);
template void explain(const PathPlan<double>&, const Rows&, double*, int, Cancellation&);
template void explain_saabas(const TreeEnsemble&, Index, const Rows&, float*, int, Cancellation&);
template void explain_saabas(const TreeEnsemble&, Index, const Rows&, double*, int, Cancellation&);

}  // namespace leafshap
