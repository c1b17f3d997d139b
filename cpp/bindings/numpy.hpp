// numpy arrays in and out, and what runs without the GIL.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "engine/parallel.hpp"
#include "error.hpp"
#include "types.hpp"

namespace leafshap {

namespace py = pybind11;

// A 2-D C-contiguous float32 or float64 array as the core reads it; no copy is made.
inline Rows rows_of(const py::array& x, Index n_features, const std::string& name = "X") {
  if (x.ndim() != 2) {
    throw InvalidInput(name + " must be 2-D, got " + std::to_string(x.ndim()) + "-D");
  }
  if (x.shape(1) != n_features) {
    throw InvalidInput(name + " has " + std::to_string(x.shape(1)) + " columns, the model " +
                       std::to_string(n_features));
  }
  if (!(x.flags() & py::array::c_style)) throw InvalidInput(name + " must be C-contiguous");
  if (py::isinstance<py::array_t<float>>(x)) {
    return MatrixView<float>{static_cast<const float*>(x.data()), x.shape(0), x.shape(1)};
  }
  if (py::isinstance<py::array_t<double>>(x)) {
    return MatrixView<double>{static_cast<const double*>(x.data()), x.shape(0), x.shape(1)};
  }
  throw InvalidInput(name + " must be float32 or float64");
}

// A 1-D float64 array of finite numbers.
inline std::vector<double> numbers_of(const py::object& values, const std::string& name) {
  if (!py::isinstance<py::array_t<double>>(values)) {
    throw InvalidInput(name + " must be an array of float64");
  }
  const auto array = values.cast<py::array_t<double>>();
  if (array.ndim() != 1) throw InvalidInput(name + " must be 1-D");
  std::vector<double> numbers(static_cast<std::size_t>(array.size()));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = array.at(static_cast<py::ssize_t>(i));
    if (!std::isfinite(numbers[i])) throw InvalidInput(name + " holds a value that is not finite");
  }
  return numbers;
}

// Weights of n rows, not all 0; empty if None.
inline std::vector<double> weights_of(const py::object& values, Index n) {
  if (values.is_none()) return {};
  std::vector<double> weights = numbers_of(values, "weights");
  if (static_cast<Index>(weights.size()) != n) {
    throw InvalidInput("weights has " + std::to_string(weights.size()) + " entries for " +
                       std::to_string(n) + " rows");
  }
  bool positive = false;
  for (const double weight : weights) {
    if (weight < 0) throw InvalidInput("weights holds a negative value");
    positive |= weight > 0;
  }
  if (!positive) throw InvalidInput("weights are all 0");
  return weights;
}

// The memory of an array that is to be filled: C-contiguous, of T and of this shape.
template <typename T>
T* values_of(py::array& out, const char* name, std::initializer_list<Index> shape) {
  if (!py::isinstance<py::array_t<T>>(out) || !(out.flags() & py::array::c_style) ||
      !std::equal(shape.begin(), shape.end(), out.shape(), out.shape() + out.ndim())) {
    std::string sizes;
    for (const Index size : shape) sizes += (sizes.empty() ? "" : ", ") + std::to_string(size);
    throw InvalidInput(std::string(name) + " must be a C-contiguous array (" + sizes +
                       ") of the plan's dtype");
  }
  return static_cast<T*>(out.mutable_data());
}

// Pairs of features as an int32 array (P, 2).
inline py::array_t<std::int32_t> array_of_pairs(
    const std::vector<std::pair<FeatureId, FeatureId>>& pairs) {
  py::array_t<std::int32_t> out({static_cast<py::ssize_t>(pairs.size()), py::ssize_t{2}});
  std::int32_t* place = out.mutable_data();
  for (const auto& [first, second] : pairs) {
    *place++ = first;
    *place++ = second;
  }
  return out;
}

// Ctrl-C, looked for at most ten times a second, from the thread that called.
class KeyboardInterrupt final : public Cancellation {
 public:
  bool requested() override {
    const auto now = std::chrono::steady_clock::now();
    if (now < next_) return false;
    next_ = now + std::chrono::milliseconds(100);
    py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
  }

 private:
  std::chrono::steady_clock::time_point next_{};
};

// Runs work(cancellation) without the GIL; a signal handler's exception is raised as it is.
template <typename Work>
void run_released(Work&& work) {
  KeyboardInterrupt interrupt;
  try {
    py::gil_scoped_release released;
    work(interrupt);
  } catch (const Cancelled&) {
    throw py::error_already_set();
  }
}

inline void check_threads(int n_threads) {
  if (n_threads < 1) throw InvalidInput("n_threads must be at least 1");
}

}  // namespace leafshap
