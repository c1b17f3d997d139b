#include <pybind11/pybind11.h>

#include "bindings/bind.hpp"
#include "error.hpp"

namespace py = pybind11;

namespace {

// The one table from the core's exceptions to leafshap.errors.
void translate(std::exception_ptr error) {
  const auto raise = [](const char* name, const std::exception& e) {
    py::set_error(py::module_::import("leafshap.errors").attr(name), e.what());
  };
  try {
    if (error) std::rethrow_exception(error);
  } catch (const leafshap::InvalidModel& e) {
    raise("InvalidModelError", e);
  } catch (const leafshap::InvalidInput& e) {
    raise("InvalidInputError", e);
  } catch (const leafshap::Unsupported& e) {
    raise("UnsupportedModelError", e);
  }
}

}  // namespace

PYBIND11_MODULE(_core, module, py::mod_gil_not_used()) {
  module.doc() = "The compiled core of leafshap.";
  py::register_local_exception_translator(&translate);
  leafshap::bind_ensemble(module);
  leafshap::bind_coalitions(module);
  leafshap::bind_game(module);
  leafshap::bind_pairwise(module);
  leafshap::bind_plan(module);
  leafshap::bind_background(module);
  leafshap::bind_responses(module);
  leafshap::bind_runtime(module);
  leafshap::bind_synthetic_rows(module);
}
