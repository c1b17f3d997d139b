#include "engine/response_engine.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <mutex>

#include "engine/aligned.hpp"
#include "engine/dispatch.hpp"
#include "engine/response_tile.hpp"

namespace leafshap {
namespace {

// Calls use(walk) for every tree, and adds up the rows' own leaves that it finds; false if stopped.
template <typename Use>
bool add_trees(ResponseTile& tile, const Stop& stop, Use&& use) {
  return tile.for_trees(stop, [&](const ResponseWalk& walk) {
    use(walk);
    tile.add_homes(walk.tree);
  });
}

// Answers of a tile for given cells.
class RespondWorker {
 public:
  RespondWorker(const ResponsePlan& plan, const Sources& sources, Index n_rows, double* out,
                std::vector<std::int64_t>& visits, std::mutex& mutex)
      : plan_(plan),
        sources_(sources),
        n_rows_(n_rows),
        n_outputs_(plan.ensemble().n_outputs),
        n_players_(plan.players().n_players),
        n_chunks_(ceil_divide(sources.n_repeats, kResponseLanes)),
        out_(out),
        cells_(plan.axes().size() * lanes()),
        sums_(static_cast<std::size_t>(n_players_ * n_outputs_) * lanes()),
        visits_(static_cast<std::size_t>(n_players_), 0),
        all_visits_(visits),
        mutex_(mutex) {
    // lanes without a repeat are in no run
    std::fill_n(cells_.data(), cells_.size(), ~std::uint32_t{0});
  }
  RespondWorker(const RespondWorker&) = delete;
  ~RespondWorker() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (std::size_t p = 0; p < visits_.size(); ++p) all_visits_[p] += visits_[p];
  }

  void operator()(ResponseTile& tile, Index begin, Index count, const Stop& stop) {
    gather_cells(begin, count);
    sums_.clear();
    RespondArguments a{};
    a.cells = cells_.data();
    a.n_chunks = static_cast<std::size_t>(n_chunks_);
    a.n_outputs = static_cast<std::size_t>(n_outputs_);
    a.sums = sums_.data();
    a.visits = visits_.data();
    const auto add = [&](const ResponseWalk& walk) {
      a.walk = walk;
      kernels().respond(a);
    };
    if (add_trees(tile, stop, add)) write(tile, begin, count);
  }

 private:
  Index row_lanes() const { return n_chunks_ * kResponseLanes; }
  std::size_t lanes() const { return static_cast<std::size_t>(kResponseRows * row_lanes()); }

  void gather_cells(Index begin, Index count) {
    for (std::size_t axis = 0; axis < plan_.axes().size(); ++axis) {
      const std::uint32_t* cell = plan_.axes()[axis].cell_of_probe().data();
      std::uint32_t* cells = cells_.data() + axis * lanes();
      for (Index r = 0; r < sources_.n_repeats; ++r) {
        const std::int64_t* source = sources_.probes + r * n_rows_ + begin;
        for (Index i = 0; i < count; ++i) cells[i * row_lanes() + r] = cell[source[i]];
      }
    }
  }

  void write(const ResponseTile& tile, Index begin, Index count) const {
    for (Index p = 0; p < n_players_; ++p) {
      for (Index r = 0; r < sources_.n_repeats; ++r) {
        double* out = out_ + ((p * sources_.n_repeats + r) * n_rows_ + begin) * n_outputs_;
        for (Index i = 0; i < count; ++i) {
          for (OutputId k = 0; k < n_outputs_; ++k) {
            const std::int64_t* sums =
                sums_.data() + static_cast<std::size_t>(p * n_outputs_ + k) * lanes();
            *out++ = tile.margin(k, tile.margins(k)[i] + sums[i * row_lanes() + r]);
          }
        }
      }
    }
  }

  const ResponsePlan& plan_;
  const Sources& sources_;
  Index n_rows_;
  OutputId n_outputs_;
  Index n_players_, n_chunks_;
  double* out_;
  AlignedBuffer<std::uint32_t> cells_;  // (axes, kResponseRows, chunks, kResponseLanes)
  AlignedBuffer<std::int64_t> sums_;    // (players, K, kResponseRows, chunks, kResponseLanes)
  std::vector<std::int64_t> visits_;
  std::vector<std::int64_t>& all_visits_;
  std::mutex& mutex_;
};

// A margin and the fixed-point number that is kept in its place before it is known.
double as_margin(std::int64_t number) { return std::bit_cast<double>(number); }
std::int64_t as_number(double margin) { return std::bit_cast<std::int64_t>(margin); }

}  // namespace

void predict_margins(const ResponsePlan& plan, const Rows& rows, double* out, int n_threads,
                     Cancellation& cancellation) {
  const OutputId n_outputs = plan.ensemble().n_outputs;
  for_response_tiles(plan, rows, 0, count_rows(rows), n_threads, cancellation, [&] {
    return [&](ResponseTile& tile, Index begin, Index count, const Stop& stop) {
      if (!add_trees(tile, stop, kernels().find_homes)) return;
      for (Index i = 0; i < count; ++i) {
        for (OutputId k = 0; k < n_outputs; ++k) {
          out[(begin + i) * n_outputs + k] = tile.margin(k, tile.margins(k)[i]);
        }
      }
    };
  });
}

std::vector<std::int64_t> respond(const ResponsePlan& plan, const Rows& rows,
                                  const Sources& sources, Index begin, Index end, double* out,
                                  int n_threads, Cancellation& cancellation) {
  std::vector<std::int64_t> visits(static_cast<std::size_t>(plan.players().n_players), 0);
  std::mutex mutex;
  for_response_tiles(plan, rows, begin, end, n_threads, cancellation, [&] {
    return RespondWorker(plan, sources, count_rows(rows), out, visits, mutex);
  });
  return visits;
}

void response_curves(const ResponsePlan& plan, const Rows& rows, double* out, int n_threads,
                     Cancellation& cancellation) {
  const OutputId n_outputs = plan.ensemble().n_outputs;
  const std::vector<std::int64_t>& first_cells = plan.first_cells();
  const Index n_players = plan.players().n_players, row_size = first_cells.back() * n_outputs;
  static_assert(sizeof(std::int64_t) == sizeof(double));

  // steps become sums along the cells, and then margins
  const auto finish = [&](const ResponseTile& tile, Index i, double* curves) {
    for (Index p = 0; p < n_players; ++p) {
      for (OutputId k = 0; k < n_outputs; ++k) {
        std::int64_t sum = tile.margins(k)[i];
        for (Index cell = first_cells[p]; cell < first_cells[p + 1]; ++cell) {
          double& place = curves[cell * n_outputs + k];
          sum += as_number(place);
          place = tile.margin(k, sum);
        }
      }
    }
  };
  for_response_tiles(plan, rows, 0, count_rows(rows), n_threads, cancellation, [&] {
    return [&](ResponseTile& tile, Index begin, Index count, const Stop& stop) {
      double* curves = out + begin * row_size;
      std::fill_n(curves, count * row_size, as_margin(0));
      CurveArguments a{};
      a.first_cells = first_cells.data();
      a.n_players = static_cast<std::size_t>(n_players);
      a.n_outputs = static_cast<std::size_t>(n_outputs);
      a.steps = curves;
      const auto add = [&](const ResponseWalk& walk) {
        a.walk = walk;
        kernels().add_curves(a);
      };
      if (!add_trees(tile, stop, add)) return;
      for (Index i = 0; i < count; ++i) finish(tile, i, curves + i * row_size);
    };
  });
}

}  // namespace leafshap
