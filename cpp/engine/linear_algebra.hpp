// Dense linear algebra on symmetric positive definite matrices: blocked, on one product kernel, so
// that results are the same bits for any number of threads and need no library.
#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "engine/aligned.hpp"

namespace leafshap {

// Row-major; rows are padded so that kernels never meet an odd number of columns. Starts as zeros.
class Matrix {
 public:
  Matrix(std::size_t n_rows, std::size_t n_columns);

  std::size_t n_rows() const { return n_rows_; }
  std::size_t n_columns() const { return n_columns_; }
  std::size_t stride() const { return stride_; }
  double* row(std::size_t i) { return data_.data() + i * stride_; }
  const double* row(std::size_t i) const { return data_.data() + i * stride_; }

 private:
  std::size_t n_rows_, n_columns_, stride_;
  AlignedBuffer<double> data_;
};

Matrix transposed(const Matrix& a);

// A B. Calls pause, which may throw, from time to time.
Matrix product(const Matrix& a, const Matrix& b, const std::function<void()>& pause = {});

// The Cholesky factor of a symmetric matrix, K = L L'.
class Cholesky {
 public:
  // Reads and replaces the lower triangle. Check ok() before anything else is asked.
  explicit Cholesky(Matrix k);

  bool ok() const { return ok_; }  // false: not positive definite
  double log_determinant() const;  // of K

  // L^-1 B, in place.
  void solve_lower(Matrix& b) const { forward(b, false); }
  Matrix inverse() const;  // K^-1

 private:
  static constexpr std::size_t kBlock = 64;

  bool factor_block(std::size_t first, std::size_t n);
  void invert_block(std::size_t first, std::size_t n);
  void forward(Matrix& b, bool lower) const;

  Matrix l_;
  std::vector<Matrix> block_inverses_;  // of the diagonal blocks of L
  bool ok_ = true;
};

}  // namespace leafshap
