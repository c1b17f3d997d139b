// Rows as ranks, tile after tile, for work that passes over them more than once.
#pragma once

#include <algorithm>
#include <optional>

#include "engine/aligned.hpp"
#include "engine/parallel.hpp"
#include "plan/quantizer.hpp"
#include "types.hpp"

namespace leafshap {

class RankedRows {
 public:
  // Some of the rows, in memory at the same time.
  class Chunk {
   public:
    Chunk(const RankedRows& all, Index begin, int n_threads, Cancellation& cancellation);

    Index n_tiles() const { return ceil_divide(count_, all_.tile_rows_); }
    Index begin_of(Index tile) const { return begin_ + tile * all_.tile_rows_; }
    Index rows_of(Index tile) const {
      return std::min(all_.tile_rows_, count_ - tile * all_.tile_rows_);
    }
    const std::uint16_t* ranks(Index tile) const { return ranks_.data() + tile * all_.tile_size(); }

   private:
    const RankedRows& all_;
    Index begin_, count_;
    AlignedBuffer<std::uint16_t> ranks_;  // (n_tiles, n_columns, tile_rows)
  };

  // The rows and the quantizer must outlive this.
  RankedRows(const Quantizer& quantizer, const Rows& rows, Index tile_rows)
      : quantizer_(quantizer), rows_(rows), n_rows_(count_rows(rows)), tile_rows_(tile_rows) {}

  Index tile_rows() const { return tile_rows_; }

  // Calls use(chunk) for all rows in order. If they are one chunk it is kept for the next time.
  template <typename Use>
  void for_chunks(int n_threads, Cancellation& cancellation, Use&& use) {
    if (n_rows_ == 0) return;
    const Index size = rows_per_chunk();
    if (n_rows_ <= size) {
      if (!only_) only_.emplace(*this, 0, n_threads, cancellation);
      use(*only_);
      return;
    }
    for (Index begin = 0; begin < n_rows_; begin += size) {
      use(Chunk(*this, begin, n_threads, cancellation));
    }
  }

 private:
  Index tile_size() const { return static_cast<Index>(quantizer_.n_columns()) * tile_rows_; }
  Index rows_per_chunk() const {
    constexpr Index kChunkValues = 64 << 20;
    return std::max<Index>(1, kChunkValues / std::max<Index>(1, tile_size())) * tile_rows_;
  }

  const Quantizer& quantizer_;
  Rows rows_;
  Index n_rows_, tile_rows_;
  std::optional<Chunk> only_;
};

inline RankedRows::Chunk::Chunk(const RankedRows& all, Index begin, int n_threads,
                                Cancellation& cancellation)
    : all_(all),
      begin_(begin),
      count_(std::min(all.rows_per_chunk(), all.n_rows_ - begin)),
      ranks_(static_cast<std::size_t>(n_tiles() * all.tile_size())) {
  parallel_blocks(n_tiles(), n_threads, cancellation, [&] {
    return [&](Index tile, const Stop&) {
      all.quantizer_.quantize(all.rows_, begin_of(tile), rows_of(tile),
                              static_cast<int>(all.tile_rows_),
                              ranks_.data() + tile * all.tile_size());
    };
  });
}

}  // namespace leafshap
