// Arguments of the one dense linear algebra kernel: a product of matrices that is added.
#pragma once

#include <cstddef>

namespace leafshap {

// Columns of C come in multiples of this: two vectors of the widest.
inline constexpr std::size_t kDenseColumns = 16;

// C += A B, or C -= A B; all row-major, strides in elements.
struct ProductArguments {
  const double* a;  // (rows, depth)
  std::size_t a_stride;
  const double* b;  // (depth, columns)
  std::size_t b_stride;
  double* c;  // (rows, columns)
  std::size_t c_stride;
  std::size_t rows, columns, depth;
  bool subtract;
};

}  // namespace leafshap
