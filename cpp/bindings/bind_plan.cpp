#include <memory>
#include <mutex>
#include <variant>

#include "bindings/bind.hpp"
#include "bindings/ensemble_handle.hpp"
#include "bindings/numpy.hpp"
#include "engine/interaction_engine.hpp"
#include "engine/tree_engine.hpp"
#include "plan/interaction_plan.hpp"
#include "plan/path_plan.hpp"

namespace leafshap {
namespace {

// A plan and, once somebody asks for interactions, what these need besides.
template <typename T>
class PlanOf {
 public:
  using Value = T;
  PlanOf(std::shared_ptr<const TreeEnsemble> ensemble, Index n_trees)
      : path(std::move(ensemble), n_trees) {}

  // Not with the GIL held: others may wait for the one who compiles the plan.
  const InteractionPlan<T>& interactions() const {
    const std::scoped_lock lock(mutex_);
    if (!interactions_) interactions_ = std::make_unique<InteractionPlan<T>>(path);
    return *interactions_;
  }

  const PathPlan<T> path;

 private:
  mutable std::mutex mutex_;
  mutable std::unique_ptr<const InteractionPlan<T>> interactions_;
};

// The plan of one precision, chosen at run time.
class PyPathPlan {
 public:
  PyPathPlan(const EnsembleHandle& handle, const std::string& dtype, Index n_trees) {
    const auto& ensemble = handle.ensemble;
    n_trees = checked_trees(*ensemble, n_trees);
    if (dtype == "float64") {
      plan_ = std::make_unique<PlanOf<double>>(ensemble, n_trees);
    } else if (dtype == "float32") {
      plan_ = std::make_unique<PlanOf<float>>(ensemble, n_trees);
    } else {
      throw InvalidInput("dtype must be 'float64' or 'float32', got '" + dtype + "'");
    }
  }

  // WARNING: releases the GIL.
  void shap_values(const py::array& x, py::array out, int n_threads) const {
    check_threads(n_threads);
    visit(x, [&](const auto& plan, const Rows& rows) {
      auto* values = values_of<typename std::decay_t<decltype(plan)>::Value>(
          out, "out", {x.shape(0), n_features(), n_outputs()});
      run_released([&](Cancellation& cancellation) {
        explain(plan.path, rows, values, n_threads, cancellation);
      });
    });
  }

  // WARNING: releases the GIL.
  void approximate(const py::array& x, py::array out, int n_threads) const {
    check_threads(n_threads);
    visit(x, [&](const auto& plan, const Rows& rows) {
      auto* values = values_of<typename std::decay_t<decltype(plan)>::Value>(
          out, "out", {x.shape(0), n_features(), n_outputs()});
      run_released([&](Cancellation& cancellation) {
        explain_saabas(ensemble(), plan.path.n_trees(), rows, values, n_threads, cancellation);
      });
    });
  }

  // WARNING: releases the GIL.
  void interaction_values(const py::array& x, py::array out, int n_threads) const {
    check_threads(n_threads);
    visit(x, [&](const auto& plan, const Rows& rows) {
      auto* values = values_of<typename std::decay_t<decltype(plan)>::Value>(
          out, "out", {x.shape(0), n_features(), n_features(), n_outputs()});
      run_released([&](Cancellation& cancellation) {
        explain_interactions(plan.interactions(), rows, {.dense = values}, n_threads, cancellation);
      });
    });
  }

  // WARNING: releases the GIL.
  void interaction_pairs(const py::array& x, py::array pairs_out, py::array phi_out,
                         int n_threads) const {
    check_threads(n_threads);
    visit(x, [&](const auto& plan, const Rows& rows) {
      const auto n_pairs = static_cast<Index>(feature_pairs(plan).size());
      auto* pairs = values_of<typename std::decay_t<decltype(plan)>::Value>(
          pairs_out, "pairs_out", {x.shape(0), n_pairs, n_outputs()});
      auto* phi = values_of<typename std::decay_t<decltype(plan)>::Value>(
          phi_out, "phi_out", {x.shape(0), n_features(), n_outputs()});
      run_released([&](Cancellation& cancellation) {
        explain_interactions(plan.interactions(), rows, {.pairs = pairs, .phi = phi}, n_threads,
                             cancellation);
      });
    });
  }

  // WARNING: releases the GIL.
  py::array_t<std::int32_t> pairs() const {
    return std::visit([](const auto& plan) { return array_of_pairs(feature_pairs(*plan)); }, plan_);
  }

  py::array_t<double> expected_values() const {
    return std::visit(
        [](const auto& plan) {
          const auto& values = plan->path.expected_values();
          return py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data());
        },
        plan_);
  }

  int max_points() const {
    return std::visit([](const auto& plan) { return plan->path.max_points(); }, plan_);
  }

 private:
  const TreeEnsemble& ensemble() const {
    return std::visit([](const auto& plan) -> const TreeEnsemble& { return plan->path.ensemble(); },
                      plan_);
  }
  Index n_features() const { return ensemble().n_features; }
  Index n_outputs() const { return ensemble().n_outputs; }

  template <typename T>
  static const std::vector<FeaturePair>& feature_pairs(const PlanOf<T>& plan) {
    const py::gil_scoped_release released;
    return plan.interactions().pair_slots().pairs();
  }

  // Calls work(plan, rows) with the plan of the chosen precision.
  template <typename Work>
  void visit(const py::array& x, Work&& work) const {
    const Rows rows = rows_of(x, n_features());
    std::visit([&](const auto& plan) { work(*plan, rows); }, plan_);
  }

  std::variant<std::unique_ptr<PlanOf<double>>, std::unique_ptr<PlanOf<float>>> plan_;
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
      .def("interaction_values", &PyPathPlan::interaction_values, py::arg("X"), py::arg("out"),
           py::arg("n_threads"))
      .def("interaction_pairs", &PyPathPlan::interaction_pairs, py::arg("X"), py::arg("pairs_out"),
           py::arg("phi_out"), py::arg("n_threads"))
      .def_property_readonly("pairs", &PyPathPlan::pairs)
      .def_property_readonly("expected_values", &PyPathPlan::expected_values)
      .def_property_readonly("max_points", &PyPathPlan::max_points);
}

}  // namespace leafshap
