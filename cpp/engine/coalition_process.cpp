#include "engine/coalition_process.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "engine/linear_algebra.hpp"
#include "engine/minimize.hpp"
#include "plan/quadrature.hpp"

namespace leafshap {
namespace {

// Nuggets, as shares of a value's variance. The process need not pass exactly through the values of
// a game whose high orders it cannot explain (of the variance without first order); matrices must
// stay well conditioned (of all the variance). The full coalition has only the latter, so that
// values add up.
constexpr double kNugget = 1e-6, kRounding = 1e-10;
// Variance of the even part's constant: as good as unknown.
constexpr double kConstantVariance = 1e3;
// Relevances are learned from at most clamp(4 M, these) pairs; more cost time and tell little more.
constexpr std::size_t kLeastPairs = 256, kMostPairs = 512;
constexpr int kIterations = 12;
// Logarithms of relevances start here, are drawn towards their mean, and that towards the start.
constexpr double kStart = -2.3, kSpread = 0.1, kDrift = 0.01, kLongestStep = 1.5;
// Points of the integrals: exact for M players with M / 2, but what is integrated is much like
// exp(D x), for which 10 + 3 sqrt(D) leave less than 1e-9 (M to 3,000, a_j from 0.1 to 3).
constexpr double kPoints = 10, kPointsPerRoot = 3;
// Variances are drawn towards their mean over the players by this share: a player that was learned
// not to matter would else have next to none, which a small sample cannot know.
constexpr double kSharedVariance = 0.2;

// The covariance's parameters: a_j, and how much more a player's own variance is than what the
// product says (sums of many terms have more first order than any product).
struct Relevance {
  std::vector<double> a;
  double linear;

  double sum() const { return std::accumulate(a.begin(), a.end(), 0.0); }
};

Relevance relevance_of(const std::vector<double>& logarithms) {
  Relevance out{logarithms, std::exp(logarithms.back())};
  out.a.pop_back();
  for (double& a : out.a) a = std::exp(a);
  return out;
}

// One game: signs of its coalitions, the full one last, and its values there, in units of the
// largest odd one; the even ones without their mean.
struct Observations {
  Matrix signs;  // (n, M)
  std::vector<double> odd, even;
  double unit = 1;

  std::size_t n() const { return signs.n_rows(); }
  std::size_t n_players() const { return signs.n_columns(); }
};

// sum_j a_j s_j t_j for all pairs of coalitions.
Matrix agreement(const Matrix& signs, const Relevance& relevance) {
  Matrix scaled(signs.n_rows(), signs.n_columns());
  for (std::size_t i = 0; i < signs.n_rows(); ++i) {
    for (std::size_t j = 0; j < signs.n_columns(); ++j) {
      scaled.row(i)[j] = signs.row(i)[j] * relevance.a[j];
    }
  }
  return product(scaled, transposed(signs));
}

// own: the variance of the product's part of a value; the last row is the full coalition.
void add_nugget(Matrix& k, double own) {
  const std::size_t last = k.n_rows() - 1;
  const double rounding = kRounding * k.row(last)[last];
  for (std::size_t i = 0; i < last; ++i) k.row(i)[i] += kNugget * own + rounding;
  k.row(last)[last] += rounding;
}

// Minus the logarithm of the marginal likelihood, without constants, of the two parts of a game.
// The product is exp(dot - D) up to a factor, with D = sum_j a_j; its odd part is
// exp(-D) sinh(dot), the even part has cosh.
class Evidence {
 public:
  Evidence(const Observations& game, const Stop& stop) : game_(game), stop_(stop) {}

  double operator()(const std::vector<double>& logarithms, std::vector<double>& gradient) const {
    if (stop_()) return std::numeric_limits<double>::infinity();
    const std::size_t n = game_.n(), m = game_.n_players();
    const Relevance relevance = relevance_of(logarithms);
    const double total = relevance.sum();
    const Matrix dot = agreement(game_.signs, relevance);
    Matrix sinh(n, n), cosh(n, n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        const double agree = std::exp(dot.row(i)[j] - total);
        const double differ = std::exp(-dot.row(i)[j] - total);
        sinh.row(i)[j] = sinh.row(j)[i] = 0.5 * (agree - differ);
        cosh.row(i)[j] = cosh.row(j)[i] = 0.5 * (agree + differ);
      }
    }
    std::fill(gradient.begin(), gradient.end(), 0.0);
    double value = add_part(game_.odd, sinh, cosh, relevance.linear, &dot, 0.0, gradient);
    value += add_part(game_.even, cosh, sinh, 0.0, nullptr, kConstantVariance, gradient);
    for (std::size_t j = 0; j < m; ++j) gradient[j] *= relevance.a[j];
    gradient[m] *= relevance.linear;
    return value + add_prior(logarithms, gradient);
  }

