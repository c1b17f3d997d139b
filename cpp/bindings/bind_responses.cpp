#include <memory>
#include <string>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/ensemble_handle.hpp"
#include "bindings/numpy.hpp"
#include "engine/response_engine.hpp"

namespace leafshap {
namespace {

class PyResponsePlan {
 public:
  // WARNING: releases the GIL.
  PyResponsePlan(const EnsembleHandle& handle, Index n_trees, const py::array& players,
                 const py::array& probes, bool all_values) {
    const TreeEnsemble& e = *handle.ensemble;
    n_trees = checked_trees(e, n_trees);
    ResponsePlayers checked = players_of(players, e);
    const Rows rows = rows_of(probes, e.n_features, "probes");
    run_released([&](Cancellation& cancellation) {
      plan_ = std::make_unique<ResponsePlan>(handle.ensemble, n_trees, std::move(checked), rows,
                                             all_values, [&] {
                                               if (cancellation.requested()) throw Cancelled();
                                             });
    });
  }

  Index n_players() const { return plan_->players().n_players; }

  py::array_t<std::int64_t> cell_offsets() const {
    need_all_values();
    return array_of(plan_->first_cells());
  }

  py::array_t<std::int64_t> cells(Index player) const {
    need_all_values();
    if (player < 0 || player >= n_players()) {
      throw InvalidInput("player " + std::to_string(player) + " is out of range for " +
                         std::to_string(n_players()));
    }
    const std::vector<std::uint32_t>& cells = plan_->cells()[player].cell_of_probe();
    py::array_t<std::int64_t> out(static_cast<py::ssize_t>(cells.size()));
    std::copy(cells.begin(), cells.end(), out.mutable_data());
    return out;
  }

  // WARNING: releases the GIL.
  void predict(const py::array& x, py::array out, int n_threads) const {
    check_threads(n_threads);
    const Rows rows = rows_of(x, ensemble().n_features);
    double* margins = values_of<double>(out, "out", {x.shape(0), ensemble().n_outputs});
    run_released([&](Cancellation& cancellation) {
      predict_margins(*plan_, rows, margins, n_threads, cancellation);
    });
  }

  // WARNING: releases the GIL.
  py::array_t<std::int64_t> respond(const py::array& x, const py::array& sources, Index begin,
                                    Index end, py::array out, const py::object& unchanged,
                                    int n_threads) const {
    check_threads(n_threads);
    if (plan_->all_values()) throw InvalidInput("a plan with all_values=True has no single values");
    const Rows rows = rows_of(x, ensemble().n_features);
    const Sources checked = sources_of(sources, x.shape(0));
    if (begin < 0 || begin > end || end > x.shape(0)) {
      throw InvalidInput("rows [" + std::to_string(begin) + ", " + std::to_string(end) +
                         ") are out of range for " + std::to_string(x.shape(0)));
    }
    double* margins = values_of<double>(
        out, "out", {n_players(), checked.n_repeats, x.shape(0), ensemble().n_outputs});
    double* margins_unchanged = nullptr;
    if (!unchanged.is_none()) {
      if (!py::isinstance<py::array>(unchanged)) throw InvalidInput("unchanged must be an array");
      auto array = unchanged.cast<py::array>();
      margins_unchanged = values_of<double>(array, "unchanged", {x.shape(0), ensemble().n_outputs});
    }
    std::vector<std::int64_t> visits;
    run_released([&](Cancellation& cancellation) {
      visits = leafshap::respond(*plan_, rows, checked, begin, end, {margins, margins_unchanged},
                                 n_threads, cancellation);
    });
    return array_of(visits);
  }

  // WARNING: releases the GIL.
  void curves(const py::array& x, py::array out, int n_threads) const {
    check_threads(n_threads);
    need_all_values();
    const Rows rows = rows_of(x, ensemble().n_features);
    double* margins = values_of<double>(
        out, "out", {x.shape(0), plan_->first_cells().back(), ensemble().n_outputs});
    run_released([&](Cancellation& cancellation) {
      response_curves(*plan_, rows, margins, n_threads, cancellation);
    });
  }

