#include "plan/quantizer.hpp"

#include <algorithm>

#include "error.hpp"
#include "ir/split.hpp"

namespace leafshap {
namespace {

template <typename Value>
void sort_unique(std::vector<Value>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
}

// Number of cuts that x is to the right of. Branch-free halving: the order of rows is random, so
// a predicted branch would be wrong half of the time.
template <Comparison kComparison>
std::size_t rank_of(const double* cuts, std::size_t n, double x) {
  const double* base = cuts;
  while (n > 1) {
    const std::size_t half = n / 2;
    base += below(kComparison, x, base[half - 1]) ? 0 : half;
    n -= half;
  }
  return static_cast<std::size_t>(base - cuts) + (n == 1 && !below(kComparison, x, *base) ? 1 : 0);
}

// Ranks of one column, compiled for each way of comparing and of reading missing values.
template <Comparison kComparison, Missing kMissing>
void fill_ranks(const double* cuts, std::size_t n_cuts, std::uint16_t missing_rank, const double* x,
                int n, std::uint16_t* out) {
  for (int i = 0; i < n; ++i) {
    const std::size_t rank = rank_of<kComparison>(cuts, n_cuts, present_value(kMissing, x[i]));
    out[i] = is_missing(kMissing, x[i]) ? missing_rank : static_cast<std::uint16_t>(rank);
  }
}

template <Comparison kComparison>
auto rank_filler(Missing missing) {
  switch (missing) {
    case Missing::kZero:
      return &fill_ranks<kComparison, Missing::kZero>;
    case Missing::kNanAsZero:
      return &fill_ranks<kComparison, Missing::kNanAsZero>;
    default:
      return &fill_ranks<kComparison, Missing::kNan>;
  }
}

}  // namespace

Quantizer::Quantizer(const TreeEnsemble& e, Index n_trees) : ensemble_(e) {
  for (Index node = 0; node < e.tree_offsets[n_trees]; ++node) {
    if (e.left[node] == -1) continue;
    FeatureCuts& feature = features_[e.split_feature[node]];
    if (e.split_kind[node] == SplitKind::kNumeric) {
      feature.cuts.push_back(e.threshold[node]);
    } else {
      const auto set = e.category_set(node);
      feature.categories.insert(feature.categories.end(), set.begin(), set.end());
    }
  }
  for (auto& [id, feature] : features_) {
    sort_unique(feature.cuts);
    sort_unique(feature.categories);
    feature.cuts_begin = cuts_.size();
    feature.categories_begin = categories_.size();
    cuts_.insert(cuts_.end(), feature.cuts.begin(), feature.cuts.end());
    categories_.insert(categories_.end(), feature.categories.begin(), feature.categories.end());
  }
}

std::uint32_t Quantizer::column_for(const Column& column) {
  const auto [place, added] = by_key_.try_emplace(
      {column.feature, column.kind, column.missing, column.default_left, column.begin, column.node},
      static_cast<std::uint32_t>(columns_.size()));
  if (added) columns_.push_back(column);
  return place->second;
}

// Bit i: rows of the i-th category go left; then one bit for all other values, one for missing.
std::uint32_t Quantizer::add_category_bits(Index node) {
  const auto known = bits_of_node_.find(node);
  if (known != bits_of_node_.end()) return known->second;
  const std::vector<std::int32_t>& categories = features_[ensemble_.split_feature[node]].categories;
  const std::size_t n = categories.size();
  const bool members_left = ensemble_.split_kind[node] == SplitKind::kMembersLeft;
  const std::size_t first = category_bits_.size();
  category_bits_.resize(first + (n + 2 + 63) / 64, members_left ? 0 : ~std::uint64_t{0});
  const auto set_bit = [&](std::size_t i, bool value) {
    std::uint64_t& word = category_bits_[first + i / 64];
    const std::uint64_t bit = std::uint64_t{1} << (i % 64);
    word = value ? word | bit : word & ~bit;
  };
  for (const std::int32_t code : ensemble_.category_set(node)) {
    const auto place = std::lower_bound(categories.begin(), categories.end(), code);
    set_bit(static_cast<std::size_t>(place - categories.begin()), members_left);
  }
  set_bit(n + 1, ensemble_.default_left[node] != 0);
  if (category_bits_.size() > std::numeric_limits<std::uint32_t>::max()) {
    throw Unsupported("the model's category sets need more than 2^32 words");
  }
  return bits_of_node_[node] = static_cast<std::uint32_t>(first);
}

Quantizer::Test Quantizer::test_of(Index node) {
  const TreeEnsemble& e = ensemble_;
  const FeatureId id = e.split_feature[node];
  const FeatureCuts& feature = features_.at(id);
  // where nothing is missing the default side must not split one column into two
  const bool default_left = e.missing[node] != Missing::kNanAsZero && e.default_left[node] != 0;
  if (e.split_kind[node] == SplitKind::kNumeric) {
    const auto place =
        std::lower_bound(feature.cuts.begin(), feature.cuts.end(), e.threshold[node]);
    const auto index = static_cast<std::size_t>(place - feature.cuts.begin());
    const std::size_t piece = index / kCutsPerColumn * kCutsPerColumn;
    const std::size_t begin = feature.cuts_begin + piece;
    const std::size_t end =
        feature.cuts_begin + std::min(piece + kCutsPerColumn, feature.cuts.size());
    return {column_for({id, Kind::kCuts, e.missing[node], default_left, begin, end, -1}),
            static_cast<std::uint16_t>(index - piece), false, 0};
  }
  if (feature.categories.size() + 2 > kLastRank) {
    // too many categories for a rank: the column holds this node's own answer
    return {column_for({id, Kind::kDecision, e.missing[node], default_left, 0, 0, node}), 0, false,
            0};
  }
  const std::size_t begin = feature.categories_begin;
  // the default side is in the node's bits
  const std::uint32_t column = column_for({id, Kind::kCategories, e.missing[node], false, begin,
                                           begin + feature.categories.size(), -1});
  return {column, 0, true, add_category_bits(node)};
}

void Quantizer::fill(const Column& column, const double* x, int n, std::uint16_t* out) const {
  const InputRule& input = ensemble_.input;
  const std::size_t size = column.end - column.begin;
  switch (column.kind) {
    case Kind::kCuts: {
      const auto fill_column = input.comparison == Comparison::kLess
                                   ? rank_filler<Comparison::kLess>(column.missing)
                                   : rank_filler<Comparison::kLessEqual>(column.missing);
      fill_column(cuts_.data() + column.begin, size, column.default_left ? 0 : kLastRank, x, n,
                  out);
      return;
    }
    case Kind::kCategories: {
      const auto first = categories_.begin() + static_cast<std::ptrdiff_t>(column.begin);
      const auto last = categories_.begin() + static_cast<std::ptrdiff_t>(column.end);
      for (int i = 0; i < n; ++i) {
        const std::int32_t code =
            category_code(input.category_rule, present_value(column.missing, x[i]));
        const auto place = std::lower_bound(first, last, code);
        const bool known = place != last && *place == code;
        const std::size_t rank = is_missing(column.missing, x[i]) ? size + 1
                                 : known ? static_cast<std::size_t>(place - first)
                                         : size;
        out[i] = static_cast<std::uint16_t>(rank);
      }
      return;
    }
    case Kind::kDecision:
      for (int i = 0; i < n; ++i) out[i] = goes_left(ensemble_, column.node, x[i]) ? 0 : 1;
      return;
  }
}

template <typename T>
void Quantizer::quantize_view(const MatrixView<T>& rows, Index begin, Index count, int tile_rows,
                              std::uint16_t* out) const {
  std::vector<double> x(static_cast<std::size_t>(count));
  FeatureId read = -1;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const Column& column = columns_[c];
    if (column.feature != read) {
      read = column.feature;
      for (Index i = 0; i < count; ++i) {
        x[i] = read_value(ensemble_.input, rows.row(begin + i)[read]);
      }
    }
    std::uint16_t* ranks = out + c * tile_rows;
    fill(column, x.data(), static_cast<int>(count), ranks);
    std::fill(ranks + count, ranks + tile_rows, ranks[count - 1]);
  }
}

void Quantizer::quantize(const Rows& rows, Index begin, Index count, int tile_rows,
                         std::uint16_t* out) const {
  std::visit([&](const auto& view) { quantize_view(view, begin, count, tile_rows, out); }, rows);
}

}  // namespace leafshap
