// Background data: rows that stand for "feature unknown", and their weights.
#pragma once

#include <variant>
#include <vector>

#include "types.hpp"

namespace leafshap {

// A copy of the caller's rows, so that it may change them.
class Background {
 public:
  // At least one row. Weights are finite, not negative and not all 0; none: all rows count the
  // same.
  Background(const Rows& rows, std::vector<double> weights);

  Rows rows() const;
  Index n_rows() const { return n_rows_; }
  bool weighted() const { return !weights_.empty(); }
  const std::vector<double>& weights() const { return weights_; }  // sum 1, or empty
  double weight(Index i) const {
    return weighted() ? weights_[i] : 1.0 / static_cast<double>(n_rows_);
  }

 private:
  std::variant<std::vector<float>, std::vector<double>> values_;
  Index n_rows_, n_columns_;
  std::vector<double> weights_;
};

}  // namespace leafshap
