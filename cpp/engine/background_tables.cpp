#include "engine/background_tables.hpp"

#include <algorithm>
#include <type_traits>

#include "engine/dispatch.hpp"

namespace leafshap {
namespace {

std::int32_t walk_places(const PatternPlan& plan) { return 1 + 2 * plan.n_levels(); }

std::size_t places_size(const PatternPlan& plan, Index tile_rows) {
  return static_cast<std::size_t>(pattern_scratch_places(plan.n_levels()) * tile_rows);
}

PatternRows walk_of(const PatternPlan& plan, GroupRange range, const RankedRows& ranked,
                    const RankedRows::Chunk& chunk, Index tile, std::uint16_t* places) {
  PatternRows rows{};
  const auto steps = plan.steps_of(range.first, range.end);
  rows.steps = steps.data();
  rows.n_steps = steps.size();
  rows.tests = plan.tests().data();
  rows.groups = plan.groups().data();
  rows.first_group = range.first;
  rows.end_group = range.end;
  rows.category_bits = plan.quantizer().category_bits().data();
  rows.ranks = chunk.ranks(tile);
  rows.tile_rows = static_cast<std::int32_t>(ranked.tile_rows());
  rows.n_rows = static_cast<std::int32_t>(chunk.rows_of(tile));
  rows.places = places;
  return rows;
}

// Deep trees' patterns must not take hundreds of megabytes.
Index rows_of_places(const PatternPlan& plan) {
  constexpr Index kPlacesBytes = 16 << 20;
  return kPlacesBytes / (pattern_scratch_places(plan.n_levels()) * Index{sizeof(std::uint16_t)});
}

}  // namespace

Index rows_per_count(const PatternPlan& plan, Index n_rows) {
  constexpr Index kMostRows = 2048;
  const Index rows = std::min({kMostRows, rows_of_places(plan), std::max<Index>(n_rows, 1)});
  return ceil_divide(std::max<Index>(rows, 1), kPatternLanes) * kPatternLanes;
}

Index rows_per_look_up(const PatternPlan& plan, std::size_t value_bytes, Index n_rows,
                       int n_threads) {
  constexpr Index kPhiBytes = 512 * 1024, kMostRows = 4096;
  const Index phi_bytes = std::max<Index>(1, static_cast<Index>(plan.n_slots() * value_bytes));
  const Index fit = std::min({kPhiBytes / phi_bytes, rows_of_places(plan), kMostRows});
  const Index n_tiles = std::max<Index>(1, ceil_divide(n_rows, std::max<Index>(fit, 1)));
  const Index balanced = ceil_divide(n_rows, ceil_divide(n_tiles, n_threads) * n_threads);
  return ceil_divide(std::max<Index>(balanced, 1), kPatternLanes) * kPatternLanes;
}

std::vector<GroupRange> ranges_of_groups(const PatternPlan& plan, std::size_t value_bytes,
                                         std::size_t most_bytes) {
  std::vector<GroupRange> ranges;
  std::size_t bytes = 0;
  for (std::uint32_t g = 0; g < plan.groups().size(); ++g) {
    const PatternGroup& group = plan.groups()[g];
    const std::size_t size = (group.entry_size << group.n_bits()) * value_bytes;
    if (ranges.empty() || bytes + size > most_bytes) {
      ranges.push_back({g, g});
      bytes = 0;
    }
    bytes += size;
    ranges.back().end = g + 1;
  }
  return ranges;
}

template <typename T>
BackgroundTables<T>::BackgroundTables(const PatternPlan& plan, GroupRange range)
    : plan_(plan),
      range_(range),
      tables_([&] {
        const auto& groups = plan.groups();
        const std::size_t end =
            range.end < groups.size() ? groups[range.end].table : plan.table_size();
        return end - groups[range.first].table;
      }()),
      expectation_(plan.ensemble().n_outputs, 0.0) {}

template <typename T>
void BackgroundTables<T>::build(const Background& background, RankedRows& ranked, int n_threads,
                                Cancellation& cancellation) {
  if (background.weighted()) {
    build_counted<double>(background, ranked, n_threads, cancellation);
  } else {
    build_counted<std::uint32_t>(background, ranked, n_threads, cancellation);
  }
}

template <typename T>
template <typename Count>
void BackgroundTables<T>::build_counted(const Background& background, RankedRows& ranked,
                                        int n_threads, Cancellation& cancellation) {
  const auto& groups = plan_.groups();
  const std::size_t first_count = groups[range_.first].counts;
  const std::size_t end_count =
      range_.end < groups.size() ? groups[range_.end].counts : plan_.count_size();
  AlignedBuffer<Count> counts(end_count - first_count);
  counts.clear();
  // Tasks take neighbouring groups, whose patterns share most of the walk.
  const Index n_groups = range_.end - range_.first;
  const Index per_task = std::clamp<Index>(n_groups / (n_threads * Index{8}), 1, 64);
  const Index n_tasks = ceil_divide(n_groups, per_task);
  const auto task_range = [&](Index task) {
    const Index first = range_.first + task * per_task;
    return GroupRange{static_cast<std::uint32_t>(first),
                      static_cast<std::uint32_t>(std::min<Index>(first + per_task, range_.end))};
  };

  const KernelTable& table = kernels();
  ranked.for_chunks(n_threads, cancellation, [&](const RankedRows::Chunk& chunk) {
    parallel_blocks(n_tasks, n_threads, cancellation, [&] {
      return [&, places = AlignedBuffer<std::uint16_t>(places_size(plan_, ranked.tile_rows()))](
                 Index task, const Stop& stop) mutable {
        CountArguments<Count> a{};
        a.n_places = walk_places(plan_);
        a.counts = counts.data();
        a.first_count = first_count;
        for (Index tile = 0; tile < chunk.n_tiles() && !stop(); ++tile) {
          a.rows = walk_of(plan_, task_range(task), ranked, chunk, tile, places.data());
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

  // Tables, and every group's part of the expectation, which is added up in the groups' order.
  const std::size_t width = plan_.ensemble().leaf_width();
  std::vector<double> expectations(static_cast<std::size_t>(n_groups) * width, 0.0);
  const double scale =
      std::is_same_v<Count, double> ? 1 : 1 / static_cast<double>(background.n_rows());
  parallel_blocks(n_tasks, n_threads, cancellation, [&] {
    return [&, shares = std::vector<double>(), scratch = std::vector<double>()](
               Index task, const Stop& stop) mutable {
      const GroupRange range = task_range(task);
      for (std::uint32_t g = range.first; g < range.end && !stop(); ++g) {
        const PatternGroup& group = groups[g];
        const std::size_t size = std::size_t{1} << group.n_bits();
        shares.resize(size);
        scratch.resize(
            std::max(scratch.size(), table_scratch_size(group.n_bits(), group.n_cells, width)));
        const Count* counted = counts.data() + (group.counts - first_count);
        for (std::size_t p = 0; p < size; ++p) {
          shares[p] = static_cast<double>(counted[p]) * scale;
        }
        build_group(g, shares.data(), scratch.data(),
                    expectations.data() + (g - range_.first) * width);
      }
    };
  });
  std::fill(expectation_.begin(), expectation_.end(), 0.0);
  for (std::uint32_t g = range_.first; g < range_.end; ++g) {
    for (std::size_t k = 0; k < width; ++k) {
      expectation_[groups[g].first_output + k] += expectations[(g - range_.first) * width + k];
    }
  }
}

template <typename T>
void BackgroundTables<T>::build_group(std::uint32_t index, const double* shares, double* scratch,
                                      double* expectation) {
  TableArguments<T> a{};
  a.group = &plan_.groups()[index];
  a.leaves = plan_.leaves().data();
  a.literals = plan_.literals().data();
  a.cells = plan_.cells().data();
  a.places = plan_.places().data();
  a.leaf_values = plan_.leaf_values().data();
  a.rules = plan_.rules().data();
  a.leaf_width = plan_.ensemble().leaf_width();
  a.interactions = plan_.interactions();
  a.shares = shares;
  a.scratch = scratch;
  a.table = tables_.data() + (a.group->table - plan_.groups()[range_.first].table);
  a.expectation = expectation;
  if constexpr (std::is_same_v<T, float>) {
    kernels().build_table_float(a);
  } else {
    kernels().build_table_double(a);
  }
}

template <typename T>
void BackgroundTables<T>::look_up(RankedRows& ranked, int n_threads, Cancellation& cancellation,
                                  const Write& write) const {
  constexpr bool kIsFloat = std::is_same_v<T, float>;
  const std::size_t n_slots = plan_.n_slots();
  const KernelTable& table = kernels();
  ranked.for_chunks(n_threads, cancellation, [&](const RankedRows::Chunk& chunk) {
    parallel_blocks(chunk.n_tiles(), n_threads, cancellation, [&] {
      // a tile's rows, without its padding: with many pairs they are what takes memory
      const auto size = static_cast<std::size_t>(chunk.rows_of(0)) * n_slots;
      return [&, places = AlignedBuffer<std::uint16_t>(places_size(plan_, ranked.tile_rows())),
              phi = AlignedBuffer<T>(plan_.scattered() ? 0 : size),
              sums = AlignedBuffer<double>(kIsFloat || plan_.scattered() ? size : 0)](
                 Index tile, const Stop& stop) mutable {
        phi.clear();
        sums.clear();
        LookUpArguments<T> a{};
        a.n_places = walk_places(plan_);
        a.tables = tables_.data();
        a.first_table = plan_.groups()[range_.first].table;
        a.slots = plan_.group_slots().data();
        a.scattered = plan_.scattered();
        a.phi = phi.data();
        a.sums = sums.data();
        a.n_slots = n_slots;
        // some groups after the other, so that a long tile can be stopped
        constexpr std::uint32_t kGroupsPerCall = 1024;
        for (std::uint32_t first = range_.first; first < range_.end; first += kGroupsPerCall) {
          const GroupRange groups{first, std::min(first + kGroupsPerCall, range_.end)};
          a.rows = walk_of(plan_, groups, ranked, chunk, tile, places.data());
          if constexpr (kIsFloat) {
            table.look_up_float(a);
          } else {
            table.look_up_double(a);
          }
          if (stop()) return;
        }
        const double* result = sums.data();
        if constexpr (!kIsFloat) {
          if (!plan_.scattered()) result = phi.data();
        }
        write(chunk.begin_of(tile), chunk.rows_of(tile), result);
      };
    });
  });
}

template class BackgroundTables<float>;
template class BackgroundTables<double>;

}  // namespace leafshap
