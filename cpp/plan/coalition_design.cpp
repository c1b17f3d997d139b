#include "plan/coalition_design.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace leafshap {
namespace {

// Largest number of coalitions of a size that are listed to draw from.
constexpr double kLongestList = 1 << 22;

}  // namespace

CoalitionDesign::CoalitionDesign(Index n_players, std::uint64_t seed)
    : n_players_(n_players), random_(seed) {
  offset_ = static_cast<double>(random_() >> 11) * 0x1p-53;
  double all = 1;  // binomials: exact up to 2^53, infinite when it does not matter any more
  for (Index s = 1; 2 * s <= n_players; ++s) {
    const auto n = static_cast<double>(n_players - s + 1);
    all = std::floor(all * n / static_cast<double>(s) + 0.5);
    sizes_.push_back({s, 2 * s == n_players ? all / 2 : all, 0, 0, {}});
  }
}

bool CoalitionDesign::complete() const {
  return std::all_of(sizes_.begin(), sizes_.end(), [](const Size& size) {
    return static_cast<double>(size.n_drawn) == size.n_all;
  });
}

// Sizes that want more than they have get all of it; the others share what is left.
void CoalitionDesign::share_budget(double n_pairs) {
  const auto m = static_cast<double>(n_players_);
  const auto share = [&](const Size& size) {
    const auto s = static_cast<double>(size.size);
    return (2 * size.size == n_players_ ? 0.5 : 1.0) / std::sqrt(s * (m - s));
  };
  std::vector<bool> whole(sizes_.size(), false);
  for (bool changed = true; changed;) {
    changed = false;
    double left = n_pairs, shares = 0;
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      if (whole[i]) {
        left -= sizes_[i].n_all;
      } else {
        shares += share(sizes_[i]);
      }
    }
    for (std::size_t i = 0; i < sizes_.size(); ++i) {
      if (whole[i]) continue;
      sizes_[i].wanted = std::max(left, 0.0) * share(sizes_[i]) / shares;
      if (sizes_[i].wanted >= sizes_[i].n_all) {
        sizes_[i].wanted = sizes_[i].n_all;
        whole[i] = changed = true;
      }
    }
  }
}

// Shares are rounded by a systematic sample, so that every size is drawn as often as it wants in
// the mean, however small its share.
void CoalitionDesign::extend(Index n_pairs) {
  if (n_pairs <= this->n_pairs()) return;
  share_budget(static_cast<double>(n_pairs));
  Index left = n_pairs - this->n_pairs();
  double sum = offset_;
  for (std::size_t i = 0; i < sizes_.size(); ++i) {
    Size& size = sizes_[i];
    double n = size.wanted;
    if (size.wanted < size.n_all) {
      n = std::floor(sum + size.wanted + 1e-9) - std::floor(sum + 1e-9);
      sum += size.wanted;
    }
    const Index more = std::min(static_cast<Index>(std::min(n, size.n_all)) - size.n_drawn, left);
    if (more <= 0) continue;
    draw(i, more);
    left -= more;
  }
}

void CoalitionDesign::draw(std::size_t place, Index n) {
  const Size& size = sizes_[place];
  const auto n_after = static_cast<double>(size.n_drawn + n);
  if (2 * n_after > size.n_all && size.n_all <= kLongestList) {
    draw_from_list(place, n);
    return;
  }
  for (Index k = 0; k < n;) k += add(place, draw_one(size)) ? 1 : 0;
}

// All coalitions of the size in lexicographic order, of which n new ones are chosen.
void CoalitionDesign::draw_from_list(std::size_t place, Index n) {
  const Size& size = sizes_[place];
  const auto m = static_cast<std::size_t>(n_players_);
  std::string coalition(m, '\0');
  std::fill_n(coalition.begin(), size.size, '\1');
  std::vector<std::string> list;
  do {
    if (2 * size.size == n_players_ && coalition[0] == 0) break;  // complements of those before
    if (size.drawn.count(coalition) == 0) list.push_back(coalition);
  } while (std::prev_permutation(coalition.begin(), coalition.end()));
  for (Index k = 0; k < n; ++k) {
    const auto first = static_cast<std::size_t>(k);
    if (static_cast<std::size_t>(n) < list.size()) {
      std::swap(list[first], list[first + below(list.size() - first)]);
    }
    add(place, list[first]);
  }
}

// A random subset (Floyd's algorithm); of a pair of halves, the one with player 0.
std::string CoalitionDesign::draw_one(const Size& size) {
  std::string coalition(static_cast<std::size_t>(n_players_), '\0');
  const bool half = 2 * size.size == n_players_;
  if (half) coalition[0] = '\1';
  const Index first = half ? 1 : 0;
  for (Index last = n_players_ - size.size + first; last < n_players_; ++last) {
    const auto i = static_cast<std::size_t>(
        first + static_cast<Index>(below(static_cast<std::uint64_t>(last - first + 1))));
    coalition[coalition[i] != 0 ? static_cast<std::size_t>(last) : i] = '\1';
  }
  return coalition;
}

bool CoalitionDesign::add(std::size_t place, std::string coalition) {
  Size& size = sizes_[place];
  const auto [at, added] = size.drawn.insert(std::move(coalition));
  if (!added) return false;
  members_.insert(members_.end(), at->begin(), at->end());
  size_of_pair_.push_back(place);
  ++size.n_drawn;
  return true;
}

// A whole number from 0 to n - 1; drawn again where it would favour some.
std::uint64_t CoalitionDesign::below(std::uint64_t n) {
  const std::uint64_t excess = -n % n;
  for (;;) {
    const std::uint64_t x = random_();
    if (x >= excess) return x % n;
  }
}

// A size that earlier budgets wanted more of has more than any rounding of what it wants now.
double CoalitionDesign::expected(const Size& size) {
  const auto drawn = static_cast<double>(size.n_drawn);
  return drawn > size.wanted + 1 ? drawn : size.wanted;
}

// kernel(s) / (expected / n_all), where kernel(s) n_all = (M - 1) / (s (M - s)), half for halves
std::vector<double> CoalitionDesign::weights() const {
  const auto m = static_cast<double>(n_players_);
  std::vector<double> out;
  out.reserve(size_of_pair_.size());
  for (const std::size_t place : size_of_pair_) {
    const Size& size = sizes_[place];
    const auto s = static_cast<double>(size.size);
    const double mass = (m - 1) / (s * (m - s)) * (2 * size.size == n_players_ ? 0.5 : 1.0);
    out.push_back(mass / expected(size));
  }
  return out;
}

std::vector<double> CoalitionDesign::inclusion() const {
  std::vector<double> out;
  out.reserve(size_of_pair_.size());
  for (const std::size_t place : size_of_pair_) {
    const Size& size = sizes_[place];
    out.push_back(expected(size) / size.n_all);
  }
  return out;
}

}  // namespace leafshap
