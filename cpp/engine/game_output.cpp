#include "engine/game_output.hpp"

#include <algorithm>
#include <cmath>

#include "engine/sigmoid.hpp"

namespace leafshap {
namespace {

void softmax(std::size_t n_outputs, std::size_t stride, double* margins) {
  const double* const end = margins + n_outputs * stride;
  double largest = *margins, sum = 0;
  for (const double* m = margins; m != end; m += stride) largest = std::max(largest, *m);
  for (double* m = margins; m != end; m += stride) sum += * m = std::exp(*m - largest);
  for (double* m = margins; m != end; m += stride) *m /= sum;
}

template <typename Function>
void add(Function function, double weight, std::size_t n, const double* margins, double* values) {
  for (std::size_t i = 0; i < n; ++i) values[i] += weight * function(margins[i]);
}

}  // namespace

void add_outputs(GameOutput output, double weight, std::size_t n_outputs, std::size_t n,
                 std::size_t stride, double* margins, double* values) {
  if (output == GameOutput::kSoftmax) {
    for (std::size_t i = 0; i < n; ++i) softmax(n_outputs, stride, margins + i);
  }
  for (std::size_t k = 0; k < n_outputs; ++k, margins += stride, values += n) {
    switch (output) {
      case GameOutput::kLogistic:
        add(sigmoid, weight, n, margins, values);
        break;
      case GameOutput::kExp:
        add([](double m) { return std::exp(m); }, weight, n, margins, values);
        break;
      case GameOutput::kRaw:
      case GameOutput::kSoftmax:
        add([](double m) { return m; }, weight, n, margins, values);
        break;
    }
  }
}

}  // namespace leafshap
