#include "engine/coalition_regression.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "engine/linear_algebra.hpp"

namespace leafshap {
namespace {

// Of the variance of a value, by the correlation of its player with the others.
constexpr double kMostInflation = 1e4;

// A player's row of the operator: phi_i = sum_p row_p g_p + constant_i g(N).
struct Operator {
  Matrix rows;  // (M, P)
  std::vector<double> constants;
  std::vector<double> leverage;  // (P): how much a pair's own value moves its fit
};

// With S the signs (P, M), W the weights and A = S' W S, unconstrained betas are A^-1 S' W g. The
// constraint 1' beta = g(N) moves them by A^-1 1 (g(N) - 1' beta) / (1' A^-1 1). phi = 2 beta. A
// multiple of 1 1' added to A changes nothing under the constraint, and makes A regular where the
// fit is determined.
Operator make_operator(const CoalitionData& data, std::span<const double> weights,
                       Cancellation& cancellation) {
  const auto pause = [&] {
    if (cancellation.requested()) throw Cancelled();
  };
  const auto m = static_cast<std::size_t>(data.n_players);
  const auto p = static_cast<std::size_t>(data.n_pairs);
  Matrix signs(p, m), weighted(m, p);
  for (std::size_t a = 0; a < p; ++a) {
    for (std::size_t i = 0; i < m; ++i) {
      const double sign = data.members[a * m + i] != 0 ? 1.0 : -1.0;
      signs.row(a)[i] = sign;
      weighted.row(i)[a] = weights[a] * sign;
    }
  }
  Matrix gram = product(weighted, signs, pause);
  const double shift = gram.row(0)[0] / static_cast<double>(m);
  std::vector<double> diagonal(m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) gram.row(i)[j] += shift;
    diagonal[i] = gram.row(i)[i];
  }
  const Cholesky factor(std::move(gram));
  const auto undetermined = [&] {
    return InvalidInput(std::to_string(p) + " pairs of coalitions do not determine the values of " +
                        std::to_string(m) + " players: more of them are needed");
  };
  if (!factor.ok()) throw undetermined();
  const Matrix inverse = factor.inverse();
  for (std::size_t i = 0; i < m; ++i) {
    // the variance inflation factor: 1 if players' signs are not correlated
    if (!(diagonal[i] * inverse.row(i)[i] < kMostInflation)) throw undetermined();
  }
  Operator out{product(inverse, weighted, pause), std::vector<double>(m), std::vector<double>(p)};
  double total = 0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < m; ++j) out.constants[i] += inverse.row(i)[j];
    total += out.constants[i];
  }
  std::vector<double> sums(p);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t a = 0; a < p; ++a) sums[a] += out.rows.row(i)[a];
  }
  for (std::size_t i = 0; i < m; ++i) {
    out.constants[i] *= 2 / total;
    double* row = out.rows.row(i);
    for (std::size_t a = 0; a < p; ++a) {
      row[a] = 2 * row[a] - out.constants[i] * sums[a];
      out.leverage[a] += 0.5 * row[a] * signs.row(a)[i];
    }
  }
  return out;
}

// Games side by side: a block of them stays in the cache while the operator streams by.
constexpr Index kGamesPerBlock = 64;

class RegressionWorker {
 public:
  RegressionWorker(const CoalitionData& data, const Operator& op, const std::vector<double>& share,
                   double* phi, double* errors)
      : data_(data), op_(op), share_(share), phi_(phi), errors_(errors) {}

  void operator()(Index block, const Stop& stop) {
    first_ = block * kGamesPerBlock;
    n_ = std::min(kGamesPerBlock, data_.n_games - first_);
    fit();
    if (stop()) return;
    estimate_errors();
  }

 private:
  void fit() {
    for (Index i = 0; i < data_.n_players; ++i) {
      const double* row = op_.rows.row(static_cast<std::size_t>(i));
      double sum[kGamesPerBlock] = {};
      for (Index a = 0; a < data_.n_pairs; ++a) {
        const double* g = data_.odd + a * data_.n_games + first_;
        for (Index c = 0; c < n_; ++c) sum[c] += row[a] * g[c];
      }
      double* out = phi_ + i * data_.n_games + first_;
      for (Index c = 0; c < n_; ++c) {
        out[c] = sum[c] + op_.constants[static_cast<std::size_t>(i)] * data_.odd_full[first_ + c];
      }
    }
  }

  // sum_p row_p^2 (1 - inclusion_p) (residual_p / (1 - leverage_p))^2, residuals in units of the
  // game's largest value, whose square may be beyond the range of a double
  void estimate_errors() {
    double unit[kGamesPerBlock] = {};
    for (Index a = 0; a < data_.n_pairs; ++a) {
      const double* g = data_.odd + a * data_.n_games + first_;
      for (Index c = 0; c < n_; ++c) unit[c] = std::max(unit[c], std::fabs(g[c]));
    }
    for (Index c = 0; c < n_; ++c) unit[c] = unit[c] > 0 ? unit[c] : 1;
    for (Index i = 0; i < data_.n_players; ++i) {
      std::fill_n(errors_ + i * data_.n_games + first_, n_, 0.0);
    }
    for (Index a = 0; a < data_.n_pairs; ++a) {
      const double share = share_[static_cast<std::size_t>(a)];
      if (share == 0) continue;
      double square[kGamesPerBlock];
      std::copy_n(data_.odd + a * data_.n_games + first_, n_, square);
      for (Index i = 0; i < data_.n_players; ++i) {
        const double half = data_.members[a * data_.n_players + i] != 0 ? 0.5 : -0.5;
        const double* phi = phi_ + i * data_.n_games + first_;
        for (Index c = 0; c < n_; ++c) square[c] -= half * phi[c];
      }
      for (Index c = 0; c < n_; ++c) {
        square[c] /= unit[c];
        square[c] *= square[c] * share;
      }
      for (Index i = 0; i < data_.n_players; ++i) {
        const double row = op_.rows.row(static_cast<std::size_t>(i))[a];
        double* errors = errors_ + i * data_.n_games + first_;
        for (Index c = 0; c < n_; ++c) errors[c] += row * row * square[c];
      }
    }
    for (Index i = 0; i < data_.n_players; ++i) {
      double* errors = errors_ + i * data_.n_games + first_;
      for (Index c = 0; c < n_; ++c) errors[c] = unit[c] * std::sqrt(errors[c]);
    }
  }

  const CoalitionData& data_;
  const Operator& op_;
  const std::vector<double>& share_;
  double *phi_, *errors_;
  Index first_ = 0, n_ = 0;
};

}  // namespace

void fit_regression(const CoalitionData& data, std::span<const double> weights,
                    std::span<const double> inclusion, double* phi, double* standard_errors,
                    int n_threads, Cancellation& cancellation) {
  const Operator op = make_operator(data, weights, cancellation);
  // as many pairs as free values leave no residual to estimate from
  const bool estimable = data.n_pairs >= data.n_players;
  std::vector<double> share(inclusion.size());
  for (std::size_t a = 0; a < share.size(); ++a) {
    const double left = std::max(1 - op.leverage[a], 1e-3);
    share[a] = std::max(1 - inclusion[a], 0.0) / (left * left);
    if (!estimable && share[a] > 0) share[a] = std::numeric_limits<double>::quiet_NaN();
  }
  parallel_blocks(ceil_divide(data.n_games, kGamesPerBlock), n_threads, cancellation,
                  [&] { return RegressionWorker(data, op, share, phi, standard_errors); });
}

}  // namespace leafshap
