#include "engine/background.hpp"

#include <algorithm>
#include <type_traits>

namespace leafshap {

Background::Background(const Rows& rows, std::vector<double> weights)
    : weights_(std::move(weights)) {
  std::visit(
      [&](const auto& view) {
        using T = std::remove_const_t<std::remove_pointer_t<decltype(view.data)>>;
        n_rows_ = view.n_rows;
        n_columns_ = view.n_columns;
        values_ = std::vector<T>(view.data, view.data + view.n_rows * view.n_columns);
      },
      rows);
  double largest = 0, total = 0;
  for (const double weight : weights_) largest = std::max(largest, weight);
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
