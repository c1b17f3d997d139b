#include <cstring>
#include <string>

#include "bindings/bind.hpp"
#include "bindings/ensemble_handle.hpp"
#include "bindings/numpy.hpp"
#include "engine/cover_engine.hpp"
#include "engine/tree_engine.hpp"
#include "ir/builder.hpp"
#include "ir/statistics.hpp"

namespace leafshap {
namespace {

py::object field(const py::dict& arrays, const char* name) {
  if (!arrays.contains(name))
    throw InvalidModel(std::string("the field '") + name + "' is missing");
  return arrays[name];
}

// A 1-D array of exactly the stated type: converting silently could wrap or truncate indices.
template <typename Stored, typename Value>
std::vector<Value> vector_of(const py::dict& arrays, const char* name, int max_dimensions = 1) {
  static_assert(sizeof(Stored) == sizeof(Value));
  const py::object value = field(arrays, name);
  if (!py::isinstance<py::array_t<Stored>>(value)) {
    throw InvalidModel(std::string(name) + " must be an array of " +
                       py::str(py::dtype::of<Stored>()).cast<std::string>());
  }
  const auto array = py::array_t<Stored, py::array::c_style | py::array::forcecast>::ensure(value);
  if (!array || array.ndim() < 1 || array.ndim() > max_dimensions) {
    throw InvalidModel(std::string(name) + " has the wrong number of dimensions");
  }
  std::vector<Value> result(static_cast<std::size_t>(array.size()));
  if (!result.empty()) std::memcpy(result.data(), array.data(), result.size() * sizeof(Value));
  return result;
}

template <typename Value>
Value scalar(const py::dict& arrays, const char* name) {
  try {
    return field(arrays, name).cast<Value>();
  } catch (const py::cast_error&) {
    throw InvalidModel(std::string(name) + " has the wrong type");
  }
}

// Index of a named choice.
template <typename Enum>
Enum choice(const py::dict& arrays, const char* name, std::initializer_list<const char*> names) {
  const auto value = scalar<std::string>(arrays, name);
  int i = 0;
  for (const char* known : names) {
    if (value == known) return static_cast<Enum>(i);
    ++i;
  }
  throw InvalidModel(std::string(name) + " is '" + value + "', which is not a known choice");
}

constexpr auto kComparisons = {"<", "<="};
constexpr auto kPrecisions = {"float32", "float64"};
constexpr auto kCategoryRules = {"truncate", "nonnegative"};

EnsembleHandle from_arrays(const py::dict& arrays) {
  TreeEnsemble e;
  e.n_features = scalar<Index>(arrays, "n_features");
  e.n_outputs = scalar<OutputId>(arrays, "n_outputs");
  e.input.comparison = choice<Comparison>(arrays, "comparison", kComparisons);
  e.input.precision = choice<Precision>(arrays, "input_precision", kPrecisions);
  e.input.category_rule = choice<CategoryRule>(arrays, "category_rule", kCategoryRules);
  e.input.missing_value = scalar<double>(arrays, "missing_value");
  e.averaged = scalar<bool>(arrays, "averaged");
  e.tree_offsets = vector_of<std::int64_t, Index>(arrays, "tree_offsets");
  e.tree_output = vector_of<std::int32_t, OutputId>(arrays, "tree_output");
  e.tree_weight = vector_of<double, double>(arrays, "tree_weight");
  e.base_values = vector_of<double, double>(arrays, "base_values");
  e.split_feature = vector_of<std::int32_t, FeatureId>(arrays, "split_feature");
  e.left = vector_of<std::int32_t, NodeId>(arrays, "left");
  e.right = vector_of<std::int32_t, NodeId>(arrays, "right");
  e.threshold = vector_of<double, double>(arrays, "threshold");
  e.default_left = vector_of<bool, std::uint8_t>(arrays, "default_left");
  e.missing = vector_of<std::uint8_t, Missing>(arrays, "missing");
  e.split_kind = vector_of<std::uint8_t, SplitKind>(arrays, "categorical");
  e.category_offsets = vector_of<std::int64_t, Index>(arrays, "category_offsets");
  e.category_codes = vector_of<std::int32_t, std::int32_t>(arrays, "category_codes");
  if (!field(arrays, "cover").is_none()) {
    e.cover = vector_of<double, double>(arrays, "cover");
    e.has_cover = true;
  }
  e.vector_leaves = !e.tree_output.empty() && e.tree_output.front() == -1;
  e.leaf_values = vector_of<double, double>(arrays, "leaf_value", 2);
  const auto leaf_rows = static_cast<Index>(py::array(field(arrays, "leaf_value")).shape(0));
  if (leaf_rows != e.n_nodes()) {
    throw InvalidModel("leaf_value has " + std::to_string(leaf_rows) + " rows, expected " +
                       std::to_string(e.n_nodes()));
  }
  const py::gil_scoped_release released;
  return {build_ensemble(std::move(e))};
}

template <typename Stored, typename Value>
py::array_t<Stored> array_of(const std::vector<Value>& values) {
  static_assert(sizeof(Stored) == sizeof(Value));
  py::array_t<Stored> array(static_cast<py::ssize_t>(values.size()));
  if (!values.empty()) {
    std::memcpy(array.mutable_data(), values.data(), values.size() * sizeof(Value));
  }
  return array;
}

py::dict to_arrays(const EnsembleHandle& handle) {
  const TreeEnsemble& e = *handle.ensemble;
  py::dict arrays;
  arrays["n_features"] = e.n_features;
  arrays["n_outputs"] = e.n_outputs;
  arrays["comparison"] = kComparisons.begin()[static_cast<int>(e.input.comparison)];
  arrays["input_precision"] = kPrecisions.begin()[static_cast<int>(e.input.precision)];
  arrays["category_rule"] = kCategoryRules.begin()[static_cast<int>(e.input.category_rule)];
  arrays["missing_value"] = e.input.missing_value;
  arrays["averaged"] = e.averaged;
  arrays["tree_offsets"] = array_of<std::int64_t>(e.tree_offsets);
  arrays["tree_output"] = array_of<std::int32_t>(e.tree_output);
  arrays["tree_weight"] = array_of<double>(e.tree_weight);
  arrays["base_values"] = array_of<double>(e.base_values);
  arrays["split_feature"] = array_of<std::int32_t>(e.split_feature);
  arrays["left"] = array_of<std::int32_t>(e.left);
  arrays["right"] = array_of<std::int32_t>(e.right);
  arrays["threshold"] = array_of<double>(e.threshold);
  arrays["default_left"] = array_of<bool>(e.default_left);
  arrays["missing"] = array_of<std::uint8_t>(e.missing);
  arrays["categorical"] = array_of<std::uint8_t>(e.split_kind);
  arrays["category_offsets"] = array_of<std::int64_t>(e.category_offsets);
  arrays["category_codes"] = array_of<std::int32_t>(e.category_codes);
  arrays["cover"] = e.has_cover ? py::object(array_of<double>(e.cover)) : py::object(py::none());
  py::array leaf_value = array_of<double>(e.leaf_values);
  if (e.vector_leaves) leaf_value = leaf_value.reshape({e.n_nodes(), Index{e.n_outputs}});
  arrays["leaf_value"] = leaf_value;
  return arrays;
}

// WARNING: releases the GIL.
py::array_t<double> predict_rows(const EnsembleHandle& handle, const py::array& x, Index n_trees,
                                 int n_threads) {
  const TreeEnsemble& e = *handle.ensemble;
  const Rows rows = rows_of(x, e.n_features);
  n_trees = checked_trees(e, n_trees);
  check_threads(n_threads);
  py::array_t<double> out({static_cast<py::ssize_t>(x.shape(0)), py::ssize_t{e.n_outputs}});
  double* values = out.mutable_data();
  run_released([&](Cancellation& cancellation) {
    predict(e, n_trees, rows, values, n_threads, cancellation);
  });
  return out;
}

// WARNING: releases the GIL.
EnsembleHandle recounted(const EnsembleHandle& handle, const py::array& x,
                         const py::object& weights, int n_threads) {
  const TreeEnsemble& e = *handle.ensemble;
  const Rows rows = rows_of(x, e.n_features);
  if (x.shape(0) == 0) throw InvalidInput("X has no rows to count");
  const std::vector<double> checked = weights_of(weights, x.shape(0));
  check_threads(n_threads);
  EnsembleHandle counted;
  run_released([&](Cancellation& cancellation) {
    counted.ensemble = recount_cover(e, rows, checked, n_threads, cancellation);
  });
  return counted;
}

py::array_t<double> expected(const EnsembleHandle& handle, Index n_trees) {
  const TreeEnsemble& e = *handle.ensemble;
  if (!e.has_cover) throw Unsupported("the model carries no cover, so it has no expectation");
  return array_of<double>(expected_values(e, checked_trees(e, n_trees)));
}

}  // namespace

void bind_ensemble(py::module_& module) {
  py::class_<EnsembleHandle>(module, "Ensemble")
      .def(py::init(&from_arrays), py::arg("arrays"))
      .def("to_arrays", &to_arrays)
      .def("predict", &predict_rows, py::arg("X"), py::arg("n_trees") = -1,
           py::arg("n_threads") = 1)
      .def("recount_cover", &recounted, py::arg("X"), py::arg("weights"), py::arg("n_threads"))
      .def("expected_values", &expected, py::arg("n_trees") = -1)
      .def_property_readonly("n_trees",
                             [](const EnsembleHandle& h) { return h.ensemble->n_trees(); })
      .def_property_readonly("n_features",
                             [](const EnsembleHandle& h) { return h.ensemble->n_features; })
      .def_property_readonly("n_outputs",
                             [](const EnsembleHandle& h) { return h.ensemble->n_outputs; })
      .def_property_readonly("n_nodes",
                             [](const EnsembleHandle& h) { return h.ensemble->n_nodes(); })
      .def_property_readonly("n_leaves",
                             [](const EnsembleHandle& h) { return n_leaves(*h.ensemble); })
      .def_property_readonly("max_depth",
                             [](const EnsembleHandle& h) { return max_depth(*h.ensemble); })
      .def_property_readonly("has_cover",
                             [](const EnsembleHandle& h) { return h.ensemble->has_cover; })
      .def_property_readonly("has_categories",
                             [](const EnsembleHandle& h) { return h.ensemble->has_categories(); });
}

}  // namespace leafshap