 private:
  // One part: K = own + linear dot + constant + nugget, and dK/da_j = (other + linear) s_j t_j -
  // own. The likelihood's scale is the best one.
  double add_part(const std::vector<double>& y, const Matrix& own, const Matrix& other,
                  double linear, const Matrix* dot, double constant,
                  std::vector<double>& gradient) const {
    const std::size_t n = game_.n(), m = game_.n_players();
    Matrix k(n, n);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        k.row(i)[j] = own.row(i)[j] + constant + (dot == nullptr ? 0 : linear * dot->row(i)[j]);
      }
    }
    add_nugget(k, own.row(0)[0]);
    const Cholesky factor(std::move(k));
    if (!factor.ok()) return std::numeric_limits<double>::infinity();
    Matrix weight = factor.inverse();
    std::vector<double> alpha(n);
    double q = 0;
    for (std::size_t i = 0; i < n; ++i) {
      alpha[i] = std::inner_product(y.begin(), y.end(), weight.row(i), 0.0);
      q += alpha[i] * y[i];
    }
    if (!(q > 0)) return 0;  // a part that is 0 everywhere tells nothing
    const auto count = static_cast<double>(n);
    // weight = d value / d K, then times what d K / d a_j has beside s_j t_j
    double own_sum = 0, dot_sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      double* row = weight.row(i);
      for (std::size_t j = 0; j < n; ++j) {
        const double w = 0.5 * (row[j] - count / q * alpha[i] * alpha[j]);
        own_sum += w * own.row(i)[j];
        if (dot != nullptr) dot_sum += w * dot->row(i)[j];
        row[j] = w * (other.row(i)[j] + linear);
      }
    }
    const Matrix weighted = product(weight, game_.signs);
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < m; ++j) {
        gradient[j] += game_.signs.row(i)[j] * weighted.row(i)[j];
      }
    }
    for (std::size_t j = 0; j < m; ++j) gradient[j] -= own_sum;
    gradient[m] += dot_sum;
    return 0.5 * count * std::log(q / count) + 0.5 * factor.log_determinant();
  }

  double add_prior(const std::vector<double>& logarithms, std::vector<double>& gradient) const {
    const std::size_t m = game_.n_players();
    const double mean =
        std::accumulate(logarithms.begin(), logarithms.end() - 1, 0.0) / static_cast<double>(m);
    const double drift = mean - kStart;
    double value = 0.5 * kDrift * drift * drift;
    for (std::size_t j = 0; j < m; ++j) {
      const double d = logarithms[j] - mean;
      value += 0.5 * kSpread * d * d;
      gradient[j] += kSpread * d + kDrift * drift / static_cast<double>(m);
    }
    value += 0.5 * kDrift * logarithms[m] * logarithms[m];
    gradient[m] += kDrift * logarithms[m];
    return value;
  }

  const Observations& game_;
  const Stop& stop_;
};

// The Shapley values' covariance with the observations, and their own variances.
//
//   cov(phi_i, g(s)) = c int_{-1}^{1} lambda_i s_i prod_{j != i} (1 + lambda_j s_j x) dx
//   var(phi_i)       = c int int lambda_i prod_{j != i} (1 + lambda_j x y) dx dy
//
// over Owen's multilinear extension, x = 2 t - 1, with c = prod_j (1 + exp(-2 a_j)) / 2, by which
// exp(dot - D) is prod_j (1 + lambda_j s_j t_j). The linear part adds 2 a_i s_i and 4 a_i.
class ShapleyCovariance {
 public:
  ShapleyCovariance(const Relevance& relevance, const Quadrature& rule)
      : relevance_(relevance), rule_(rule), lambda_(relevance.a.size()) {
    for (std::size_t j = 0; j < lambda_.size(); ++j) {
      lambda_[j] = std::tanh(relevance.a[j]);
      log_scale_ += std::log1p(std::exp(-2 * relevance.a[j])) - std::log(2.0);
    }
  }

