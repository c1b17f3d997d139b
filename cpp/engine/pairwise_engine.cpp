#include "engine/pairwise_engine.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "engine/aligned.hpp"
#include "engine/dispatch.hpp"
#include "engine/sigmoid.hpp"
#include "ir/predict.hpp"

namespace leafshap {
namespace {

double log_one_plus_exp(double m) { return std::max(m, 0.0) + std::log1p(std::exp(-std::fabs(m))); }

// (1 - exp(-d)) / d for d >= 0
double decay_quotient(double d) { return d > 0 ? -std::expm1(-d) / d : 1.0; }

// Rows that a thread explains together: they share each tree's order of a background tile. Fewer
// where a tree is so large that a block would take seconds, or there are so many outputs that omega
// would take more than a few megabytes, or threads had nothing to do.
template <typename T>
Index rows_per_block(const PairwisePlan<T>& plan, Index n_rows, int n_threads) {
  constexpr std::size_t kRows = 64, kStepsPerTree = 400'000, kOutputs = 1024;
  std::size_t most_steps = 1;
  for (const PairwiseTree& tree : plan.trees()) most_steps = std::max(most_steps, tree.n_steps);
  const auto n_outputs = static_cast<std::size_t>(plan.ensemble().n_outputs);
  const std::size_t fit =
      std::min({kRows, kStepsPerTree / (most_steps * n_outputs), kOutputs / n_outputs});
  return std::clamp<Index>(ceil_divide(n_rows, n_threads), 1,
                           static_cast<Index>(std::max<std::size_t>(fit, 1)));
}

template <typename T>
std::size_t scratch_bytes(const PairwisePlan<T>& plan, Index block_rows) {
  std::size_t bytes = 0;
  for (const PairwiseTree& tree : plan.trees()) {
    const auto n_rows = static_cast<std::size_t>(block_rows);
    bytes = std::max(bytes, pairwise_scratch_bytes(tree, plan.n_levels(), n_rows));
  }
  return bytes;
}

// One thread's memory and its way through a block.
template <typename T, typename Out>
class PairwiseWorker {
 public:
  PairwiseWorker(const PairwisePlan<T>& plan, const KernelTable& kernels, const Rows& rows,
                 const OutputTransform& transform, Out* out, bool add, Index block_rows)
      : plan_(plan),
        kernels_(kernels),
        rows_(rows),
        transform_(transform),
        out_(out),
        add_(add),
        n_rows_(count_rows(rows)),
        block_rows_(block_rows),
        ranks_(static_cast<std::size_t>(block_rows) * plan.quantizer().n_columns()),
        phi_(static_cast<std::size_t>(block_rows) * plan.slots().size()),
        margins_(is_raw() ? 0 : static_cast<std::size_t>(block_rows) * n_outputs()),
        scale_(kBackgroundTile * (is_raw() ? 1 : margins_.size())),
        scratch_(scratch_bytes(plan, block_rows)) {}

  void operator()(Index block, const Stop& stop) {
    const Index begin = block * block_rows_;
    const Index count = std::min(block_rows_, n_rows_ - begin);
    plan_.quantizer().quantize(rows_, begin, count, static_cast<int>(block_rows_), ranks_.data());
    if (!is_raw()) predict_margins(begin, count);
    phi_.clear();
    for (Index tile = 0; tile * kBackgroundTile < plan_.n_background(); ++tile) {
      if (!run_kernel(begin, count, tile, stop)) return;
    }
    write(begin, count);
  }

 private:
  bool is_raw() const { return transform_.output == Output::kRaw; }
  std::size_t n_outputs() const { return static_cast<std::size_t>(plan_.ensemble().n_outputs); }

  void predict_margins(Index begin, Index count) {
    for (Index i = 0; i < count; ++i) {
      std::visit(
          [&](const auto& view) {
            predict_row(plan_.ensemble(), view.row(begin + i), plan_.n_trees(),
                        margins_.data() + i * plan_.ensemble().n_outputs);
          },
          rows_);
    }
  }

  // omega of every pair of an explained row and a row of the tile, by output.
  void fill_scale(Index begin, Index count, Index tile) {
    const Index first = tile * kBackgroundTile;
    const double* weights = plan_.weights().data() + first;
    if (is_raw()) {
      std::transform(weights, weights + kBackgroundTile, scale_.data(),
                     [](double weight) { return static_cast<T>(weight); });
      return;
    }
    const Index n = std::min<Index>(kBackgroundTile, plan_.n_background() - first);
    T* scale = scale_.data();
    for (Index i = 0; i < count; ++i) {
      const double y = transform_.y == nullptr ? 0.0 : transform_.y[begin + i];
      for (std::size_t k = 0; k < n_outputs(); ++k, scale += kBackgroundTile) {
        const double margin = margins_.data()[static_cast<std::size_t>(i) * n_outputs() + k];
        const double* background =
            transform_.background_margins + static_cast<std::size_t>(first) * n_outputs() + k;
        for (Index b = 0; b < n; ++b, background += n_outputs()) {
          scale[b] = static_cast<T>(weights[b] *
                                    difference_quotient(transform_.output, margin, *background, y));
        }
        std::fill(scale + n, scale + kBackgroundTile, T{0});
      }
    }
  }

