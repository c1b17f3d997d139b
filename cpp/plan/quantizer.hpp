// Turns a tile of rows into ranks, once, so that every kernel only compares small integers.
//
// A column holds, for one feature and one way of reading missing values, the number of cuts (the
// thresholds of the whole ensemble) that x is to the right of: a node with the i-th cut sends the
// row left if rank <= i. Missing is rank 0 where the default side is left and kLastRank where it
// is right, so a node picks a column instead of testing for missing. In a categorical column the
// rank numbers the categories that occur in any node's set.
#pragma once

#include <cstdint>
#include <map>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "ir/tree.hpp"
#include "types.hpp"

namespace leafshap {

class Quantizer {
 public:
  // Over the inner nodes of the first n_trees trees. The ensemble must outlive the quantizer.
  Quantizer(const TreeEnsemble& ensemble, Index n_trees);

  // What a node compares: ranks of a column against a cut, or against a bit set.
  struct Test {
    std::uint32_t column;
    std::uint16_t cut;
    bool categorical;
    std::uint32_t category_bits;  // first word of the node's bit set in category_bits()
  };
  Test test_of(Index node);

  std::size_t n_columns() const { return columns_.size(); }
  FeatureId feature_of(std::size_t column) const { return columns_[column].feature; }
  const std::vector<std::uint64_t>& category_bits() const { return category_bits_; }

  // Ranks of rows [begin, begin + count), count <= tile_rows; out is (n_columns, tile_rows).
  // Padding rows repeat the last one.
  void quantize(const Rows& rows, Index begin, Index count, int tile_rows,
                std::uint16_t* out) const;

 private:
  // Cuts of a feature are cut into pieces that 16-bit ranks can number.
  static constexpr std::size_t kCutsPerColumn = 65534;
  static constexpr std::uint16_t kLastRank = 65535;

  enum class Kind : std::uint8_t { kCuts, kCategories, kDecision };
  struct Column {
    FeatureId feature;
    Kind kind;
    Missing missing;
    bool default_left;
    std::size_t begin, end;  // kCuts: piece of cuts_; kCategories: of categories_
    Index node;              // kDecision: the node whose answer is the rank (0 left, 1 right)
  };
  struct FeatureCuts {
    std::vector<double> cuts;              // sorted, distinct
    std::vector<std::int32_t> categories;  // sorted, distinct codes of all sets
    std::size_t cuts_begin = 0, categories_begin = 0;
  };

  std::uint32_t column_for(const Column& column);
  std::uint32_t add_category_bits(Index node);
  template <typename T>
  void quantize_view(const MatrixView<T>& rows, Index begin, Index count, int tile_rows,
                     std::uint16_t* out) const;
  void fill(const Column& column, const double* x, int n, std::uint16_t* out) const;

  const TreeEnsemble& ensemble_;
  std::map<FeatureId, FeatureCuts> features_;
  std::vector<double> cuts_;              // of all features
  std::vector<std::int32_t> categories_;  // of all features
  std::vector<Column> columns_;
  std::vector<std::uint64_t> category_bits_;
  std::unordered_map<Index, std::uint32_t> bits_of_node_;  // a node may be asked for repeatedly
  std::map<std::tuple<FeatureId, Kind, Missing, bool, std::size_t, Index>, std::uint32_t> by_key_;
};

}  // namespace leafshap
