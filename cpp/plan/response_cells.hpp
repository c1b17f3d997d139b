// Values that players take in turn, as far as the trees can tell them apart.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "kernels/responses.hpp"
#include "plan/quantizer.hpp"
#include "types.hpp"

namespace leafshap {

// Values of a player. Probes whose ranks are the same in all columns of its features are one cell;
// cells are in the order of their ranks.
class PlayerCells {
 public:
  explicit PlayerCells(std::vector<std::uint32_t> columns) : columns_(std::move(columns)) {}

  // From the ranks of all m probes, (n_columns, m).
  void find(const std::vector<std::uint16_t>& ranks, Index m);

  std::uint32_t n_cells() const { return n_cells_; }
  const std::vector<std::uint32_t>& cell_of_probe() const { return cell_of_probe_; }

  // The cells among `whole` that a node with this test sends left, and the others.
  struct Sides {
    std::vector<ResponseRun> left, right;
  };
  Sides split(const std::vector<ResponseRun>& whole, const Quantizer::Test& test,
              const std::vector<std::uint64_t>& category_bits) const;

 private:
  std::vector<std::uint32_t> columns_;  // of the quantizer
  std::vector<std::uint8_t> ordered_;   // by column: its ranks never fall from cell to cell
  std::vector<std::uint16_t> ranks_;    // (columns, n_cells)
  std::vector<std::uint32_t> cell_of_probe_;
  std::uint32_t n_cells_ = 0;
};

}  // namespace leafshap
