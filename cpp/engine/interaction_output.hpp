// Writes interaction values: from a row's sums by slot to the arrays that the caller gave.
#pragma once

#include <span>
#include <vector>

#include "plan/slots.hpp"
#include "types.hpp"

namespace leafshap {

// Either dense, (n, F, F, K), or pairs, (n, P, K), and phi, (n, F, K); the others are null.
template <typename T>
struct InteractionArrays {
  T* dense = nullptr;
  T* pairs = nullptr;
  T* phi = nullptr;
};

// Half of a pair's sum goes to each of phi_ij and phi_ji, and phi_ii is what these leave of phi_i.
template <typename T>
class InteractionWriter {
 public:
  // The slots must outlive the writer.
  InteractionWriter(Index n_features, OutputId n_outputs, std::span<const Slot> slots,
                    const PairSlots& pairs, const InteractionArrays<T>& out);

  // Writes all values of a row. Sums are those of the slots: phi_i, and 2 phi_ij of pairs.
  template <typename Sum>
  void write(Index row, const Sum* phi, const Sum* pairs) {
    if (out_.dense != nullptr) {
      write_dense(out_.dense + row * n_features_ * stride(), phi, pairs);
    } else {
      write_pairs(out_.pairs + row * n_pairs_ * n_outputs_, out_.phi + row * stride(), phi, pairs);
    }
  }

 private:
  Index stride() const { return n_features_ * n_outputs_; }  // values of one feature's row
  template <typename Sum>
  void write_dense(T* out, const Sum* phi, const Sum* pairs);
  template <typename Sum>
  void write_pairs(T* pairs_out, T* phi_out, const Sum* phi, const Sum* pairs);

  Index n_features_, n_pairs_;
  OutputId n_outputs_;
  std::span<const Slot> slots_;
  std::span<const PairSlot> pair_slots_;
  InteractionArrays<T> out_;
  struct Place {
    Index upper, lower;  // of phi_ij and phi_ji
  };
  std::vector<Place> places_;   // by slot of a pair, dense only
  std::vector<double> totals_;  // (F, K), sums over the other feature
};

}  // namespace leafshap
