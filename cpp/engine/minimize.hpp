// Minimises a smooth function of many variables: L-BFGS (Nocedal 1980).
#pragma once

#include <functional>
#include <vector>

namespace leafshap {

// The value of a function at x, and its gradient there; infinite where there is none.
using Objective =
    std::function<double(const std::vector<double>& x, std::vector<double>& gradient)>;

// From x on, for at most n_iterations; no step changes a variable by more than longest_step.
std::vector<double> minimize(const Objective& objective, std::vector<double> x, int n_iterations,
                             double longest_step);

}  // namespace leafshap
