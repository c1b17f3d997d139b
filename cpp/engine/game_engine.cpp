#include "engine/game_engine.hpp"

#include <algorithm>
#include <utility>

#include "engine/averaged_game.hpp"
#include "engine/game_tables.hpp"
#include "engine/pair_game.hpp"

namespace leafshap {

CoalitionGame::CoalitionGame(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees,
                             const Rows& background, const std::vector<double>& weights,
                             GameOutput output, int n_threads, Cancellation& cancellation)
    : background_(background, weights),
      output_(output),
      plan_(std::move(ensemble), n_trees, output == GameOutput::kRaw),
      shares_(share_tables(plan_, background_, n_threads, cancellation)) {
  summarise_background(n_threads, cancellation);
}

void CoalitionGame::values(const Rows& rows, const Coalitions& coalitions, double* out,
                           int n_threads, Cancellation& cancellation) const {
  if (coalitions.n == 0 || count_rows(rows) == 0) return;
  const OrderedCoalitions ordered(coalitions);
  const bool raw = output_ == GameOutput::kRaw;
  if (raw) {
    average_coalitions(plan_, shares_.data(), rows, ordered, out, n_threads, cancellation);
  }
  if (!raw || plan_.n_by_pairs() > 0) {
    pair_coalitions(plan_, background_, output_, rows, ordered, out, n_threads, cancellation);
  }
}

// What the background has in every column of ranks: the first row's, and whether others differ.
void CoalitionGame::summarise_background(int n_threads, Cancellation& cancellation) {
  constexpr Index kRows = 256, kTilesPerBlock = 64;
  const Quantizer& quantizer = plan_.quantizer();
  const std::size_t n_columns = quantizer.n_columns();
  const Index n_rows = background_.n_rows(), n_tiles = ceil_divide(n_rows, kRows);
  first_ranks_.resize(n_columns);
  quantizer.quantize(background_.rows(), 0, 1, 1, first_ranks_.data());
  const Index n_blocks = ceil_divide(n_tiles, kTilesPerBlock);
  std::vector<std::vector<std::uint8_t>> differs(static_cast<std::size_t>(n_blocks),
                                                 std::vector<std::uint8_t>(n_columns, 0));
  parallel_blocks(n_blocks, n_threads, cancellation, [&] {
    return [&, ranks = std::vector<std::uint16_t>(n_columns * kRows)](Index block,
                                                                      const Stop& stop) mutable {
      const Index end = std::min(n_tiles, (block + 1) * kTilesPerBlock);
      for (Index tile = block * kTilesPerBlock; tile < end && !stop(); ++tile) {
        const Index begin = tile * kRows;
        quantizer.quantize(background_.rows(), begin, std::min(kRows, n_rows - begin), kRows,
                           ranks.data());
        for (std::size_t c = 0; c < n_columns; ++c) {
          const std::uint16_t* own = ranks.data() + c * kRows;
          differs[block][c] |= std::any_of(
              own, own + kRows, [&](std::uint16_t rank) { return rank != first_ranks_[c]; });
        }
      }
    };
  });
  differs_.assign(n_columns, 0);
  for (const auto& block : differs) {
    for (std::size_t c = 0; c < n_columns; ++c) differs_[c] |= block[c];
  }
}

void CoalitionGame::find_varying(const Rows& rows, bool* out, int n_threads,
                                 Cancellation& cancellation) const {
  const Quantizer& quantizer = plan_.quantizer();
  const Index n_features = ensemble().n_features;
  parallel_blocks(count_rows(rows), n_threads, cancellation, [&] {
    return [&, ranks = first_ranks_](Index row, const Stop&) mutable {
      quantizer.quantize(rows, row, 1, 1, ranks.data());
      bool* varies = out + row * n_features;
      std::fill_n(varies, n_features, false);
      for (std::size_t c = 0; c < ranks.size(); ++c) {
        if (differs_[c] || ranks[c] != first_ranks_[c]) varies[quantizer.feature_of(c)] = true;
      }
    };
  });
}

}  // namespace leafshap
