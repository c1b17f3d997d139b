#include "engine/game_tables.hpp"

#include <algorithm>
#include <type_traits>

#include "engine/dispatch.hpp"
#include "engine/ranked_rows.hpp"

namespace leafshap {
namespace {

constexpr Index kTileRows = 2048;
constexpr Index kGroupsPerTask = 64;  // neighbours share most of the walk

// Background rows by the pattern of conditions that they satisfy, at every leaf.
template <typename Count>
AlignedBuffer<Count> count_patterns(const GamePlan& plan, const Background& background,
                                    int n_threads, Cancellation& cancellation) {
  AlignedBuffer<Count> counts(plan.table_size());
  counts.clear();
  if (plan.groups().empty()) return counts;
  const Index tile_rows =
      ceil_divide(std::min(kTileRows, background.n_rows()), kPatternLanes) * kPatternLanes;
  RankedRows ranked(plan.quantizer(), background.rows(), tile_rows);
  const auto n_groups = static_cast<Index>(plan.groups().size());
  const KernelTable& table = kernels();
  const auto places_size =
      static_cast<std::size_t>(pattern_scratch_places(plan.n_levels()) * tile_rows);
  ranked.for_chunks(n_threads, cancellation, [&](const RankedRows::Chunk& chunk) {
    parallel_blocks(ceil_divide(n_groups, kGroupsPerTask), n_threads, cancellation, [&] {
      return [&, places = AlignedBuffer<std::uint16_t>(places_size)](Index task,
                                                                     const Stop& stop) mutable {
        CountArguments<Count> a{};
        a.rows.steps = plan.steps().data();
        a.rows.n_steps = plan.steps().size();
        a.rows.tests = plan.tests().data();
        a.rows.groups = plan.groups().data();
        a.rows.first_group = static_cast<std::uint32_t>(task * kGroupsPerTask);
        a.rows.end_group =
            static_cast<std::uint32_t>(std::min((task + 1) * kGroupsPerTask, n_groups));
        a.rows.category_bits = plan.quantizer().category_bits().data();
        a.rows.tile_rows = static_cast<std::int32_t>(tile_rows);
        a.rows.places = places.data();
        a.n_places = 1 + 2 * plan.n_levels();
        a.counts = counts.data();
        for (Index tile = 0; tile < chunk.n_tiles() && !stop(); ++tile) {
          a.rows.ranks = chunk.ranks(tile);
          a.rows.n_rows = static_cast<std::int32_t>(chunk.rows_of(tile));
          if constexpr (std::is_same_v<Count, double>) {
            a.weights = background.weights().data() + chunk.begin_of(tile);
            table.count_weights(a);
          } else {
            table.count_rows(a);
          }
        }
      };
    });
  });
  return counts;
}

// Rows that satisfy the conditions of a pattern's complement, and maybe more: sums over supersets,
// one bit after the other, in reverse order.
template <typename Count>
void sum_supersets(Count* counts, int n_bits) {
  const std::size_t size = std::size_t{1} << n_bits;
  for (std::size_t bit = 1; bit < size; bit *= 2) {
    for (std::size_t p = 0; p < size; ++p) {
      if ((p & bit) == 0) counts[p] += counts[p | bit];
    }
  }
  std::reverse(counts, counts + size);
}

template <typename Count>
AlignedBuffer<double> tables_by(const GamePlan& plan, const Background& background, double scale,
                                int n_threads, Cancellation& cancellation) {
  AlignedBuffer<Count> counts = count_patterns<Count>(plan, background, n_threads, cancellation);
  for (const PatternGroup& group : plan.groups()) {
    sum_supersets(counts.data() + group.counts, group.n_path);
  }
  AlignedBuffer<double> tables(counts.size());
  std::transform(counts.data(), counts.data() + counts.size(), tables.data(),
                 [&](Count count) { return static_cast<double>(count) * scale; });
  return tables;
}

}  // namespace

AlignedBuffer<double> share_tables(const GamePlan& plan, const Background& background,
                                   int n_threads, Cancellation& cancellation) {
  const double share = 1 / static_cast<double>(background.n_rows());
  return background.weighted()
             ? tables_by<double>(plan, background, 1, n_threads, cancellation)
             : tables_by<std::uint32_t>(plan, background, share, n_threads, cancellation);
}

}  // namespace leafshap
