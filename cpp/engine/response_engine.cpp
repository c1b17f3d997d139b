#include "engine/response_engine.hpp"

#include <algorithm>
#include <bit>
#include <mutex>

#include "engine/aligned.hpp"
#include "engine/dispatch.hpp"
#include "engine/response_rows.hpp"
#include "engine/response_walk.hpp"

namespace leafshap {
namespace {

// Calls use(arguments), which finds the rows' homes, for every tree; false if stopped.
template <typename Use>
bool add_trees(ResponseRows& rows, const Stop& stop, Use&& use) {
  return rows.for_trees(stop, [&](const HomeArguments& home) {
    use(home);
    rows.add_homes(home.tile.tree);
  });
}

// Answers of some rows to given values.
class RespondWorker {
 public:
  RespondWorker(const ResponsePlan& plan, const Sources& sources, Index n_rows, Index size,
                const Responses& out, std::vector<std::int64_t>& visits, std::mutex& mutex)
      : plan_(plan),
        sources_(sources),
        n_rows_(n_rows),
        size_(static_cast<std::size_t>(size)),
        n_outputs_(plan.ensemble().n_outputs),
        n_players_(plan.players().n_players),
        out_(out),
        lane_ranks_(plan.quantizer().n_columns() * lanes()),
        with_row_(plan.most_slots() * size_),
        answers_(2 * most_answers()),
        sums_(static_cast<std::size_t>(n_players_ * n_outputs_) * lanes()),
        visits_(static_cast<std::size_t>(n_players_), 0),
        all_visits_(visits),
        mutex_(mutex) {
    lane_ranks_.clear();
  }
  RespondWorker(const RespondWorker&) = delete;
  ~RespondWorker() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (std::size_t p = 0; p < visits_.size(); ++p) all_visits_[p] += visits_[p];
  }

  void operator()(ResponseRows& rows, Index begin, Index count, const Stop& stop) {
    // once at least, for what is unchanged
    for (Index repeat = 0; repeat == 0 || repeat < sources_.n_repeats; repeat += kResponseLanes) {
      const Index n_lanes = std::min<Index>(kResponseLanes, sources_.n_repeats - repeat);
      gather_ranks(begin, count, repeat, n_lanes);
      sums_.clear();
      RespondArguments a{};
      a.lane_ranks = lane_ranks_.data();
      a.lanes = (1u << n_lanes) - 1;
      a.with_row = with_row_.data();
      a.answers = answers_.data();
      a.most_answers = most_answers();
      a.n_outputs = static_cast<std::size_t>(n_outputs_);
      a.sums = sums_.data();
      a.visits = visits_.data();
      const auto add = [&](const HomeArguments& home) {
        a.home = home;
        kernels().respond(a);
      };
      if (repeat > 0) rows.restart();
      if (!add_trees(rows, stop, add)) return;
      if (repeat == 0 && out_.unchanged != nullptr) rows.write(begin, count, out_.unchanged);
      write(rows, begin, count, repeat, n_lanes);
    }
  }

 private:
  std::size_t lanes() const { return size_ * kResponseLanes; }
  std::size_t most_answers() const { return plan_.most_slots() * lanes() + 1; }

  void gather_ranks(Index begin, Index count, Index repeat, Index n_lanes) {
    const Quantizer& quantizer = plan_.quantizer();
    for (std::size_t c = 0; c < quantizer.n_columns(); ++c) {
      if (plan_.players().of_feature[quantizer.feature_of(c)] < 0) continue;
      const std::uint16_t* of_probe =
          plan_.probe_ranks().data() + c * static_cast<std::size_t>(plan_.n_probes());
      std::uint16_t* ranks = lane_ranks_.data() + c * lanes();
      for (Index lane = 0; lane < n_lanes; ++lane) {
        const std::int64_t* source = sources_.probes + (repeat + lane) * n_rows_ + begin;
        for (Index i = 0; i < count; ++i) ranks[i * kResponseLanes + lane] = of_probe[source[i]];
      }
    }
  }

  void write(const ResponseRows& rows, Index begin, Index count, Index repeat,
             Index n_lanes) const {
    for (Index p = 0; p < n_players_; ++p) {
      for (Index lane = 0; lane < n_lanes; ++lane) {
        double* out =
            out_.out + ((p * sources_.n_repeats + repeat + lane) * n_rows_ + begin) * n_outputs_;
        for (Index i = 0; i < count; ++i) {
          for (OutputId k = 0; k < n_outputs_; ++k) {
            const std::int64_t* sums =
                sums_.data() + static_cast<std::size_t>(p * n_outputs_ + k) * lanes();
            *out++ = rows.margin(k, rows.margins(k)[i] + sums[i * kResponseLanes + lane]);
          }
        }
      }
    }
  }

