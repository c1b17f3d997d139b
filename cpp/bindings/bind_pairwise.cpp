#include <cmath>
#include <memory>
#include <optional>
#include <variant>

#include "bindings/bind.hpp"
#include "bindings/ensemble_handle.hpp"
#include "bindings/numpy.hpp"
#include "engine/pairwise_engine.hpp"
#include "engine/tree_engine.hpp"

namespace leafshap {
namespace {

Output output_named(const std::string& name) {
  if (name == "raw") return Output::kRaw;
  if (name == "logistic") return Output::kLogistic;
  if (name == "exp") return Output::kExp;
  if (name == "logistic_loss") return Output::kLogisticLoss;
  if (name == "squared_loss") return Output::kSquaredLoss;
  throw InvalidInput("output is '" + name +
                     "', expected one of: raw, logistic, exp, logistic_loss, squared_loss");
}

// The plan of one precision, chosen at run time, and the background's margins.
class PyPairwisePlan {
 public:
  // WARNING: releases the GIL.
  PyPairwisePlan(const EnsembleHandle& handle, const std::string& dtype,
                 const py::array& background, const py::object& weights, Index n_trees,
                 const py::object& leaves) {
    const auto& ensemble = handle.ensemble;
    const TreeEnsemble& e = *ensemble;
    n_trees = checked_trees(e, n_trees);
    const Rows rows = rows_of(background, e.n_features, "background");
    const Index n_background = background.shape(0);
    if (n_background == 0) throw InvalidInput("background has no rows");
    const std::vector<double> checked = weights_of(weights, n_background);
    const std::vector<bool> chosen = leaves_of(leaves, e);
    if (dtype != "float64" && dtype != "float32") {
      throw InvalidInput("dtype must be 'float64' or 'float32', got '" + dtype + "'");
    }
    margins_.resize(static_cast<std::size_t>(n_background * e.n_outputs));
    run_released([&](Cancellation& cancellation) {
      if (dtype == "float64") {
        plan_ = std::make_unique<PairwisePlan<double>>(ensemble, n_trees, rows, checked, chosen);
      } else {
        plan_ = std::make_unique<PairwisePlan<float>>(ensemble, n_trees, rows, checked, chosen);
      }
      predict(e, n_trees, rows, margins_.data(), max_threads(), cancellation);
    });
  }

  // WARNING: releases the GIL.
  void shap_values(const py::array& x, py::array out, int n_threads, const std::string& output,
                   const py::object& y, bool add) const {
    check_threads(n_threads);
    OutputTransform transform{output_named(output), nullptr, margins_.data()};
    const bool is_loss =
        transform.output == Output::kLogisticLoss || transform.output == Output::kSquaredLoss;
    if (is_loss == y.is_none()) {
      throw InvalidInput(is_loss ? "output '" + output + "' needs y, the labels of the rows"
                                 : "y has no meaning for output '" + output + "'");
    }
    const std::vector<double> labels = is_loss ? labels_of(y, x) : std::vector<double>();
    if (is_loss) transform.y = labels.data();
    std::visit(
        [&](const auto& plan) {
          using T = typename std::decay_t<decltype(*plan)>::Value;
          const TreeEnsemble& e = plan->ensemble();
          const Rows rows = rows_of(x, e.n_features);
          if (add && py::isinstance<py::array_t<double>>(out)) {
            run(*plan, rows, transform,
                values_of<double>(out, "out", {x.shape(0), e.n_features, e.n_outputs}), add,
                n_threads);
          } else {
            run(*plan, rows, transform,
                values_of<T>(out, "out", {x.shape(0), e.n_features, e.n_outputs}), add, n_threads);
          }
        },
        plan_);
  }

  py::array_t<double> expected_values() const {
    return std::visit(
        [&](const auto& plan) {
          const OutputId n_outputs = plan->ensemble().n_outputs;
          py::array_t<double> mean(py::ssize_t{n_outputs});
          for (OutputId k = 0; k < n_outputs; ++k) {
            double sum = 0;
            for (Index b = 0; b < plan->n_background(); ++b) {
              sum += plan->weights()[b] * margins_[b * n_outputs + k];
            }
            mean.mutable_at(k) = sum;
          }
          return mean;
        },
        plan_);
  }

 private:
  static std::vector<bool> leaves_of(const py::object& leaves, const TreeEnsemble& e) {
    if (leaves.is_none()) return {};
    if (!py::isinstance<py::array_t<bool>>(leaves)) {
      throw InvalidInput("leaves must be an array of bool");
    }
    const auto array = leaves.cast<py::array_t<bool>>();
    if (array.ndim() != 1 || array.shape(0) != e.n_nodes()) {
      throw InvalidInput("leaves must have one entry for each node");
    }
    std::vector<bool> chosen(static_cast<std::size_t>(e.n_nodes()));
    for (Index node = 0; node < e.n_nodes(); ++node) chosen[node] = array.at(node);
    return chosen;
  }

  static std::vector<double> labels_of(const py::object& y, const py::array& x) {
    std::vector<double> labels = numbers_of(y, "y");
    if (static_cast<Index>(labels.size()) != x.shape(0)) {
      throw InvalidInput("y has " + std::to_string(labels.size()) + " entries, X " +
                         std::to_string(x.shape(0)) + " rows");
    }
    return labels;
  }

  template <typename T, typename Out>
  static void run(const PairwisePlan<T>& plan, const Rows& rows, const OutputTransform& transform,
                  Out* out, bool add, int n_threads) {
    run_released([&](Cancellation& cancellation) {
      explain_pairwise(plan, rows, transform, out, add, n_threads, cancellation);
    });
  }

  std::variant<std::unique_ptr<PairwisePlan<double>>, std::unique_ptr<PairwisePlan<float>>> plan_;
  std::vector<double> margins_;  // (m, K)
};

}  // namespace

void bind_pairwise(py::module_& module) {
  py::class_<PyPairwisePlan>(module, "PairwisePlan")
      .def(py::init<const EnsembleHandle&, const std::string&, const py::array&, const py::object&,
                    Index, const py::object&>(),
           py::arg("ensemble"), py::arg("dtype"), py::arg("background"), py::arg("weights"),
           py::arg("n_trees") = -1, py::arg("leaves") = py::none())
      .def("shap_values", &PyPairwisePlan::shap_values, py::arg("X"), py::arg("out"),
           py::arg("n_threads"), py::arg("output") = "raw", py::arg("y") = py::none(),
           py::arg("add") = false)
      .def_property_readonly("expected_values", &PyPairwisePlan::expected_values);
}

}  // namespace leafshap
