#include <string>

#include "bindings/bind.hpp"
#include "bindings/numpy.hpp"
#include "engine/synthetic_rows.hpp"

namespace leafshap {
namespace {

// A C-contiguous array of T with as many dimensions.
template <typename T>
const T* array_data(const py::array& values, const char* name, py::ssize_t n_dimensions) {
  if (!py::isinstance<py::array_t<T>>(values) || values.ndim() != n_dimensions ||
      !(values.flags() & py::array::c_style)) {
    throw InvalidInput(std::string(name) + " must be a C-contiguous array of " +
                       std::to_string(n_dimensions) + " dimensions and the documented dtype");
  }
  return static_cast<const T*>(values.data());
}

void check_range(const Index* values, Index n, Index end, const char* name) {
  for (Index i = 0; i < n; ++i) {
    if (values[i] < 0 || values[i] >= end) {
      throw InvalidInput(std::string(name) + "[" + std::to_string(i) + "] is " +
                         std::to_string(values[i]) + ", not in [0, " + std::to_string(end) + ")");
    }
  }
}

// The caller's rows as bytes: a C-contiguous matrix of values that hold no reference.
const std::byte* matrix_data(const py::array& values, const py::dtype& dtype, Index n_columns,
                             const char* name) {
  constexpr char kHoldsReferences = 1;  // NPY_ITEM_REFCOUNT
  if (values.ndim() != 2 || !(values.flags() & py::array::c_style) ||
      values.shape(1) != n_columns || !values.dtype().equal(dtype) ||
      (static_cast<char>(dtype.flags()) & kHoldsReferences) != 0) {
    throw InvalidInput(std::string(name) + " must be a C-contiguous matrix of " +
                       std::to_string(n_columns) +
                       " columns and the background's dtype, without objects");
  }
  return static_cast<const std::byte*>(values.data());
}

// WARNING: releases the GIL.
void mix(const py::array& background, const py::array& explained, const py::array& rows,
         const py::array& coalitions, const py::array& players, Index first_cell, py::array& out) {
  const py::dtype dtype = background.dtype();
  const Index n_columns = players.size();
  const std::byte* b = matrix_data(background, dtype, n_columns, "background");
  const std::byte* x = matrix_data(explained, dtype, n_columns, "explained");
  matrix_data(out, dtype, n_columns, "out");
  const Index n_background = background.shape(0);
  const Index n_cells = n_background == 0 ? 0 : out.shape(0) / n_background;
  if (out.shape(0) != n_cells * n_background) {
    throw InvalidInput("out must have a row for each cell and background row");
  }
  const auto* members =
      reinterpret_cast<const std::uint8_t*>(array_data<bool>(coalitions, "coalitions", 2));
  const Index n_all = coalitions.shape(0) * rows.size();
  if (first_cell < 0 || first_cell > n_all || n_cells > n_all - first_cell) {
    throw InvalidInput("the cells are " + std::to_string(n_all) + ", and out is for " +
                       std::to_string(n_cells) + " from " + std::to_string(first_cell));
  }
  const Cells cells{first_cell,
                    first_cell + n_cells,
                    rows.size(),
                    n_background,
                    n_columns,
                    coalitions.shape(1),
                    array_data<Index>(rows, "rows", 1),
                    members,
                    array_data<Index>(players, "players", 1)};
  check_range(cells.rows, cells.n_rows, explained.shape(0), "rows");
  check_range(cells.players, n_columns, cells.n_players + 1, "players");
  const MixedValues values{dtype.itemsize(), b, x, static_cast<std::byte*>(out.mutable_data())};
  py::gil_scoped_release released;
  mix_rows(cells, values);
}

template <typename T>
bool mean_of(const py::array& outputs, std::span<const double> weights, double* out) {
  const OutputsView<T> view{static_cast<const std::byte*>(outputs.data()),
                            outputs.shape(0),
                            outputs.shape(2),
                            outputs.strides(0),
                            outputs.strides(1),
                            outputs.strides(2)};
  py::gil_scoped_release released;
  return weighted_mean(view, weights, out);
}

// WARNING: releases the GIL.
std::pair<py::array_t<double>, bool> mean(const py::array& outputs, const py::array& weights) {
  if (outputs.ndim() != 3) throw InvalidInput("outputs must be (cells, background rows, outputs)");
  const double* w = array_data<double>(weights, "weights", 1);
  if (weights.size() == 0 || weights.size() != outputs.shape(1)) {
    throw InvalidInput("weights must be one for each background row");
  }
  py::array_t<double> out({outputs.shape(0), outputs.shape(2)});
  const std::span<const double> span(w, static_cast<std::size_t>(weights.size()));
  if (py::isinstance<py::array_t<double>>(outputs)) {
    return {out, mean_of<double>(outputs, span, out.mutable_data())};
  }
  if (py::isinstance<py::array_t<float>>(outputs)) {
    return {out, mean_of<float>(outputs, span, out.mutable_data())};
  }
  throw InvalidInput("outputs must be float32 or float64");
}

}  // namespace

void bind_synthetic_rows(py::module_& module) {
  module.def("mix_rows", &mix, py::arg("background"), py::arg("explained"), py::arg("rows"),
             py::arg("coalitions"), py::arg("players"), py::arg("first_cell"), py::arg("out"));
  module.def("weighted_mean", &mean, py::arg("outputs"), py::arg("weights"));
}

}  // namespace leafshap
