#include "engine/background.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include "error.hpp"

namespace leafshap {

Background::Background(const Rows& rows, std::vector<double> weights) : weights_(std::move(weights)) {
  std::visit(
      [&](const auto& view) {
        using T = std::remove_const_t<std::remove_pointer_t<decltype(view.data)>>;
        n_rows_ = view.n_rows;
        n_columns_ = view.n_columns;
        values_ = std::vector<T>(view.data, view.data + view.n_rows * view.n_columns);
      },
      rows);
  if (n_rows_ == 0) throw InvalidInput("the background has no rows");
  if (weights_.empty()) return;
  if (static_cast<Index>(weights_.size()) != n_rows_) {
    throw InvalidInput("the background has " + std::to_string(n_rows_) + " rows and " +
                       std::to_string(weights_.size()) + " weights");
  }
  double largest = 0, total = 0;
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    if (!(weights_[i] >= 0) || std::isinf(weights_[i])) {
      throw InvalidInput("weight " + std::to_string(i) +
                         " of the background is negative or not finite");
    }
    largest = std::max(largest, weights_[i]);
  }
  if (largest == 0) throw InvalidInput("all weights of the background are zero");
  for (double& weight : weights_) total += weight /= largest;  // the sum of huge ones may overflow
  for (double& weight : weights_) weight /= total;
}

Rows Background::rows() const {
  return std::visit(
      [&](const auto& values) -> Rows {
        using T = typename std::decay_t<decltype(values)>::value_type;
        return MatrixView<T>{values.data(), n_rows_, n_columns_};
      },
      values_);
}

}  // namespace leafshap
