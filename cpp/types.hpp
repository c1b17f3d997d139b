// Index types and the view of a caller's matrix, fixed once for the whole core.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

namespace leafshap {

using Index = std::int64_t;      // rows, elements, global node numbers: always 64-bit
using NodeId = std::int32_t;     // a node within its tree
using FeatureId = std::int32_t;  // a column of X
using OutputId = std::int32_t;   // a class or target

// Row-major view of a caller's matrix; the row stride is its number of columns.
template <typename T>
struct MatrixView {
  const T* data;
  Index n_rows;
  Index n_columns;

  const T* row(Index i) const { return data + i * n_columns; }
};

// X is read as the caller stored it; each value is rounded to the model's precision on the fly.
using Rows = std::variant<MatrixView<float>, MatrixView<double>>;

inline Index count_rows(const Rows& rows) {
  return std::visit([](const auto& view) { return view.n_rows; }, rows);
}

inline Index ceil_divide(Index a, Index b) { return (a + b - 1) / b; }

}  // namespace leafshap