  // Into the first M columns of out, (n, M) signs.
  void with(const Matrix& signs, Matrix& out) const {
    const std::size_t m = lambda_.size();
    for (std::size_t i = 0; i < signs.n_rows(); ++i) {
      for (std::size_t j = 0; j < m; ++j) {
        out.row(i)[j] = 2 * relevance_.linear * relevance_.a[j] * signs.row(i)[j];
      }
    }
    std::vector<double> factor(2 * m), logarithm(2 * m);  // by player, outside and inside
    for (std::size_t k = 0; k < rule_.points.size(); ++k) {
      const double x = 2 * rule_.points[k] - 1;
      for (std::size_t j = 0; j < m; ++j) {
        for (std::size_t inside = 0; inside < 2; ++inside) {
          const double signed_lambda = inside == 1 ? lambda_[j] : -lambda_[j];
          factor[2 * j + inside] = 2 * rule_.weights[k] * signed_lambda / (1 + signed_lambda * x);
          logarithm[2 * j + inside] = std::log1p(signed_lambda * x);
        }
      }
      for (std::size_t i = 0; i < signs.n_rows(); ++i) {
        const double* sign = signs.row(i);
        double sum = log_scale_;
        for (std::size_t j = 0; j < m; ++j) sum += logarithm[2 * j + (sign[j] > 0 ? 1 : 0)];
        const double whole = std::exp(sum);
        double* row = out.row(i);
        for (std::size_t j = 0; j < m; ++j) row[j] += whole * factor[2 * j + (sign[j] > 0 ? 1 : 0)];
      }
    }
  }

  std::vector<double> variances() const {
    const std::size_t m = lambda_.size();
    std::vector<double> out(m);
    for (std::size_t j = 0; j < m; ++j) out[j] = 4 * relevance_.linear * relevance_.a[j];
    for (std::size_t k = 0; k < rule_.points.size(); ++k) {
      for (std::size_t l = 0; l < rule_.points.size(); ++l) {
        const double xy = (2 * rule_.points[k] - 1) * (2 * rule_.points[l] - 1);
        double sum = log_scale_;
        for (std::size_t j = 0; j < m; ++j) sum += std::log1p(lambda_[j] * xy);
        const double whole = 4 * rule_.weights[k] * rule_.weights[l] * std::exp(sum);
        for (std::size_t j = 0; j < m; ++j) out[j] += whole * lambda_[j] / (1 + lambda_[j] * xy);
      }
    }
    return out;
  }

 private:
  const Relevance& relevance_;
  const Quadrature& rule_;
  std::vector<double> lambda_;
  double log_scale_ = 0;
};

int points_for(std::size_t n_players, double sum_of_relevances) {
  const auto exact = static_cast<double>((n_players + 1) / 2);
  return static_cast<int>(std::min(exact, kPoints + kPointsPerRoot * std::sqrt(sum_of_relevances)));
}

class ProcessWorker {
 public:
  ProcessWorker(const CoalitionData& data, const double* even, const double* even_full, double* phi,
                double* errors)
      : data_(data), even_(even), even_full_(even_full), phi_(phi), errors_(errors) {}

  void operator()(Index game, const Stop& stop) {
    game_ = game;
    const auto m = static_cast<std::size_t>(data_.n_players);
    for (std::size_t i = 0; i < m; ++i) value(phi_, i) = value(errors_, i) = 0;
    const Observations all = observe(data_.n_pairs);
    if (std::all_of(all.odd.begin(), all.odd.end(), [](double y) { return y == 0; })) return;
    const Relevance relevance = learn(stop);
    if (stop()) return;
    infer(all, relevance);
  }

 private:
  double& value(double* array, std::size_t player) const {
    return array[static_cast<Index>(player) * data_.n_games + game_];
  }

