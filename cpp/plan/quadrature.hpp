// Gauss-Legendre rules on [0, 1] and how many points a path needs.
#pragma once

#include <vector>

namespace leafshap {

struct Quadrature {
  std::vector<double> points;   // t_k, increasing
  std::vector<double> weights;  // w_k, sum 1
};

// Exact for polynomials of degree 2 n_points - 1. Newton iteration on the Legendre polynomial.
Quadrature gauss_legendre(int n_points);

// The largest error of an n_points rule over t^a (1-t)^b with a + b = degree. The integrand of a
// leaf (docs/maths.md) is a convex combination of such terms with a + b up to d - 1, whatever the
// cover ratios and the row, so this times |leaf value| bounds the leaf's error for every row.
double worst_case_error(const Quadrature& rule, int degree);

// The smallest number of points whose worst-case error is at most tolerance for paths of up to
// n_distinct features; never more than the exact ceil(n_distinct / 2).
int points_needed(int n_distinct, double tolerance);

}  // namespace leafshap
