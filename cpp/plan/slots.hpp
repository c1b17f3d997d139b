// Where a kernel adds up its sums: one slot for each feature, or pair of features, and output.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "types.hpp"

namespace leafshap {

// phi of one feature towards one output is added up in one slot.
struct Slot {
  FeatureId feature;
  OutputId output;
};

using FeaturePair = std::pair<FeatureId, FeatureId>;  // first < second

// The interaction of two features towards one output.
struct PairSlot {
  FeaturePair features;
  OutputId output;
  std::uint32_t pair;  // place of the features among PairSlots::pairs()
};

// Numbers the pairs that a plan meets: with many features only a part of all.
class PairSlots {
 public:
  // The slot of two different features towards first_output; those of the next n_outputs - 1
  // outputs follow it. A pair is asked for with one n_outputs only.
  std::uint32_t slot_of(FeatureId a, FeatureId b, OutputId first_output, OutputId n_outputs);
  // To be called after the last slot_of: sorts pairs().
  void finish();

  const std::vector<PairSlot>& slots() const { return slots_; }
  const std::vector<FeaturePair>& pairs() const { return pairs_; }  // sorted, each once

 private:
  struct Key {
    FeaturePair features;
    OutputId output;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const;
  };
  std::unordered_map<Key, std::uint32_t, Hash> by_key_;
  std::vector<PairSlot> slots_;
  std::vector<FeaturePair> pairs_;
};

}  // namespace leafshap
