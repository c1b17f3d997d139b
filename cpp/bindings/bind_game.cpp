#include <memory>
#include <string>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/ensemble_handle.hpp"
#include "bindings/numpy.hpp"
#include "engine/game_engine.hpp"

namespace leafshap {
namespace {

GameOutput output_named(const std::string& name, const TreeEnsemble& e) {
  if (name == "raw") return GameOutput::kRaw;
  if (name == "logistic") return GameOutput::kLogistic;
  if (name == "exp") return GameOutput::kExp;
  if (name != "softmax") {
    throw InvalidInput("output is '" + name + "', expected one of: raw, logistic, exp, softmax");
  }
  if (e.n_outputs < 2) throw InvalidInput("softmax needs a model with several outputs");
  return GameOutput::kSoftmax;
}

class PyCoalitionGame {
 public:
  // WARNING: releases the GIL.
  PyCoalitionGame(const EnsembleHandle& handle, const py::array& background,
                  const py::object& weights, Index n_trees, const std::string& output,
                  int n_threads) {
    const TreeEnsemble& e = *handle.ensemble;
    n_trees = checked_trees(e, n_trees);
    const Rows rows = rows_of(background, e.n_features, "background");
    if (background.shape(0) == 0) throw InvalidInput("background has no rows");
    const std::vector<double> checked = weights_of(weights, background.shape(0));
    const GameOutput found = output_named(output, e);
    check_threads(n_threads);
    run_released([&](Cancellation& cancellation) {
      game_ = std::make_unique<CoalitionGame>(handle.ensemble, n_trees, rows, checked, found,
                                              n_threads, cancellation);
    });
  }

  // WARNING: releases the GIL.
  void values(const py::array& x, const py::array& players, const py::array& coalitions,
              py::array out, int n_threads) const {
    check_threads(n_threads);
    const TreeEnsemble& e = game_->ensemble();
    const Rows rows = rows_of(x, e.n_features);
    const Coalitions checked = coalitions_of(coalitions, players, e);
    double* values = values_of<double>(out, "out", {checked.n, x.shape(0), e.n_outputs});
    run_released([&](Cancellation& cancellation) {
      game_->values(rows, checked, values, n_threads, cancellation);
    });
  }

  // WARNING: releases the GIL.
  py::array_t<bool> varying(const py::array& x, int n_threads) const {
    check_threads(n_threads);
    const TreeEnsemble& e = game_->ensemble();
    const Rows rows = rows_of(x, e.n_features);
    py::array_t<bool> out({x.shape(0), static_cast<py::ssize_t>(e.n_features)});
    bool* found = out.mutable_data();
    run_released([&](Cancellation& cancellation) {
      game_->find_varying(rows, found, n_threads, cancellation);
    });
    return out;
  }

 private:
  static Coalitions coalitions_of(const py::array& coalitions, const py::array& players,
                                  const TreeEnsemble& e) {
    const bool known = py::isinstance<py::array_t<bool>>(coalitions) ||
                       py::isinstance<py::array_t<std::uint8_t>>(coalitions);
    if (!known || coalitions.ndim() != 2 || !(coalitions.flags() & py::array::c_style)) {
      throw InvalidInput("coalitions must be a C-contiguous array (N, M) of bool or uint8");
    }
    if (!py::isinstance<py::array_t<std::int32_t>>(players) || players.ndim() != 1 ||
        players.shape(0) != e.n_features || !(players.flags() & py::array::c_style)) {
      throw InvalidInput(
          "players must be a C-contiguous array of int32 with one entry for each of "
          "the " +
          std::to_string(e.n_features) + " features");
    }
    const auto* player = static_cast<const std::int32_t*>(players.data());
    for (Index f = 0; f < e.n_features; ++f) {
      if (player[f] < -1 || player[f] >= coalitions.shape(1)) {
        throw InvalidInput("players: feature " + std::to_string(f) + " has the player " +
                           std::to_string(player[f]) + ", coalitions have " +
                           std::to_string(coalitions.shape(1)));
      }
    }
    return {static_cast<const std::uint8_t*>(coalitions.data()), coalitions.shape(0),
            coalitions.shape(1), player, e.n_features};
  }

  std::unique_ptr<CoalitionGame> game_;
};

}  // namespace

void bind_game(py::module_& module) {
  py::class_<PyCoalitionGame>(module, "CoalitionGame")
      .def(py::init<const EnsembleHandle&, const py::array&, const py::object&, Index,
                    const std::string&, int>(),
           py::arg("ensemble"), py::arg("background"), py::arg("weights"), py::arg("n_trees") = -1,
           py::arg("output") = "raw", py::arg("n_threads") = 1)
      .def("values", &PyCoalitionGame::values, py::arg("X"), py::arg("players"),
           py::arg("coalitions"), py::arg("out"), py::arg("n_threads"))
      .def("varying", &PyCoalitionGame::varying, py::arg("X"), py::arg("n_threads"));
}

}  // namespace leafshap
