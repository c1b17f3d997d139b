// numpy arrays in and out, and what runs without the GIL.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <chrono>
#include <string>

#include "engine/parallel.hpp"
#include "error.hpp"
#include "types.hpp"

namespace leafshap {

namespace py = pybind11;

// A 2-D C-contiguous float32 or float64 array as the core reads it; no copy is made.
inline Rows rows_of(const py::array& x, Index n_features) {
  if (x.ndim() != 2) throw InvalidInput("X must be 2-D, got " + std::to_string(x.ndim()) + "-D");
  if (x.shape(1) != n_features) {
    throw InvalidInput("X has " + std::to_string(x.shape(1)) + " columns, the model " +
                       std::to_string(n_features));
  }
  if (!(x.flags() & py::array::c_style)) throw InvalidInput("X must be C-contiguous");
  if (py::isinstance<py::array_t<float>>(x)) {
    return MatrixView<float>{static_cast<const float*>(x.data()), x.shape(0), x.shape(1)};
  }
  if (py::isinstance<py::array_t<double>>(x)) {
    return MatrixView<double>{static_cast<const double*>(x.data()), x.shape(0), x.shape(1)};
  }
  throw InvalidInput("X must be float32 or float64");
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
