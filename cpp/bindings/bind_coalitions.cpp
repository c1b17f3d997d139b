#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bindings/bind.hpp"
#include "bindings/numpy.hpp"
#include "engine/coalition_process.hpp"
#include "engine/coalition_regression.hpp"
#include "plan/coalition_design.hpp"

namespace leafshap {
namespace {

// A C-contiguous float64 array of this shape, all finite.
const double* numbers(const py::array& values, const char* name, std::vector<Index> shape) {
  constexpr int kAligned = py::detail::npy_api::NPY_ARRAY_ALIGNED_;
  if (!py::isinstance<py::array_t<double>>(values) || !(values.flags() & py::array::c_style) ||
      !(values.flags() & kAligned) ||
      !std::equal(shape.begin(), shape.end(), values.shape(), values.shape() + values.ndim())) {
    throw InvalidInput(std::string(name) + " must be a C-contiguous float64 array that fits");
  }
  const auto* data = static_cast<const double*>(values.data());
  for (py::ssize_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(data[i])) {
      throw InvalidInput(std::string(name) + " holds a value that is not finite");
    }
  }
  return data;
}

CoalitionData data_of(const py::array& members, const py::array& odd, const py::array& odd_full) {
  if (members.ndim() != 2 || !(members.flags() & py::array::c_style) ||
      !py::isinstance<py::array_t<bool>>(members)) {
    throw InvalidInput("coalitions must be a C-contiguous 2-D array of bool");
  }
  if (odd.ndim() != 2) throw InvalidInput("odd must be 2-D");
  const Index n_pairs = members.shape(0), n_players = members.shape(1), n_games = odd.shape(1);
  if (n_players < 2) throw InvalidInput("coalitions must have at least 2 players");
  return {n_players,
          n_pairs,
          n_games,
          static_cast<const std::uint8_t*>(members.data()),
          numbers(odd, "odd", {n_pairs, n_games}),
          numbers(odd_full, "odd_full", {n_games})};
}

using Result = std::pair<py::array_t<double>, py::array_t<double>>;

Result empty_result(const CoalitionData& data) {
  return {py::array_t<double>({data.n_players, data.n_games}),
          py::array_t<double>({data.n_players, data.n_games})};
}

// WARNING: releases the GIL.
Result regression(const py::array& members, const py::array& weights, const py::array& inclusion,
                  const py::array& odd, const py::array& odd_full, int n_threads) {
  check_threads(n_threads);
  const CoalitionData data = data_of(members, odd, odd_full);
  const auto n = static_cast<std::size_t>(data.n_pairs);
  const std::span<const double> w(numbers(weights, "weights", {data.n_pairs}), n);
  const std::span<const double> pi(numbers(inclusion, "inclusion", {data.n_pairs}), n);
  Result out = empty_result(data);
  double *phi = out.first.mutable_data(), *errors = out.second.mutable_data();
  run_released([&](Cancellation& cancellation) {
    fit_regression(data, w, pi, phi, errors, n_threads, cancellation);
  });
  return out;
}

// WARNING: releases the GIL.
Result process(const py::array& members, const py::array& odd, const py::array& odd_full,
               const py::array& even, const py::array& even_full, int n_threads) {
  check_threads(n_threads);
  const CoalitionData data = data_of(members, odd, odd_full);
  const double* even_values = numbers(even, "even", {data.n_pairs, data.n_games});
  const double* even_full_values = numbers(even_full, "even_full", {data.n_games});
  Result out = empty_result(data);
  double *phi = out.first.mutable_data(), *errors = out.second.mutable_data();
  run_released([&](Cancellation& cancellation) {
    fit_process(data, even_values, even_full_values, phi, errors, n_threads, cancellation);
  });
  return out;
}

py::array_t<bool> coalitions(const CoalitionDesign& design) {
  py::array_t<bool> out({design.n_pairs(), design.n_players()});
  std::copy(design.members().begin(), design.members().end(), out.mutable_data());
  return out;
}

py::array_t<double> array_of(const std::vector<double>& values) {
  return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace

void bind_coalitions(py::module_& module) {
  py::class_<CoalitionDesign>(module, "CoalitionDesign")
      .def(py::init([](Index n_players, std::uint64_t seed) {
             if (n_players < 2 || n_players > std::numeric_limits<std::int32_t>::max()) {
               throw InvalidInput("a design needs at least 2 players, and less than 2^31");
             }
             return CoalitionDesign(n_players, seed);
           }),
           py::arg("n_players"), py::arg("seed"))
      .def("extend", &CoalitionDesign::extend, py::arg("n_pairs"),
           py::call_guard<py::gil_scoped_release>())
      .def_property_readonly("complete", &CoalitionDesign::complete)
      .def_property_readonly("n_pairs", &CoalitionDesign::n_pairs)
      .def_property_readonly("coalitions", &coalitions)
      .def_property_readonly("weights",
                             [](const CoalitionDesign& d) { return array_of(d.weights()); })
      .def_property_readonly("inclusion",
                             [](const CoalitionDesign& d) { return array_of(d.inclusion()); });
  module.def("fit_regression", &regression, py::arg("coalitions"), py::arg("weights"),
             py::arg("inclusion"), py::arg("odd"), py::arg("odd_full"), py::arg("n_threads"));
  module.def("fit_process", &process, py::arg("coalitions"), py::arg("odd"), py::arg("odd_full"),
             py::arg("even"), py::arg("even_full"), py::arg("n_threads"));
}

}  // namespace leafshap
