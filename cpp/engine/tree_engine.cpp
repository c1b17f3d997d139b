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

Index count_rows(const Rows& rows) {
  return std::visit([](const auto& view) { return view.n_rows; }, rows);
}

Index ceil_divide(Index a, Index b) { return (a + b - 1) / b; }

// Rows explained together. Two tiles share a tree's constants while they are in cache; less, when
// there are so many features that the rows' phi would not stay in the L2 cache.
template <typename T>
Index rows_per_block(const PathPlan<T>& plan, Index n_rows, int n_threads) {
  constexpr Index kBlockBytes = 1024 * 1024, kFewestRows = 32, kMostRows = 2 * kTileRows;
  const Index row_bytes =
      static_cast<Index>(plan.quantizer().n_columns() * sizeof(std::uint16_t) +
                         plan.slots().size() * (sizeof(T) == sizeof(double) ? 8 : 12));
  const Index fit = kBlockBytes / std::max<Index>(row_bytes, 1) / kFewestRows * kFewestRows;
  const Index share = ceil_divide(ceil_divide(n_rows, n_threads), kFewestRows) * kFewestRows;
  return std::clamp(std::min(fit, share), kFewestRows, kMostRows);
}

// One thread's memory and its way through a block.
template <typename T>
class PathWorker {
 public:
  PathWorker(const PathPlan<T>& plan, const Rows& rows, T* out, Index rows_per_block)
      : plan_(plan),
        rows_(rows),
        out_(out),
        n_rows_(count_rows(rows)),
        rows_per_block_(rows_per_block),
        lanes_(static_cast<std::size_t>(ceil_divide(rows_per_block, kTileRows) * kTileRows)),
        ranks_(lanes_ * plan.quantizer().n_columns()),
        phi_(lanes_ * plan.slots().size()),
        phi_sums_(kIsFloat ? phi_.size() : 0),
        scratch_(path_scratch_bytes(plan.n_levels(), plan.ensemble().leaf_width(), sizeof(T))) {}

  void operator()(Index block, const Stop& stop) {
    const Index begin = block * rows_per_block_;
    const Index count = std::min(rows_per_block_, n_rows_ - begin);
    const std::size_t n_columns = plan_.quantizer().n_columns();
    for (Index tile = 0; tile * kTileRows < count; ++tile) {
      const Index first = tile * kTileRows;
      plan_.quantizer().quantize(rows_, begin + first, std::min<Index>(kTileRows, count - first),
                                 kTileRows, ranks_.data() + tile * n_columns * kTileRows);
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
        kernels().tree_shap_float(a);
      } else {
        kernels().tree_shap_double(a);
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
    a.n_tiles = static_cast<std::int32_t>(ceil_divide(count, kTileRows));
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
        const std::size_t tile = static_cast<std::size_t>(i) / kTileRows * slots.size();
        for (std::size_t s = first; s < last; ++s) {
          const std::size_t place = (tile + s) * kTileRows + static_cast<std::size_t>(i) % kTileRows;
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
  const Rows& rows_;
  T* out_;
  Index n_rows_, rows_per_block_;
  std::size_t lanes_;  // of the tiles that a block needs
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
  const Index block_rows = rows_per_block(plan, n_rows, n_threads);
  parallel_blocks(ceil_divide(n_rows, block_rows), n_threads, cancellation,
                  [&] { return PathWorker<T>(plan, rows, out, block_rows); });
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
  parallel_blocks(ceil_divide(n_rows, kTileRows), n_threads, cancellation, [&] {
    return [&, phi = std::vector<double>(static_cast<std::size_t>(stride))](Index block, const Stop&) mutable {
      const Index end = std::min(n_rows, (block + 1) * kTileRows);
      for (Index i = block * kTileRows; i < end; ++i) {
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
  parallel_blocks(ceil_divide(n_rows, kTileRows), n_threads, cancellation, [&] {
    return [&](Index block, const Stop&) {
      const Index end = std::min(n_rows, (block + 1) * kTileRows);
      for (Index i = block * kTileRows; i < end; ++i) {
        std::visit([&](const auto& view) { predict_row(e, view.row(i), n_trees, out + i * e.n_outputs); },
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