  // Walks all trees, a group after the other so that a long block can be stopped; false if it was.
  bool run_kernel(Index begin, Index count, Index tile, const Stop& stop) {
    constexpr std::size_t kStepsPerGroup = 1'000'000;  // of all rows: some tens of milliseconds
    fill_scale(begin, count, tile);
    PairwiseArguments<T> a = arguments(count, tile);
    const auto& trees = plan_.trees();
    const std::size_t n_walks = static_cast<std::size_t>(count * a.n_outputs);
    for (std::size_t first = 0, end = 0; first < trees.size(); first = end) {
      std::size_t n_steps = 0;
      while (end < trees.size() && n_steps < kStepsPerGroup)
        n_steps += trees[end++].n_steps * n_walks;
      a.trees = trees.data() + first;
      a.n_trees = end - first;
      if constexpr (std::is_same_v<T, float>) {
        kernels_.pairwise_float(a);
      } else {
        kernels_.pairwise_double(a);
      }
      if (stop()) return false;
    }
    return true;
  }

  PairwiseArguments<T> arguments(Index count, Index tile) {
    const Index n_columns = static_cast<Index>(plan_.quantizer().n_columns());
    PairwiseArguments<T> a{};
    a.weights = plan_.shapley_weights();
    a.leaf_values = plan_.leaf_values().data();
    a.category_bits = plan_.quantizer().category_bits().data();
    a.n_outputs = plan_.ensemble().leaf_width();
    a.n_rows = static_cast<std::int32_t>(count);
    a.row_stride = static_cast<std::int32_t>(block_rows_);
    a.n_background = static_cast<std::int32_t>(
        std::min<Index>(kBackgroundTile, plan_.n_background() - tile * kBackgroundTile));
    a.n_levels = static_cast<std::int32_t>(plan_.n_levels());
    a.row_ranks = ranks_.data();
    a.ranks = plan_.ranks().data() + tile * n_columns * kBackgroundTile;
    a.scale = scale_.data();
    a.scale_row = is_raw() ? 0 : n_outputs() * kBackgroundTile;
    a.scale_output = is_raw() ? 0 : kBackgroundTile;
    a.phi = phi_.data();
    a.n_slots = plan_.slots().size();
    a.scratch = scratch_.data();
    return a;
  }

  void write(Index begin, Index count) {
    const auto& slots = plan_.slots();
    const Index stride = plan_.ensemble().n_features * plan_.ensemble().n_outputs;
    Out* out = out_ + begin * stride;
    if (!add_) std::fill_n(out, count * stride, Out{0});
    for (Index i = 0; i < count; ++i, out += stride) {
      const double* phi = phi_.data() + static_cast<std::size_t>(i) * slots.size();
      for (std::size_t s = 0; s < slots.size(); ++s) {
        Out& target = out[slots[s].feature * plan_.ensemble().n_outputs + slots[s].output];
        target = static_cast<Out>(target + phi[s]);
      }
    }
  }

  const PairwisePlan<T>& plan_;
  const KernelTable& kernels_;
  const Rows& rows_;
  const OutputTransform& transform_;
  Out* out_;
  bool add_;
  Index n_rows_, block_rows_;
  AlignedBuffer<std::uint16_t> ranks_;
  AlignedBuffer<double> phi_;      // (row, slot)
  AlignedBuffer<double> margins_;  // (row, output)
  AlignedBuffer<T> scale_;         // (row, output, background row), or (background row) if raw
  AlignedBuffer<unsigned char> scratch_;
};

}  // namespace

// With d = |m_x - m_b| every form is a product or sum of positive terms, so close margins lose no
// digits:
//   logistic       sigma(high) sigma(-low) (1 - exp(-d)) / d
//   exp            exp(high) (1 - exp(-d)) / d
//   logistic loss  log(1 + sigma(low) (exp(d) - 1)) / d - y; for large d the plain difference
double difference_quotient(Output output, double m_x, double m_b, double y) {
  const double low = std::min(m_x, m_b), high = std::max(m_x, m_b), d = high - low;
  switch (output) {
    case Output::kRaw:
      return 1.0;
    case Output::kLogistic:
      return sigmoid(high) * sigmoid(-low) * decay_quotient(d);
    case Output::kExp:
      return std::exp(high) * decay_quotient(d);
    case Output::kLogisticLoss:
      if (d == 0) return sigmoid(low) - y;
      if (d < 1) return std::log1p(sigmoid(low) * std::expm1(d)) / d - y;
      return (log_one_plus_exp(high) - log_one_plus_exp(low)) / d - y;
    case Output::kSquaredLoss:
      return m_x + m_b - 2 * y;
  }
  return 0.0;
}

template <typename T, typename Out>
void explain_pairwise(const PairwisePlan<T>& plan, const Rows& rows,
                      const OutputTransform& transform, Out* out, bool add, int n_threads,
                      Cancellation& cancellation) {
  const Index n_rows = count_rows(rows);
  const Index block_rows = rows_per_block(plan, n_rows, n_threads);
  const KernelTable& table = kernels();
  parallel_blocks((n_rows + block_rows - 1) / block_rows, n_threads, cancellation, [&] {
    return PairwiseWorker<T, Out>(plan, table, rows, transform, out, add, block_rows);
  });
}

template void explain_pairwise(const PairwisePlan<float>&, const Rows&, const OutputTransform&,
                               float*, bool, int, Cancellation&);
template void explain_pairwise(const PairwisePlan<float>&, const Rows&, const OutputTransform&,
                               double*, bool, int, Cancellation&);
template void explain_pairwise(const PairwisePlan<double>&, const Rows&, const OutputTransform&,
                               double*, bool, int, Cancellation&);

}  // namespace leafshap
