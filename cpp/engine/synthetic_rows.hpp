// Synthetic rows, on which a user's function is evaluated, and the mean of what it returns.
//
// A cell is one coalition S of one explained row x. It has one synthetic row for each background
// row b: x's values in the columns of S, b's elsewhere. Its value is the weighted mean of their
// outputs y_b.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "types.hpp"

namespace leafshap {

// Cells in the order of their coalitions: cell c is of coalition c / n_rows, and of row c % n_rows
// of those listed.
struct Cells {
  Index first, end;
  Index n_rows, n_background, n_columns, n_players;
  const Index* rows;            // (n_rows) explained rows
  const std::uint8_t* members;  // (coalitions, players), not 0: the player is in it
  const Index* players;         // (columns) player of a column; n_players if in no coalition
};

// Values of any type, row-major, each of value_bytes.
struct MixedValues {
  Index value_bytes;
  const std::byte* background;  // (background rows, columns)
  const std::byte* explained;   // (explained rows, columns)
  std::byte* out;               // (cells, background rows, columns)
};

// Writes the synthetic rows of the cells. On one thread: it is done at the speed of memory, between
// calls of a function that may have its own threads on all cores. With two, each batch waited for
// the second one, 20 ms where another process had its core.
void mix_rows(const Cells& cells, const MixedValues& values);

// Outputs (cells, background rows, outputs) in a caller's memory; strides in bytes, any alignment.
template <typename T>
struct OutputsView {
  const std::byte* data;
  Index n_cells, n_outputs;
  Index cell_stride, row_stride, output_stride;
};

// out (cells, outputs) = sum_b w_b y_b for weights with sum 1. Returns whether all are finite; they
// are not if any y_b is not.
template <typename T>
bool weighted_mean(const OutputsView<T>& outputs, std::span<const double> weights, double* out);

}  // namespace leafshap
