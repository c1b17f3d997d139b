// The coalitions of a call, and who plays.
#pragma once

#include <cstdint>
#include <vector>

#include "types.hpp"

namespace leafshap {

// As the caller stored them.
struct Coalitions {
  const std::uint8_t* members;  // (n, n_players), not 0 where the coalition has the player
  Index n, n_players;
  const std::int32_t* players;  // (F): the player of every feature, or -1: in no coalition
  Index n_features;
};

// In lexicographic order, so that neighbours have most players in common, and by player. After all
// players there is one more, in no coalition, for features without.
class OrderedCoalitions {
 public:
  explicit OrderedCoalitions(const Coalitions& coalitions);

  Index size() const { return static_cast<Index>(order_.size()); }
  Index at(Index place) const { return order_[place]; }  // as the caller counts them
  std::uint32_t nobody() const { return nobody_; }
  const std::vector<std::uint32_t>& players() const { return players_; }  // (F)

  // 64 coalitions in a word, the first in the lowest bit: (players, words).
  const std::uint64_t* words() const { return words_.data(); }
  Index n_words() const { return n_words_; }
  // The same as bytes, 255 for a member: (players, 64 n_words).
  std::vector<std::uint8_t> bytes() const;

 private:
  std::vector<Index> order_;
  std::uint32_t nobody_;
  std::vector<std::uint32_t> players_;
  Index n_words_;
  std::vector<std::uint64_t> words_;
};

}  // namespace leafshap
