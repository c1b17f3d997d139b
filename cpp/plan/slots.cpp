#include "plan/slots.hpp"

#include <algorithm>

namespace leafshap {

std::size_t PairSlots::Hash::operator()(const Key& key) const {
  std::uint64_t x = static_cast<std::uint64_t>(key.features.first) << 32 |
                    static_cast<std::uint32_t>(key.features.second);
  x = (x ^ static_cast<std::uint64_t>(key.output) << 20) * 0x9e3779b97f4a7c15;
  return static_cast<std::size_t>(x ^ x >> 32);
}

std::uint32_t PairSlots::slot_of(FeatureId a, FeatureId b, OutputId first_output,
                                 OutputId n_outputs) {
  const FeaturePair features = std::minmax(a, b);
  const auto next = static_cast<std::uint32_t>(slots_.size());
  const auto [place, added] = by_key_.try_emplace({features, first_output}, next);
  if (added) {
    for (OutputId k = 0; k < n_outputs; ++k) slots_.push_back({features, first_output + k, 0});
  }
  return place->second;
}

void PairSlots::finish() {
  pairs_.reserve(slots_.size());
  for (const PairSlot& slot : slots_) pairs_.push_back(slot.features);
  std::sort(pairs_.begin(), pairs_.end());
  pairs_.erase(std::unique(pairs_.begin(), pairs_.end()), pairs_.end());
  for (PairSlot& slot : slots_) {
    const auto place = std::lower_bound(pairs_.begin(), pairs_.end(), slot.features);
    slot.pair = static_cast<std::uint32_t>(place - pairs_.begin());
  }
  by_key_.clear();
}

}  // namespace leafshap
