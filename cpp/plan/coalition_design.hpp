// Which coalitions KernelSHAP evaluates: complement pairs, without replacement.
//
// Sizes are taken together with their complements, s = 1 .. M/2. Every size wants its share of the
// budget, in proportion to sqrt(kernel * leverage): the geometric mean of the Shapley kernel's mass
// (M - 1) / (s (M - s)) and of equal masses (Musco and Witter 2025; Chen et al. 2025). A size that
// wants more coalitions than it has is taken whole, and the others share the rest.
//
// Pairs make estimates exact for games without interactions above order two: what is even in the
// coalition (v(S) + v(complement)) never reaches a Shapley value.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <unordered_set>
#include <vector>

#include "types.hpp"

namespace leafshap {

class CoalitionDesign {
 public:
  // M >= 2 players. The same seed gives the same design on any machine.
  CoalitionDesign(Index n_players, std::uint64_t seed);

  // Grows to about n_pairs pairs, never more; what there is stays. All of them if there are no
  // more.
  void extend(Index n_pairs);

  Index n_players() const { return n_players_; }
  Index n_pairs() const { return static_cast<Index>(size_of_pair_.size()); }
  bool complete() const;

  // (n_pairs, M): the smaller coalition of every pair.
  const std::vector<std::uint8_t>& members() const { return members_; }
  // Of the least squares fit: the Shapley kernel over the chance to be drawn. (n_pairs)
  std::vector<double> weights() const;
  // The chance to be drawn. (n_pairs)
  std::vector<double> inclusion() const;

 private:
  struct Size {
    Index size;
    double n_all;       // pairs that there are
    double wanted = 0;  // pairs that the budget would like
    Index n_drawn = 0;
    std::unordered_set<std::string> drawn;
  };

  static double expected(const Size& size);
  void share_budget(double n_pairs);
  void draw(std::size_t place, Index n);
  void draw_from_list(std::size_t place, Index n);
  std::string draw_one(const Size& size);
  bool add(std::size_t place, std::string coalition);
  std::uint64_t below(std::uint64_t n);

  Index n_players_;
  std::mt19937_64 random_;
  double offset_;  // of the systematic rounding
  std::vector<Size> sizes_;
  std::vector<std::size_t> size_of_pair_;
  std::vector<std::uint8_t> members_;
};

}  // namespace leafshap
