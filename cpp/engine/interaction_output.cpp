#include "engine/interaction_output.hpp"

#include <algorithm>

namespace leafshap {

template <typename T>
InteractionWriter<T>::InteractionWriter(Index n_features, OutputId n_outputs,
                                        std::span<const Slot> slots, const PairSlots& pairs,
                                        const InteractionArrays<T>& out)
    : n_features_(n_features),
      n_pairs_(static_cast<Index>(pairs.pairs().size())),
      n_outputs_(n_outputs),
      slots_(slots),
      pair_slots_(pairs.slots()),
      out_(out) {
  if (out.dense == nullptr) return;
  totals_.resize(static_cast<std::size_t>(stride()));
  places_.reserve(pair_slots_.size());
  for (const auto& [features, output, pair] : pair_slots_) {
    const auto [i, j] = features;
    places_.push_back(
        {i * stride() + j * n_outputs + output, j * stride() + i * n_outputs + output});
  }
}

template <typename T>
template <typename Sum>
void InteractionWriter<T>::write_dense(T* out, const Sum* phi, const Sum* pairs) {
  std::fill_n(out, n_features_ * stride(), T{0});
  for (std::size_t s = 0; s < places_.size(); ++s) {
    out[places_[s].upper] = out[places_[s].lower] = static_cast<T>(pairs[s] / 2);
  }
  // column sums are row sums, and run along the memory
  std::fill(totals_.begin(), totals_.end(), 0.0);
  for (const T* row = out; row != out + n_features_ * stride(); row += stride()) {
    for (Index i = 0; i < stride(); ++i) totals_[i] += static_cast<double>(row[i]);
  }
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    const Index place = slots_[s].feature * n_outputs_ + slots_[s].output;
    out[slots_[s].feature * stride() + place] = static_cast<T>(phi[s] - totals_[place]);
  }
}

template <typename T>
template <typename Sum>
void InteractionWriter<T>::write_pairs(T* pairs_out, T* phi_out, const Sum* phi, const Sum* pairs) {
  std::fill_n(pairs_out, n_pairs_ * n_outputs_, T{0});
  for (std::size_t s = 0; s < pair_slots_.size(); ++s) {
    pairs_out[Index{pair_slots_[s].pair} * n_outputs_ + pair_slots_[s].output] =
        static_cast<T>(pairs[s] / 2);
  }
  std::fill_n(phi_out, stride(), T{0});
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    phi_out[slots_[s].feature * n_outputs_ + slots_[s].output] = static_cast<T>(phi[s]);
  }
}

template class InteractionWriter<float>;
template class InteractionWriter<double>;
template void InteractionWriter<float>::write_dense(float*, const double*, const double*);
template void InteractionWriter<double>::write_dense(double*, const double*, const double*);
template void InteractionWriter<float>::write_pairs(float*, float*, const double*, const double*);
template void InteractionWriter<double>::write_pairs(double*, double*, const double*,
                                                     const double*);

}  // namespace leafshap
