#include "plan/quadrature.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace leafshap {

Quadrature gauss_legendre(int n_points) {
  Quadrature rule{std::vector<double>(n_points), std::vector<double>(n_points)};
  for (int i = 0; i < n_points; ++i) {
    long double x = std::cos(std::numbers::pi_v<long double> * (i + 0.75L) / (n_points + 0.5L));
    long double slope = 1;
    for (int iteration = 0; iteration < 50; ++iteration) {
      long double p = 1, previous = 0;  // Legendre polynomials of degree j + 1 and j at x
      for (int j = 0; j < n_points; ++j) {
        const long double next = ((2 * j + 1) * x * p - j * previous) / (j + 1);
        previous = p;
        p = next;
      }
      slope = n_points * (x * p - previous) / (x * x - 1);
      const long double step = p / slope;
      x -= step;
      if (std::fabs(step) < 1e-18L) break;
    }
    const int place = n_points - 1 - i;  // x decreases with i
    rule.points[place] = static_cast<double>((1 + x) / 2);
    rule.weights[place] = static_cast<double>(1 / ((1 - x * x) * slope * slope));
  }
  return rule;
}

double worst_case_error(const Quadrature& rule, int degree) {
  double worst = 0;
  // Beta(a + 1, b + 1) = a! b! / (a + b + 1)!, from a = degree downwards; symmetric in a and b
  double exact = 1.0 / (degree + 1);
  for (int b = 0; 2 * b <= degree; ++b) {
    const int a = degree - b;
    double sum = 0;
    for (std::size_t k = 0; k < rule.points.size(); ++k) {
      const double t = rule.points[k];
      sum += rule.weights[k] * std::pow(t, a) * std::pow(1 - t, b);
    }
    worst = std::max(worst, std::fabs(sum - exact));
    exact *= (b + 1.0) / a;
  }
  return worst;
}

int points_needed(int n_distinct, double tolerance) {
  const int exact = std::max(1, (n_distinct + 1) / 2);
  // the error falls with the number of points: bisect
  int low = 1, high = exact;
  while (low < high) {
    const int middle = (low + high) / 2;
    const bool enough = worst_case_error(gauss_legendre(middle), n_distinct - 1) <= tolerance;
    (enough ? high : low) = enough ? middle : middle + 1;
  }
  return low;
}

}  // namespace leafshap