  // WARNING: releases the GIL.
  py::array_t<double> means(const py::array& x, const py::object& weights, int n_threads) const {
    check_threads(n_threads);
    need_all_values();
    const Rows rows = rows_of(x, ensemble().n_features);
    if (x.shape(0) == 0) throw InvalidInput("X has no rows");
    const std::vector<double> checked = weights_of(weights, x.shape(0));
    py::array_t<double> out({static_cast<py::ssize_t>(plan_->first_cells().back()),
                             static_cast<py::ssize_t>(ensemble().n_outputs)});
    double* margins = out.mutable_data();
    run_released([&](Cancellation& cancellation) {
      mean_responses(*plan_, rows, checked, margins, n_threads, cancellation);
    });
    return out;
  }

 private:
  const TreeEnsemble& ensemble() const { return plan_->ensemble(); }

  static py::array_t<std::int64_t> array_of(const std::vector<std::int64_t>& numbers) {
    return py::array_t<std::int64_t>(static_cast<py::ssize_t>(numbers.size()), numbers.data());
  }

  void need_all_values() const {
    if (!plan_->all_values()) throw InvalidInput("only a plan with all_values=True has cells");
  }

  static ResponsePlayers players_of(const py::array& players, const TreeEnsemble& e) {
    if (!py::isinstance<py::array_t<std::int32_t>>(players) || players.ndim() != 1 ||
        players.shape(0) != e.n_features || !(players.flags() & py::array::c_style)) {
      throw InvalidInput("players must be a C-contiguous array of int32 with one entry for each " +
                         std::string("of the ") + std::to_string(e.n_features) + " features");
    }
    const auto* first = static_cast<const std::int32_t*>(players.data());
    ResponsePlayers out{{first, first + e.n_features}, 0};
    std::vector<bool> present(out.of_feature.size(), false);
    for (const std::int32_t player : out.of_feature) {
      if (player < -1 || player >= e.n_features) {
        throw InvalidInput("players holds " + std::to_string(player) +
                           ", expected -1 or a number below " + std::to_string(e.n_features));
      }
      out.n_players = std::max(out.n_players, player + 1);
      if (player >= 0) present[player] = true;
    }
    for (std::int32_t player = 0; player < out.n_players; ++player) {
      if (!present[player]) {
        throw InvalidInput("players: no feature has the player " + std::to_string(player));
      }
    }
    return out;
  }

  Sources sources_of(const py::array& sources, Index n_rows) const {
    if (!py::isinstance<py::array_t<std::int64_t>>(sources) || sources.ndim() != 2 ||
        sources.shape(1) != n_rows || !(sources.flags() & py::array::c_style)) {
      throw InvalidInput("sources must be a C-contiguous array of int64 with " +
                         std::to_string(n_rows) + " columns");
    }
    const auto* first = static_cast<const std::int64_t*>(sources.data());
    for (Index i = 0; i < sources.size(); ++i) {
      if (first[i] < 0 || first[i] >= plan_->n_probes()) {
        throw InvalidInput("sources holds " + std::to_string(first[i]) + ", there are " +
                           std::to_string(plan_->n_probes()) + " probes");
      }
    }
    return {first, sources.shape(0)};
  }

  std::unique_ptr<ResponsePlan> plan_;
};

}  // namespace

void bind_responses(py::module_& module) {
  py::class_<PyResponsePlan>(module, "ResponsePlan")
      .def(py::init<const EnsembleHandle&, Index, const py::array&, const py::array&, bool>(),
           py::arg("ensemble"), py::arg("n_trees"), py::arg("players"), py::arg("probes"),
           py::arg("all_values"))
      .def_property_readonly("n_players", &PyResponsePlan::n_players)
      .def_property_readonly("cell_offsets", &PyResponsePlan::cell_offsets)
      .def("cells", &PyResponsePlan::cells, py::arg("player"))
      .def("predict", &PyResponsePlan::predict, py::arg("rows"), py::arg("out"),
           py::arg("n_threads"))
      .def("respond", &PyResponsePlan::respond, py::arg("rows"), py::arg("sources"),
           py::arg("begin"), py::arg("end"), py::arg("out"), py::arg("unchanged"),
           py::arg("n_threads"))
      .def("curves", &PyResponsePlan::curves, py::arg("rows"), py::arg("out"), py::arg("n_threads"))
      .def("means", &PyResponsePlan::means, py::arg("rows"), py::arg("weights"),
           py::arg("n_threads"));
}

}  // namespace leafshap
