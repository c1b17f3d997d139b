#include "plan/quadrature.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

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

namespace {

// Largest error of the rule over t^a (1-t)^b with a + b = degree.
double largest_error(const Quadrature& rule, int degree) {
  if (degree < 2 * static_cast<int>(rule.points.size())) return 0;
  std::vector<double> terms = rule.weights;  // w t^a (1-t)^b
  for (std::size_t k = 0; k < terms.size(); ++k) terms[k] *= std::pow(rule.points[k], degree);
  double worst = 0;
  // Beta(a + 1, b + 1) = a! b! / (a + b + 1)!, from a = degree downwards; symmetric in a and b
  double exact = 1.0 / (degree + 1);
  for (int b = 0; 2 * b <= degree; ++b) {
    worst = std::max(worst, std::fabs(std::accumulate(terms.begin(), terms.end(), -exact)));
    exact *= (b + 1.0) / (degree - b);
    for (std::size_t k = 0; k < terms.size(); ++k) terms[k] *= 1 / rule.points[k] - 1;
  }
  return worst;
}

}  // namespace

double QuadratureBound::worst_error(int n_points, int degree) {
  while (static_cast<int>(rules_.size()) <= n_points) {
    const int n = static_cast<int>(rules_.size());
    rules_.push_back({n == 0 ? Quadrature{} : gauss_legendre(n), {}});
  }
  Rule& rule = rules_[n_points];
  while (static_cast<int>(rule.errors.size()) <= degree) {
    // a running maximum: the bound needs errors that do not fall with the degree
    const double before = rule.errors.empty() ? 0 : rule.errors.back();
    const int next = static_cast<int>(rule.errors.size());
    rule.errors.push_back(std::max(before, largest_error(rule.quadrature, next)));
  }
  return rule.errors[degree];
}

int QuadratureBound::points_needed(std::span<const double> zero_fractions, int at_least,
                                   double tolerance) {
  const int d = static_cast<int>(zero_fractions.size()), exact = (d + 1) / 2;
  if (at_least >= exact) return at_least;
  coefficients_.assign(1, 1.0);
  for (const double z : zero_fractions) {
    coefficients_.push_back(0);
    for (std::size_t m = coefficients_.size() - 1; m > 0; --m) {
      coefficients_[m] = z * coefficients_[m] + std::max(z, 1 - z) * coefficients_[m - 1];
    }
    coefficients_[0] *= z;
  }
  for (int n = at_least; n < exact; ++n) {
    // phi_i leaves one of the d factors out: the product over all of them bounds it
    double sum = 0;
    for (int m = 2 * n; m <= d; ++m) sum += coefficients_[m] * worst_error(n, std::min(m, d - 1));
    // the factors are convex combinations of 0, 1, t and 1 - t
    if (std::min(sum, worst_error(n, d - 1)) <= tolerance) return n;
  }
  return exact;
}

int QuadratureBound::points_of_long_path(int n_distinct, int at_least, double tolerance) {
  int low = at_least, high = std::max(at_least, (n_distinct + 1) / 2);
  while (low < high) {  // the error falls with the number of points
    const int middle = low + (high - low) / 2;
    const bool enough = largest_error(gauss_legendre(middle), n_distinct - 1) <= tolerance;
    (enough ? high : low) = enough ? middle : middle + 1;
  }
  return low;
}

int points_of_tree(const TreeEnsemble& e, Index tree, double tolerance, QuadratureBound& bound) {
  struct Visit {
    NodeId node;
    int stage;             // 0 enter, 1 go right, 2 leave
    bool added;            // first test of its feature on the path
    std::size_t place;     // of the node's feature in the path
    double zero_fraction;  // of the feature above the node
  };
  const Index offset = e.tree_offsets[tree];
  std::vector<FeatureId> features;     // distinct features of the path
  std::vector<double> zero_fractions;  // and their z
  std::vector<Visit> stack{{0, 0, false, 0, 1}};
  int n_points = 1, longest = 0;  // longest: of the paths too long for the finer bound
  while (!stack.empty()) {
    Visit& visit = stack.back();
    const Index global = offset + visit.node;
    if (e.left[global] == -1) {
      const int d = static_cast<int>(zero_fractions.size());
      if (d <= QuadratureBound::kLongPath) {
        n_points = bound.points_needed(zero_fractions, n_points, tolerance);
      } else {
        longest = std::max(longest, d);
      }
      stack.pop_back();
      continue;
    }
    if (visit.stage == 0) {
      const FeatureId feature = e.split_feature[global];
      const auto found = std::find(features.begin(), features.end(), feature);
      visit.place = static_cast<std::size_t>(found - features.begin());
      visit.added = found == features.end();
      if (visit.added) {
        features.push_back(feature);
        zero_fractions.push_back(1);
      }
      visit.zero_fraction = zero_fractions[visit.place];
    } else if (visit.stage == 2) {
      zero_fractions[visit.place] = visit.zero_fraction;
      if (visit.added) {
        features.pop_back();
        zero_fractions.pop_back();
      }
      stack.pop_back();
      continue;
    }
    const double ratio = e.left_ratio(offset, visit.node);
    const bool to_left = visit.stage++ == 0;
    zero_fractions[visit.place] = visit.zero_fraction * (to_left ? ratio : 1 - ratio);
    stack.push_back({to_left ? e.left[global] : e.right[global], 0, false, 0, 1});
  }
  return longest > 0 ? bound.points_of_long_path(longest, n_points, tolerance) : n_points;
}

}  // namespace leafshap
