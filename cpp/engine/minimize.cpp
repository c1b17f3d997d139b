#include "engine/minimize.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <numeric>
#include <utility>

namespace leafshap {
namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void add_scaled(Vector& a, double scale, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += scale * b[i];
}

Vector difference(const Vector& a, const Vector& b) {
  Vector out = a;
  add_scaled(out, -1.0, b);
  return out;
}

// The last steps and what they did to the gradient: an estimate of the inverse Hessian.
class Memory {
 public:
  void add(Vector step, Vector change) {
    const double curvature = dot(step, change);
    if (!(curvature > 1e-10 * dot(change, change))) return;
    pairs_.push_back({std::move(step), std::move(change), 1 / curvature});
    if (pairs_.size() > kMost) pairs_.pop_front();
  }

  // The two-loop recursion.
  Vector descent(const Vector& gradient) const {
    Vector direction = gradient;
    Vector alpha(pairs_.size());
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      alpha[i] = pairs_[i].inverse_curvature * dot(pairs_[i].step, direction);
      add_scaled(direction, -alpha[i], pairs_[i].change);
    }
    if (!pairs_.empty()) {
      const Pair& last = pairs_.back();
      const double scale = 1 / (last.inverse_curvature * dot(last.change, last.change));
      for (double& d : direction) d *= scale;
    }
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const double beta = pairs_[i].inverse_curvature * dot(pairs_[i].change, direction);
      add_scaled(direction, alpha[i] - beta, pairs_[i].step);
    }
    for (double& d : direction) d = -d;
    return direction;
  }

 private:
  static constexpr std::size_t kMost = 8;
  struct Pair {
    Vector step, change;
    double inverse_curvature;
  };
  std::deque<Pair> pairs_;
};

}  // namespace

std::vector<double> minimize(const Objective& objective, std::vector<double> x, int n_iterations,
                             double longest_step) {
  constexpr double kEnough = 1e-4, kTolerance = 1e-2;
  constexpr int kHalvings = 12;
  Vector gradient(x.size());
  double value = objective(x, gradient);
  Memory memory;
  for (int iteration = 0; iteration < n_iterations && std::isfinite(value); ++iteration) {
    Vector direction = memory.descent(gradient);
    double slope = dot(direction, gradient);
    if (!(slope < 0)) return x;
    double longest = 0;
    for (const double d : direction) longest = std::max(longest, std::fabs(d));
    double step = std::min(1.0, longest_step / longest);
    Vector next, next_gradient(x.size());
    double next_value = value;
    bool lower = false;
    for (int halving = 0; halving < kHalvings && !lower; ++halving, step *= 0.5) {
      next = x;
      add_scaled(next, step, direction);
      next_value = objective(next, next_gradient);
      lower = next_value <= value + kEnough * step * slope;  // false for NaN
    }
    if (!lower) return x;
    const double gain = value - next_value;
    memory.add(difference(next, x), difference(next_gradient, gradient));
    x = std::move(next);
    gradient = std::move(next_gradient);
    value = next_value;
    if (gain < kTolerance) return x;
  }
  return x;
}

}  // namespace leafshap
