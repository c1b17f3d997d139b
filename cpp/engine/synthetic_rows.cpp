#include "engine/synthetic_rows.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

namespace leafshap {
namespace {

// Background rows that are copied at once: in the first-level cache while the columns of S are
// written over, and while the memory of the next ones is fetched. The function has used the cache
// for its own since it was given the last batch, and so a batch is made at about the speed of
// memory: 8 ns for a row of 15 doubles, of which a copy alone takes 7, and 5 where everything is
// cached.
constexpr Index kChunkBytes = 4096;

void fetch_ahead(std::byte* place, Index n_bytes) {
  constexpr Index kLine = 64;
  constexpr int kToWrite = 1, kKeep = 3;
  for (Index i = 0; i < n_bytes; i += kLine) __builtin_prefetch(place + i, kToWrite, kKeep);
}

// Writes the same bytes into every row, at the same offsets as in x.
template <std::size_t kBytes>
void write_columns(const std::byte* x, const std::vector<Index>& offsets, Index n_rows,
                   Index row_bytes, std::byte* out) {
  for (const Index offset : offsets) {
    std::array<std::byte, kBytes> value;
    std::memcpy(value.data(), x + offset, kBytes);
    for (Index b = 0; b < n_rows; ++b) {
      std::memcpy(out + b * row_bytes + offset, value.data(), kBytes);
    }
  }
}

// The columns of S as words of kBytes, of which values consist. Two words side by side are written
// as one: with half of the columns in S, a third fewer writes.
template <std::size_t kBytes>
class CoalitionColumns {
 public:
  explicit CoalitionColumns(const Cells& cells, Index value_bytes)
      : cells_(cells), value_bytes_(value_bytes) {}

  void find(Index coalition) {
    constexpr auto word = static_cast<Index>(kBytes);
    const std::uint8_t* member = cells_.members + coalition * cells_.n_players;
    singles_.clear();
    pairs_.clear();
    Index free = -1;  // a word of S that has no second beside it so far
    for (Index j = 0; j < cells_.n_columns; ++j) {
      const Index player = cells_.players[j];
      if (player == cells_.n_players || member[player] == 0) continue;
      for (Index at = j * value_bytes_; at < (j + 1) * value_bytes_; at += word) {
        if (free >= 0 && at == free + word) {
          pairs_.push_back(free);
          free = -1;
        } else {
          if (free >= 0) singles_.push_back(free);
          free = at;
        }
      }
    }
    if (free >= 0) singles_.push_back(free);
  }

  void write(const std::byte* x, Index n_rows, Index row_bytes, std::byte* out) const {
    write_columns<2 * kBytes>(x, pairs_, n_rows, row_bytes, out);
    write_columns<kBytes>(x, singles_, n_rows, row_bytes, out);
  }

 private:
  const Cells& cells_;
  Index value_bytes_;
  std::vector<Index> singles_, pairs_;  // offsets in a row
};

template <std::size_t kBytes>
void mix_words(const Cells& cells, const MixedValues& values) {
  const Index row_bytes = cells.n_columns * values.value_bytes;
  const Index chunk_rows = std::max<Index>(1, kChunkBytes / row_bytes);
  CoalitionColumns<kBytes> columns(cells, values.value_bytes);
  std::byte* out = values.out;
  Index left = (cells.end - cells.first) * cells.n_background * row_bytes;
  for (Index c = cells.first; c < cells.end; ++c) {
    if (c == cells.first || c % cells.n_rows == 0) columns.find(c / cells.n_rows);
    const std::byte* x = values.explained + cells.rows[c % cells.n_rows] * row_bytes;
    for (Index start = 0; start < cells.n_background; start += chunk_rows) {
      const Index n_rows = std::min(chunk_rows, cells.n_background - start);
      const Index n_bytes = n_rows * row_bytes;
      std::memcpy(out, values.background + start * row_bytes, static_cast<std::size_t>(n_bytes));
      left -= n_bytes;
      fetch_ahead(out + n_bytes, std::min(n_bytes, left));
      columns.write(x, n_rows, row_bytes, out);
      out += n_bytes;
    }
  }
}

template <typename T>
double load(const std::byte* place) {
  T value;
  std::memcpy(&value, place, sizeof(T));
  return static_cast<double>(value);
}

// sum_b w_b (y_b - y_0), for a stride in bytes. The order of additions depends on n only: eight
// sums side by side, and halves of what is long, whose rounding errors grow as log n.
template <typename T>
double sum_of_differences(const std::byte* y, Index stride, const double* w, Index n, double y_0) {
  constexpr Index kSums = 8, kLong = 256;
  if (n > kLong) {
    const Index half = n / (2 * kSums) * kSums;
    return sum_of_differences<T>(y, stride, w, half, y_0) +
           sum_of_differences<T>(y + half * stride, stride, w + half, n - half, y_0);
  }
  std::array<double, kSums> sums{};
  const Index whole = n / kSums * kSums;
  for (Index b = 0; b < whole; b += kSums) {
    for (Index i = 0; i < kSums; ++i) {
      sums[static_cast<std::size_t>(i)] += w[b + i] * (load<T>(y + (b + i) * stride) - y_0);
    }
  }
  for (Index b = whole; b < n; ++b) {
    sums[static_cast<std::size_t>(b - whole)] += w[b] * (load<T>(y + b * stride) - y_0);
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace

void mix_rows(const Cells& cells, const MixedValues& values) {
  if (cells.n_background * cells.n_columns * values.value_bytes == 0) return;
  const auto mix = values.value_bytes % 8 == 0   ? &mix_words<8>
                   : values.value_bytes % 4 == 0 ? &mix_words<4>
                   : values.value_bytes % 2 == 0 ? &mix_words<2>
                                                 : &mix_words<1>;
  mix(cells, values);
}

template <typename T>
bool weighted_mean(const OutputsView<T>& outputs, std::span<const double> weights, double* out) {
  const auto n = static_cast<Index>(weights.size());
  bool finite = true;
  for (Index c = 0; c < outputs.n_cells; ++c) {
    for (Index k = 0; k < outputs.n_outputs; ++k) {
      const std::byte* y = outputs.data + c * outputs.cell_stride + k * outputs.output_stride;
      // exact where all outputs are the same
      const double y_0 = load<T>(y);
      const double mean =
          y_0 + sum_of_differences<T>(y, outputs.row_stride, weights.data(), n, y_0);
      finite &= std::isfinite(mean);
      *out++ = mean;
    }
  }
  return finite;
}

template bool weighted_mean(const OutputsView<float>&, std::span<const double>, double*);
template bool weighted_mean(const OutputsView<double>&, std::span<const double>, double*);

}  // namespace leafshap
