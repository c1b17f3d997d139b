// The core's exceptions; bindings/module.cpp maps each to one Python class.
#pragma once

#include <stdexcept>
#include <string>

namespace leafshap {

// A model that contradicts itself (bad child index, cycle, non-finite threshold, ...).
struct InvalidModel : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// Data or an argument that does not fit the model or the call.
struct InvalidInput : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

// A request that the core does not represent.
struct Unsupported : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The user asked to stop (Ctrl-C); the result is discarded.
struct Cancelled : std::exception {
  const char* what() const noexcept override { return "cancelled"; }
};

}  // namespace leafshap
