#include "engine/coalitions.hpp"

#include <algorithm>
#include <numeric>

#include "kernels/pair_game.hpp"

namespace leafshap {

OrderedCoalitions::OrderedCoalitions(const Coalitions& coalitions)
    : order_(static_cast<std::size_t>(coalitions.n)),
      nobody_(static_cast<std::uint32_t>(coalitions.n_players)),
      n_words_(ceil_divide(coalitions.n, kPairCoalitions) * kPairWords),
      words_(static_cast<std::size_t>((coalitions.n_players + 1) * n_words_), 0) {
  const Index n_players = coalitions.n_players;
  const auto members_of = [&](Index c) { return coalitions.members + c * n_players; };
  std::iota(order_.begin(), order_.end(), Index{0});
  std::sort(order_.begin(), order_.end(), [&](Index a, Index b) {
    return std::lexicographical_compare(members_of(a), members_of(a) + n_players, members_of(b),
                                        members_of(b) + n_players);
  });
  for (Index c = 0; c < coalitions.n; ++c) {
    const std::uint8_t* members = members_of(order_[c]);
    for (Index player = 0; player < n_players; ++player) {
      words_[player * n_words_ + c / 64] |= std::uint64_t{members[player] != 0} << (c % 64);
    }
  }
  players_.reserve(static_cast<std::size_t>(coalitions.n_features));
  std::transform(coalitions.players, coalitions.players + coalitions.n_features,
                 std::back_inserter(players_),
                 [&](std::int32_t p) { return p < 0 ? nobody_ : static_cast<std::uint32_t>(p); });
}

std::vector<std::uint8_t> OrderedCoalitions::bytes() const {
  std::vector<std::uint8_t> bytes(words_.size() * 64);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = (words_[i / 64] >> (i % 64) & 1) != 0 ? 255 : 0;
  }
  return bytes;
}

}  // namespace leafshap
