#include <pybind11/stl.h>

#include <memory>
#include <variant>

#include "bindings/bind.hpp"
#include "bindings/ensemble_handle.hpp"
#include "bindings/numpy.hpp"
#include "engine/background_engine.hpp"

namespace leafshap {
namespace {

// The explainer of one precision, chosen at run time.
class PyBackgroundPlan {
 public:
  PyBackgroundPlan(const EnsembleHandle& handle, const std::string& dtype, const py::array& rows,
                   const py::object& weights, Index n_trees, bool interactions,
                   const std::string& method, std::size_t memory_limit) {
    const auto& ensemble = handle.ensemble;
    n_trees = checked_trees(*ensemble, n_trees);
    const Rows view = rows_of(rows, ensemble->n_features, "background");
    if (rows.shape(0) == 0) throw InvalidInput("background has no rows");
    Background background(view, weights_of(weights, rows.shape(0)));
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
    visit(x, n_threads, [&](auto& explainer, const Rows& rows, const TreeEnsemble& e) {
      auto* values = values_of<ValueOf<decltype(explainer)>>(
          out, "out", {x.shape(0), e.n_features, e.n_outputs});
      run_released([&](Cancellation& cancellation) {
        explainer.explain(rows, values, n_threads, cancellation);
      });
    });
  }

  // WARNING: releases the GIL.
  void interaction_values(const py::array& x, py::array out, int n_threads) const {
    check_interactions();
    visit(x, n_threads, [&](auto& explainer, const Rows& rows, const TreeEnsemble& e) {
      auto* values = values_of<ValueOf<decltype(explainer)>>(
          out, "out", {x.shape(0), e.n_features, e.n_features, e.n_outputs});
      run_released([&](Cancellation& cancellation) {
        explainer.explain_interactions(rows, {.dense = values}, n_threads, cancellation);
      });
    });
  }

  // WARNING: releases the GIL.
  void interaction_pairs(const py::array& x, py::array pairs_out, py::array phi_out,
                         int n_threads) const {
    check_interactions();
    visit(x, n_threads, [&](auto& explainer, const Rows& rows, const TreeEnsemble& e) {
      using T = ValueOf<decltype(explainer)>;
      const auto n_pairs = static_cast<Index>(explainer.plan().pairs().size());
      auto* pairs = values_of<T>(pairs_out, "pairs_out", {x.shape(0), n_pairs, e.n_outputs});
      auto* phi = values_of<T>(phi_out, "phi_out", {x.shape(0), e.n_features, e.n_outputs});
      run_released([&](Cancellation& cancellation) {
        explainer.explain_interactions(rows, {.pairs = pairs, .phi = phi}, n_threads, cancellation);
      });
    });
  }

  py::array_t<std::int32_t> pairs() const {
    check_interactions();
    return std::visit(
        [](const auto& explainer) { return array_of_pairs(explainer->plan().pairs()); },
        explainer_);
  }

  // (tables, expected values) for set_tables, or None if there are none to keep.
  py::object get_tables() const {
    return std::visit(
        [](const auto& explainer) -> py::object {
          using T = ValueOf<decltype(*explainer)>;
          std::vector<T> tables;
          std::vector<double> expected;
          run_released([&](Cancellation& cancellation) {
            tables = explainer->tables(cancellation);
            if (!tables.empty()) expected = explainer->expected_values(1, cancellation);
          });
          if (tables.empty()) return py::none();
          return py::make_tuple(
              py::array_t<T>(static_cast<py::ssize_t>(tables.size()), tables.data()),
              py::array_t<double>(static_cast<py::ssize_t>(expected.size()), expected.data()));
        },
        explainer_);
  }

  void set_tables(const py::tuple& state) const {
    if (state.size() != 2) throw InvalidInput("tables must be what get_tables returned");
    std::visit(
        [&](const auto& explainer) {
          using T = ValueOf<decltype(*explainer)>;
          const py::object tables = state[0];
          if (!py::isinstance<py::array_t<T>>(tables)) {
            throw InvalidInput("tables must be an array of the plan's dtype");
          }
          const auto values = py::array_t<T, py::array::c_style>::ensure(tables);
          const std::vector<double> expected = numbers_of(state[1], "expected values");
          run_released([&](Cancellation& cancellation) {
            explainer->set_tables(values.data(), static_cast<std::size_t>(values.size()), expected,
                                  cancellation);
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
    check_threads(n_threads);
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
  template <typename Explainer>
  using ValueOf = typename std::decay_t<Explainer>::Value;

  void check_interactions() const {
    std::visit(
        [](const auto& explainer) {
          if (!explainer->plan().interactions()) {
            throw InvalidInput("the plan was made without interactions");
          }
        },
        explainer_);
  }

  // Calls work(explainer, rows, ensemble) with the explainer of the chosen precision.
  template <typename Work>
  void visit(const py::array& x, int n_threads, Work&& work) const {
    check_threads(n_threads);
    std::visit(
        [&](const auto& explainer) {
          const TreeEnsemble& e = explainer->plan().ensemble();
          work(*explainer, rows_of(x, e.n_features), e);
        },
        explainer_);
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
      .def("interaction_values", &PyBackgroundPlan::interaction_values, py::arg("X"),
           py::arg("out"), py::arg("n_threads"))
      .def("interaction_pairs", &PyBackgroundPlan::interaction_pairs, py::arg("X"),
           py::arg("pairs_out"), py::arg("phi_out"), py::arg("n_threads"))
      .def_property_readonly("pairs", &PyBackgroundPlan::pairs)
      .def("get_tables", &PyBackgroundPlan::get_tables)
      .def("set_tables", &PyBackgroundPlan::set_tables, py::arg("state"))
      .def("build", &PyBackgroundPlan::build, py::arg("n_threads"))
      .def("expected_values", &PyBackgroundPlan::expected_values, py::arg("n_threads"))
      .def_property_readonly("summary", &PyBackgroundPlan::summary);
  plan.attr("methods") = pattern_methods();
}

}  // namespace leafshap
