#include <pybind11/stl.h>

#include <memory>
#include <variant>

#include "bindings/bind.hpp"
#include "bindings/ensemble_handle.hpp"
#include "bindings/numpy.hpp"
#include "engine/background_engine.hpp"

namespace leafshap {
namespace {

std::vector<double> weights_of(const py::object& weights) {
  if (weights.is_none()) return {};
  const auto array = py::array_t<double>::ensure(weights);
  if (!array || array.ndim() != 1) throw InvalidInput("weights must be a 1-D array of numbers");
  return {array.data(), array.data() + array.shape(0)};
}

// The explainer of one precision, chosen at run time.
class PyBackgroundPlan {
 public:
  PyBackgroundPlan(const EnsembleHandle& handle, const std::string& dtype, const py::array& rows,
                   const py::object& weights, Index n_trees, bool interactions,
                   const std::string& method, std::size_t memory_limit) {
    const auto& ensemble = handle.ensemble;
    n_trees = checked_trees(*ensemble, n_trees);
    Background background(rows_of(rows, ensemble->n_features), weights_of(weights));
    const BackgroundOptions options{pattern_method(method), interactions, memory_limit};
    const py::gil_scoped_release released;
    if (dtype == "float64") {
      explainer_ = std::make_unique<BackgroundExplainer<double>>(ensemble, n_trees,
                                                                 std::move(background), options);
    } else if (dtype == "float32") {
      explainer_ = std::make_unique<BackgroundExplainer<float>>(ensemble, n_trees,
                                                                std::move(background), options);
    } else {
      throw InvalidInput("dtype must be 'float64' or 'float32', got '" + dtype + "'");
    }
  }

  // WARNING: releases the GIL.
  void shap_values(const py::array& x, py::array out, int n_threads) const {
    check_threads(n_threads);
    std::visit(
        [&](const auto& explainer) {
          using T = typename std::decay_t<decltype(*explainer)>::Value;
          const TreeEnsemble& e = explainer->plan().ensemble();
          const Rows rows = rows_of(x, e.n_features);
          T* values = output<T>(out, {x.shape(0), e.n_features, e.n_outputs});
          run_released([&](Cancellation& cancellation) {
            explainer->explain(rows, values, n_threads, cancellation);
          });
        },
        explainer_);
  }

  // WARNING: releases the GIL.
  void build(int n_threads) const {
    check_threads(n_threads);
    std::visit(
        [&](const auto& explainer) {
          run_released(
              [&](Cancellation& cancellation) { explainer->build(n_threads, cancellation); });
        },
        explainer_);
  }

  // WARNING: releases the GIL.
  py::array_t<double> expected_values(int n_threads) const {
    std::vector<double> values;
    std::visit(
        [&](const auto& explainer) {
          run_released([&](Cancellation& cancellation) {
            values = explainer->expected_values(n_threads, cancellation);
          });
        },
        explainer_);
    return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
  }

  py::dict summary() const {
    py::dict summary;
    std::visit(
        [&](const auto& explainer) {
          using T = typename std::decay_t<decltype(*explainer)>::Value;
          const PatternPlan& plan = explainer->plan();
          py::dict leaves;  // by number of leaves that share a table
          for (const PatternGroup& group : plan.groups()) {
            const py::int_ size(group.end_leaf - group.first_leaf);
            leaves[size] = (leaves.contains(size) ? leaves[size].cast<Index>() : 0) +
                           (group.end_leaf - group.first_leaf);
          }
          summary["leaves_by_group_size"] = leaves;
          summary["groups"] = plan.groups().size();
          summary["pairwise_leaves"] = plan.n_pairwise_leaves();
          summary["table_bytes"] = plan.table_size() * sizeof(T);
          summary["tables_kept"] = explainer->keeps_tables();
          summary["scattered"] = plan.scattered();
        },
        explainer_);
    return summary;
  }

 private:
  // The address of a caller's array that has this shape and T.
  template <typename T>
  static T* output(py::array& out, const std::vector<Index>& shape) {
    if (!py::isinstance<py::array_t<T>>(out) || !(out.flags() & py::array::c_style) ||
        !std::equal(shape.begin(), shape.end(), out.shape(), out.shape() + out.ndim())) {
      throw InvalidInput("out must be a C-contiguous array of the plan's dtype and result's shape");
    }
    return static_cast<T*>(out.mutable_data());
  }

  std::variant<std::unique_ptr<BackgroundExplainer<double>>,
               std::unique_ptr<BackgroundExplainer<float>>>
      explainer_;
};

}  // namespace

void bind_background(py::module_& module) {
  py::class_<PyBackgroundPlan> plan(module, "BackgroundPlan");
  plan.def(py::init<const EnsembleHandle&, const std::string&, const py::array&, const py::object&,
                    Index, bool, const std::string&, std::size_t>(),
           py::arg("ensemble"), py::arg("dtype"), py::arg("background"), py::arg("weights"),
           py::arg("n_trees") = -1, py::arg("interactions") = false, py::arg("method") = "auto",
           py::arg("memory_limit") = std::size_t{1} << 30)
      .def("shap_values", &PyBackgroundPlan::shap_values, py::arg("X"), py::arg("out"),
           py::arg("n_threads"))
      .def("build", &PyBackgroundPlan::build, py::arg("n_threads"))
      .def("expected_values", &PyBackgroundPlan::expected_values, py::arg("n_threads"))
      .def_property_readonly("summary", &PyBackgroundPlan::summary);
  plan.attr("methods") = pattern_methods();
}

}  // namespace leafshap
