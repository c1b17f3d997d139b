#include <memory>
#include <variant>

#include "bindings/bind.hpp"
#include "bindings/ensemble_handle.hpp"
#include "bindings/numpy.hpp"
#include "engine/tree_engine.hpp"
#include "plan/path_plan.hpp"

namespace leafshap {
namespace {

// The plan of one precision, chosen at run time.
class PyPathPlan {
 public:
  PyPathPlan(const EnsembleHandle& handle, const std::string& dtype, Index n_trees) {
    const auto& ensemble = handle.ensemble;
    n_trees = checked_trees(*ensemble, n_trees);
    if (dtype == "float64") {
      plan_ = std::make_unique<PathPlan<double>>(ensemble, n_trees);
    } else if (dtype == "float32") {
      plan_ = std::make_unique<PathPlan<float>>(ensemble, n_trees);
    } else {
      throw InvalidInput("dtype must be 'float64' or 'float32', got '" + dtype + "'");
    }
  }

  // WARNING: releases the GIL.
  void shap_values(const py::array& x, py::array out, int n_threads) const {
    check_threads(n_threads);
    visit(
        [&](const auto& plan, auto* values, const Rows& rows) {
          run_released([&](Cancellation& cancellation) {
            explain(plan, rows, values, n_threads, cancellation);
          });
        },
        x, out);
  }

  // WARNING: releases the GIL.
  void approximate(const py::array& x, py::array out, int n_threads) const {
    check_threads(n_threads);
    visit(
        [&](const auto& plan, auto* values, const Rows& rows) {
          run_released([&](Cancellation& cancellation) {
            explain_saabas(plan.ensemble(), plan.n_trees(), rows, values, n_threads, cancellation);
          });
        },
        x, out);
  }

  py::array_t<double> expected_values() const {
    return std::visit(
        [](const auto& plan) {
          const auto& values = plan->expected_values();
          return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
        },
        plan_);
  }

  int max_points() const {
    return std::visit([](const auto& plan) { return plan->max_points(); }, plan_);
  }

 private:
  template <typename Work>
  void visit(Work&& work, const py::array& x, py::array& out) const {
    std::visit(
        [&](const auto& plan) {
          using T = typename std::decay_t<decltype(*plan)>::Value;
          const TreeEnsemble& e = plan->ensemble();
          const Rows rows = rows_of(x, e.n_features);
          if (!py::isinstance<py::array_t<T>>(out) || !(out.flags() & py::array::c_style) ||
              out.ndim() != 3 || out.shape(0) != x.shape(0) || out.shape(1) != e.n_features ||
              out.shape(2) != e.n_outputs) {
            throw InvalidInput(
                "out must be a C-contiguous array (n, n_features, n_outputs) of the plan's dtype");
          }
          work(*plan, static_cast<T*>(out.mutable_data()), rows);
        },
        plan_);
  }

  std::variant<std::unique_ptr<PathPlan<double>>, std::unique_ptr<PathPlan<float>>> plan_;
};

}  // namespace

void bind_plan(py::module_& module) {
  py::class_<PyPathPlan>(module, "PathPlan")
      .def(py::init<const EnsembleHandle&, const std::string&, Index>(), py::arg("ensemble"),
           py::arg("dtype"), py::arg("n_trees") = -1, py::call_guard<py::gil_scoped_release>())
      .def("shap_values", &PyPathPlan::shap_values, py::arg("X"), py::arg("out"),
           py::arg("n_threads"))
      .def("approximate", &PyPathPlan::approximate, py::arg("X"), py::arg("out"),
           py::arg("n_threads"))
      .def_property_readonly("expected_values", &PyPathPlan::expected_values)
      .def_property_readonly("max_points", &PyPathPlan::max_points);
}

}  // namespace leafshap
