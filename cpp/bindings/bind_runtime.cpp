#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "bindings/bind.hpp"
#include "engine/dispatch.hpp"
#include "engine/parallel.hpp"

namespace py = pybind11;

namespace leafshap {
namespace {

py::dict build_info() {
  py::dict info;
  info["version"] = LEAFSHAP_VERSION;
  info["compiler"] = LEAFSHAP_COMPILER;
  info["build_type"] = LEAFSHAP_BUILD_TYPE;
  info["isa"] = kernels().isa;
  info["available_isas"] = available_isas();
#ifdef _OPENMP
  info["openmp"] = true;
#else
  info["openmp"] = false;
#endif
  info["max_threads"] = max_threads();
  return info;
}

}  // namespace

void bind_runtime(py::module_& module) {
  module.attr("__version__") = LEAFSHAP_VERSION;
  module.def("build_info", &build_info);
  module.def("set_isa", &force_isa, py::arg("name"));
}

}  // namespace leafshap
