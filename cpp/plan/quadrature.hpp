// Gauss-Legendre rules on [0, 1] and how many points a tree needs.
#pragma once

#include <span>
#include <vector>

#include "ir/tree.hpp"

namespace leafshap {

struct Quadrature {
  std::vector<double> points;   // t_k, increasing
  std::vector<double> weights;  // w_k, sum 1
};

// Exact for polynomials of degree 2 n_points - 1. Newton iteration on the Legendre polynomial.
Quadrature gauss_legendre(int n_points);

// Bounds the error of a leaf's integral for every row, in units of the leaf value.
//
// A factor of the integrand is z + (1-z) t where the row satisfies the feature's conditions and
// z (1-t) where it does not. Multiplied out, the integrand is a sum of terms t^a (1-t)^b with
// non-negative coefficients, and those of all terms of degree a + b = m add up to at most the
// coefficient of x^m in prod_j (z_j + max(z_j, 1-z_j) x), whatever the row. The sum of that
// coefficient times the worst error of the rule over the terms of degree m is the bound.
class QuadratureBound {
 public:
  // Paths with more features than this are bounded by the error of the highest degree alone, in
  // which every factor counts as 0, 1, t or 1 - t: their coefficients would cost too much.
  static constexpr int kLongPath = 64;

  // Smallest number of points, at least at_least, whose bound for a path with these zero
  // fractions z_j is at most tolerance; never more than the exact ceil(d / 2).
  int points_needed(std::span<const double> zero_fractions, int at_least, double tolerance);

  // The same for the longest of the paths with more than kLongPath features.
  int points_of_long_path(int n_distinct, int at_least, double tolerance);

 private:
  // Largest error of the rule over t^a (1-t)^b with a + b up to degree.
  double worst_error(int n_points, int degree);

  struct Rule {
    Quadrature quadrature;
    std::vector<double> errors;  // by degree
  };
  std::vector<Rule> rules_;  // by number of points
  std::vector<double> coefficients_;
};

// Points that a tree needs so that every leaf's bound holds.
int points_of_tree(const TreeEnsemble& ensemble, Index tree, double tolerance,
                   QuadratureBound& bound);

}  // namespace leafshap
