#include "engine/linear_algebra.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/dispatch.hpp"

namespace leafshap {
namespace {

std::size_t padded(std::size_t columns) {
  return (columns + kDenseColumns - 1) / kDenseColumns * kDenseColumns;
}

}  // namespace

Matrix::Matrix(std::size_t n_rows, std::size_t n_columns)
    : n_rows_(n_rows), n_columns_(n_columns), stride_(padded(n_columns)), data_(n_rows * stride_) {
  data_.clear();
}

Matrix transposed(const Matrix& a) {
  Matrix out(a.n_columns(), a.n_rows());
  constexpr std::size_t kTile = 16;  // both sides of a tile stay in the cache
  for (std::size_t i0 = 0; i0 < a.n_rows(); i0 += kTile) {
    for (std::size_t j = 0; j < a.n_columns(); ++j) {
      double* to = out.row(j);
      for (std::size_t i = i0; i < std::min(i0 + kTile, a.n_rows()); ++i) to[i] = a.row(i)[j];
    }
  }
  return out;
}

Matrix product(const Matrix& a, const Matrix& b, const std::function<void()>& pause) {
  constexpr std::size_t kRows = 64;
  Matrix c(a.n_rows(), b.n_columns());
  for (std::size_t i = 0; i < a.n_rows(); i += kRows) {
    if (pause) pause();
    kernels().add_product({a.row(i), a.stride(), b.row(0), b.stride(), c.row(i), c.stride(),
                           std::min(kRows, a.n_rows() - i), c.stride(), a.n_columns(), false});
  }
  return c;
}

// Right-looking: a block column is factored, and its product taken off everything to the right.
Cholesky::Cholesky(Matrix k) : l_(std::move(k)) {
  const std::size_t n = l_.n_rows();
  for (std::size_t first = 0; first < n; first += kBlock) {
    const std::size_t width = std::min(kBlock, n - first), below = first + width;
    ok_ = factor_block(first, width);
    if (!ok_) return;
    invert_block(first, width);
    if (below == n) return;
    // the rows below, times the inverse's transpose
    const Matrix inverse = transposed(block_inverses_.back());
    Matrix panel(n - below, width);
    kernels().add_product({l_.row(below) + first, l_.stride(), inverse.row(0), inverse.stride(),
                           panel.row(0), panel.stride(), n - below, panel.stride(), width, false});
    for (std::size_t i = below; i < n; ++i) {
      std::copy_n(panel.row(i - below), width, l_.row(i) + first);
    }
    const Matrix right = transposed(panel);
    for (std::size_t i = below; i < n; i += kBlock) {
      const std::size_t height = std::min(kBlock, n - i);
      kernels().add_product({panel.row(i - below), panel.stride(), right.row(0), right.stride(),
                             l_.row(i) + below, l_.stride(), height, padded(i + height - below),
                             width, true});
    }
  }
}

bool Cholesky::factor_block(std::size_t first, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    double* row = l_.row(first + i) + first;
    for (std::size_t j = 0; j <= i; ++j) {
      const double* other = l_.row(first + j) + first;
      double sum = row[j];
      for (std::size_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i) {
        row[j] = sum / other[j];
      } else if (sum > 0) {  // false for NaN
        row[i] = std::sqrt(sum);
      } else {
        return false;
      }
    }
  }
  return true;
}

void Cholesky::invert_block(std::size_t first, std::size_t n) {
  Matrix inverse(n, n);
  for (std::size_t i = 0; i < n; ++i) {
    const double* row = l_.row(first + i) + first;
    double* out = inverse.row(i);
    for (std::size_t k = 0; k < i; ++k) {
      const double* above = inverse.row(k);
      for (std::size_t j = 0; j <= k; ++j) out[j] -= row[k] * above[j];
    }
    for (std::size_t j = 0; j < i; ++j) out[j] /= row[i];
    out[i] = 1 / row[i];
  }
  block_inverses_.push_back(std::move(inverse));
}

double Cholesky::log_determinant() const {
  double sum = 0;
  for (std::size_t i = 0; i < l_.n_rows(); ++i) sum += std::log(l_.row(i)[i]);
  return 2 * sum;
}

// b becomes L^-1 b. If b is lower triangular, columns past the diagonal are skipped.
void Cholesky::forward(Matrix& b, bool lower) const {
  const std::size_t n = l_.n_rows();
  for (std::size_t first = 0, block = 0; first < n; first += kBlock, ++block) {
    const Matrix& inverse = block_inverses_[block];
    const std::size_t height = inverse.n_rows(), below = first + height;
    const std::size_t columns = lower ? padded(below) : b.stride();
    Matrix solved(height, columns);
    kernels().add_product({inverse.row(0), inverse.stride(), b.row(first), b.stride(),
                           solved.row(0), solved.stride(), height, columns, height, false});
    for (std::size_t i = 0; i < height; ++i) {
      std::copy_n(solved.row(i), columns, b.row(first + i));
    }
    if (below == n) return;
    kernels().add_product({l_.row(below) + first, l_.stride(), solved.row(0), solved.stride(),
                           b.row(below), b.stride(), n - below, columns, height, true});
  }
}

// (L^-1)' L^-1, where row i of the transpose is 0 up to column i; the upper half is mirrored.
Matrix Cholesky::inverse() const {
  const std::size_t n = l_.n_rows();
  Matrix x(n, n), out(n, n);
  for (std::size_t i = 0; i < n; ++i) x.row(i)[i] = 1;
  forward(x, true);
  const Matrix t = transposed(x);
  for (std::size_t i = 0; i < n; i += kBlock) {
    const std::size_t height = std::min(kBlock, n - i);
    kernels().add_product({t.row(i) + i, t.stride(), x.row(i), x.stride(), out.row(i), out.stride(),
                           height, padded(i + height), n - i, false});
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) out.row(j)[i] = out.row(i)[j];
  }
  return out;
}

}  // namespace leafshap
