// One function per noun; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace leafshap {

void bind_coalitions(pybind11::module_& module);
void bind_ensemble(pybind11::module_& module);
void bind_background(pybind11::module_& module);
void bind_game(pybind11::module_& module);
void bind_pairwise(pybind11::module_& module);
void bind_plan(pybind11::module_& module);
void bind_responses(pybind11::module_& module);
void bind_runtime(pybind11::module_& module);
void bind_synthetic_rows(pybind11::module_& module);

}  // namespace leafshap
