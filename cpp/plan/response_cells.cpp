#include "plan/response_cells.hpp"

#include <algorithm>
#include <limits>

#include "error.hpp"

namespace leafshap {
namespace {

void append(std::vector<ResponseRun>& runs, std::uint32_t begin, std::uint32_t end) {
  if (begin == end) return;
  if (!runs.empty() && runs.back().end == begin) {
    runs.back().end = end;
  } else {
    runs.push_back({begin, end});
  }
}

// Numbers the distinct keys in their order; a key's number takes its place.
std::uint32_t number(std::vector<std::uint64_t>& keys) {
  std::vector<std::uint64_t> distinct = keys;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (std::uint64_t& key : keys) {
    key = static_cast<std::uint64_t>(std::lower_bound(distinct.begin(), distinct.end(), key) -
                                     distinct.begin());
  }
  return static_cast<std::uint32_t>(distinct.size());
}

// The same of keys that are ranks.
std::uint32_t number_ranks(std::vector<std::uint64_t>& keys) {
  constexpr std::size_t kRanks = std::size_t{std::numeric_limits<std::uint16_t>::max()} + 1;
  std::vector<std::uint32_t> numbers(kRanks, 0);
  for (const std::uint64_t key : keys) numbers[key] = 1;
  std::uint32_t n = 0;
  for (std::uint32_t& place : numbers) {
    const std::uint32_t occurs = place;
    place = n;
    n += occurs;
  }
  for (std::uint64_t& key : keys) key = numbers[key];
  return n;
}

}  // namespace

void PlayerCells::find(const std::vector<std::uint16_t>& ranks, Index m) {
  if (m >= std::numeric_limits<std::uint32_t>::max()) throw InvalidInput("2^32 probes or more");
  const auto size = static_cast<std::size_t>(m);
  std::vector<std::uint64_t> cells(size, 0);
  n_cells_ = m > 0 ? 1 : 0;
  for (const std::uint32_t column : columns_) {
    const std::uint16_t* rank = ranks.data() + column * size;
    for (std::size_t i = 0; i < size; ++i) cells[i] = cells[i] << 16 | rank[i];
    n_cells_ = n_cells_ <= 1 ? number_ranks(cells) : number(cells);
  }
  cell_of_probe_.assign(cells.begin(), cells.end());

  ranks_.resize(columns_.size() * n_cells_);
  ordered_.resize(columns_.size());
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::uint16_t* of_cell = ranks_.data() + c * n_cells_;
    const std::uint16_t* rank = ranks.data() + columns_[c] * size;
    for (std::size_t i = 0; i < size; ++i) of_cell[cell_of_probe_[i]] = rank[i];
    ordered_[c] = std::is_sorted(of_cell, of_cell + n_cells_);
  }
}

PlayerCells::Sides PlayerCells::split(const std::vector<ResponseRun>& whole,
                                      const Quantizer::Test& test,
                                      const std::vector<std::uint64_t>& category_bits) const {
  const auto place = std::find(columns_.begin(), columns_.end(), test.column);
  const auto c = static_cast<std::size_t>(place - columns_.begin());
  const std::uint16_t* rank = ranks_.data() + c * n_cells_;
  Sides sides;
  for (const auto& [begin, end] : whole) {
    if (ordered_[c] && !test.categorical) {
      const auto middle =
          static_cast<std::uint32_t>(std::upper_bound(rank + begin, rank + end, test.cut) - rank);
      append(sides.left, begin, middle);
      append(sides.right, middle, end);
      continue;
    }
    for (std::uint32_t cell = begin; cell < end; ++cell) {
      const bool left =
          test.categorical
              ? (category_bits[test.category_bits + rank[cell] / 64] >> rank[cell] % 64 & 1) != 0
              : rank[cell] <= test.cut;
      append(left ? sides.left : sides.right, cell, cell + 1);
    }
  }
  return sides;
}

}  // namespace leafshap