  // n pairs, evenly spaced in the design.
  Observations observe(Index n) const {
    const auto m = static_cast<std::size_t>(data_.n_players);
    const auto count = static_cast<std::size_t>(n);
    Observations out{Matrix(count + 1, m), std::vector<double>(count + 1),
                     std::vector<double>(count + 1), 1};
    for (std::size_t i = 0; i < count; ++i) {
      const Index pair = static_cast<Index>(i) * data_.n_pairs / n;
      for (std::size_t j = 0; j < m; ++j) {
        out.signs.row(i)[j] =
            data_.members[pair * data_.n_players + static_cast<Index>(j)] != 0 ? 1 : -1;
      }
      out.odd[i] = data_.odd[pair * data_.n_games + game_];
      out.even[i] = even_[pair * data_.n_games + game_];
    }
    std::fill_n(out.signs.row(count), m, 1.0);
    out.odd[count] = data_.odd_full[game_];
    out.even[count] = even_full_[game_];
    const double mean = std::accumulate(out.even.begin(), out.even.end(), 0.0) /
                        static_cast<double>(out.even.size());
    double largest = 0;
    for (const double y : out.odd) largest = std::max(largest, std::fabs(y));
    if (largest > 0) out.unit = largest;
    for (double& y : out.odd) y /= out.unit;
    for (double& y : out.even) y = (y - mean) / out.unit;
    return out;
  }

  Relevance learn(const Stop& stop) const {
    const auto m = static_cast<std::size_t>(data_.n_players);
    const std::size_t most = std::clamp(4 * m, kLeastPairs, kMostPairs);
    const Observations some = observe(std::min(data_.n_pairs, static_cast<Index>(most)));
    std::vector<double> start(m + 1, kStart);
    start[m] = 0;
    return relevance_of(minimize(Evidence(some, stop), start, kIterations, kLongestStep));
  }

  // With K = L L': phi = (L^-1 C)' (L^-1 y), and the variance left is var(phi) - |L^-1 C|^2, times
  // the scale q / n of the process; of the n observations M have gone into the relevances.
  void infer(const Observations& all, const Relevance& relevance) {
    const std::size_t n = all.n(), m = all.n_players();
    const double total = relevance.sum();
    Matrix k = agreement(all.signs, relevance);
    for (std::size_t i = 0; i < n; ++i) {
      double* row = k.row(i);
      for (std::size_t j = 0; j <= i; ++j) {
        row[j] = relevance.linear * row[j] +
                 0.5 * (std::exp(row[j] - total) - std::exp(-row[j] - total));
      }
    }
    add_nugget(k, 0.5 * (1 - std::exp(-2 * total)));
    const Cholesky factor(std::move(k));
    if (!factor.ok()) throw InvalidInput("a game's covariance is not positive definite");
    const Quadrature rule = gauss_legendre(points_for(m, total));
    const ShapleyCovariance covariance(relevance, rule);
    Matrix solved(n, m + 1);
    covariance.with(all.signs, solved);
    for (std::size_t i = 0; i < n; ++i) solved.row(i)[m] = all.odd[i];
    factor.solve_lower(solved);

    std::vector<double> phi(m), left = covariance.variances();
    double q = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double* row = solved.row(i);
      for (std::size_t j = 0; j < m; ++j) {
        phi[j] += row[j] * row[m];
        left[j] -= row[j] * row[j];
      }
      q += row[m] * row[m];
    }
    write(all, phi, left, q / static_cast<double>(std::max(n - std::min(n, m), n / 4 + 1)));
  }

  // In units of the game; what the nuggets lack of the sum is shared out equally.
  void write(const Observations& all, const std::vector<double>& phi,
             const std::vector<double>& left, double scale) {
    const std::size_t m = phi.size();
    const double mean = std::accumulate(left.begin(), left.end(), 0.0) / static_cast<double>(m);
    const double missing = 2 * all.odd.back() - std::accumulate(phi.begin(), phi.end(), 0.0);
    for (std::size_t j = 0; j < m; ++j) {
      value(phi_, j) = all.unit * (phi[j] + missing / static_cast<double>(m));
      const double variance = (1 - kSharedVariance) * left[j] + kSharedVariance * mean;
      value(errors_, j) = all.unit * std::sqrt(scale * std::max(variance, 0.0));
    }
  }

  const CoalitionData& data_;
  const double *even_, *even_full_;
  double *phi_, *errors_;
  Index game_ = 0;
};

}  // namespace

void fit_process(const CoalitionData& data, const double* even, const double* even_full,
                 double* phi, double* standard_errors, int n_threads, Cancellation& cancellation) {
  parallel_blocks(data.n_games, n_threads, cancellation,
                  [&] { return ProcessWorker(data, even, even_full, phi, standard_errors); });
}

}  // namespace leafshap