  const ResponsePlan& plan_;
  const Sources& sources_;
  Index n_rows_;
  std::size_t size_;
  OutputId n_outputs_;
  Index n_players_;
  Responses out_;
  AlignedBuffer<std::uint16_t> lane_ranks_;  // (n_columns, size, kResponseLanes)
  AlignedBuffer<std::uint32_t> with_row_;
  AlignedBuffer<ResponseAnswer> answers_;
  AlignedBuffer<std::int64_t> sums_;  // (players, K, size, kResponseLanes)
  std::vector<std::int64_t> visits_;
  std::vector<std::int64_t>& all_visits_;
  std::mutex& mutex_;
};

// Many nodes pay only for many rows at a time; else what is used of the sums should stay in the L2
// cache. Measured.
Index tile_rows(const ResponsePlan& plan, Index n_rows) {
  constexpr std::size_t kSmallBytes = 4 << 20, kLargeBytes = 8 << 20, kRowsPerLeaf = 4,
                        kFewest = 64;
  const std::size_t leaves = plan.leaves().size() / std::max<std::size_t>(plan.trees().size(), 1);
  const std::size_t row_bytes =
      1 + kResponseLanes *
              (sizeof(std::int64_t) *
                   static_cast<std::size_t>(plan.players().n_players * plan.ensemble().n_outputs) +
               sizeof(std::uint16_t) * plan.quantizer().n_columns() +
               2 * sizeof(ResponseAnswer) * plan.most_slots());
  const std::size_t wanted = std::max(kRowsPerLeaf * leaves, kSmallBytes / row_bytes);
  const std::size_t most = std::max(std::min(kLargeBytes / row_bytes, kMostAnswerRows), kFewest);
  const Index size = static_cast<Index>(std::clamp(wanted, kFewest, most));
  return std::clamp<Index>(n_rows, 1, size);
}

// A margin and the fixed-point number that is kept in its place before it is known.
double as_margin(std::int64_t number) { return std::bit_cast<double>(number); }
std::int64_t as_number(double margin) { return std::bit_cast<std::int64_t>(margin); }

}  // namespace

void predict_margins(const ResponsePlan& plan, const Rows& rows, double* out, int n_threads,
                     Cancellation& cancellation) {
  for_response_rows(plan, rows, 0, count_rows(rows), tile_rows(plan, count_rows(rows)), n_threads,
                    cancellation, [&] {
                      return [&](ResponseRows& tile, Index begin, Index count, const Stop& stop) {
                        if (!add_trees(tile, stop, kernels().find_homes)) return;
                        tile.write(begin, count, out);
                      };
                    });
}

std::vector<std::int64_t> respond(const ResponsePlan& plan, const Rows& rows,
                                  const Sources& sources, Index begin, Index end, Responses out,
                                  int n_threads, Cancellation& cancellation) {
  std::vector<std::int64_t> visits(static_cast<std::size_t>(plan.players().n_players), 0);
  std::mutex mutex;
  const Index size = tile_rows(plan, ceil_divide(end - begin, n_threads));
  for_response_rows(plan, rows, begin, end, size, n_threads, cancellation, [&] {
    return RespondWorker(plan, sources, count_rows(rows), size, out, visits, mutex);
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
  const auto finish = [&](const ResponseRows& tile, Index i, double* curves) {
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
  for_response_rows(plan, rows, 0, count_rows(rows), kResponseRows, n_threads, cancellation, [&] {
    return [&, memory = ResponseWalkMemory(plan)](ResponseRows& tile, Index begin, Index count,
                                                  const Stop& stop) {
      double* curves = out + begin * row_size;
      std::fill_n(curves, count * row_size, as_margin(0));
      CurveArguments a{};
      a.first_cells = first_cells.data();
      a.n_players = static_cast<std::size_t>(n_players);
      a.n_outputs = static_cast<std::size_t>(n_outputs);
      a.steps = curves;
      const auto add = [&](const HomeArguments& home) {
        kernels().find_homes(home);
        a.walk = memory.walk(home.tile);
        kernels().add_curves(a);
      };
      if (!add_trees(tile, stop, add)) return;
      for (Index i = 0; i < count; ++i) finish(tile, i, curves + i * row_size);
    };
  });
}

}  // namespace leafshap
