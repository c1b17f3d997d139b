#include "engine/response_rows.hpp"

namespace leafshap {

ResponseRows::ResponseRows(const ResponsePlan& plan, const Rows& rows, Index size)
    : plan_(plan),
      rows_(rows),
      ranks_(plan.quantizer().n_columns() * static_cast<std::size_t>(size)),
      row_list_(2 * static_cast<std::size_t>(size)),
      spans_(plan.n_levels() + 1),
      home_(static_cast<std::size_t>(plan.ensemble().leaf_width() * size)),
      margins_(static_cast<std::size_t>(plan.ensemble().n_outputs * size)) {
  ResponseTile& tile = arguments_.tile;
  tile.nodes = plan.nodes().data();
  tile.leaves = plan.leaves().data();
  tile.values = plan.values().data();
  tile.width = plan.ensemble().leaf_width();
  tile.category_bits = plan.quantizer().category_bits().data();
  tile.ranks = ranks_.data();
  tile.size = static_cast<std::size_t>(size);
  tile.home = home_.data();
  arguments_.rows = row_list_.data();
  arguments_.spans = spans_.data();
}

void ResponseRows::take(Index begin, Index count) {
  ResponseTile& tile = arguments_.tile;
  plan_.quantizer().quantize(rows_, begin, count, static_cast<int>(tile.size), ranks_.data());
  tile.n_rows = static_cast<std::uint32_t>(count);
  home_.clear();  // also beyond the rows
  restart();
}

void ResponseRows::add_homes(const ResponseTree& tree) {
  std::int64_t* margins =
      margins_.data() + static_cast<std::size_t>(tree.output) * arguments_.tile.size;
  for (std::size_t i = 0; i < home_.size(); ++i) margins[i] += home_.data()[i];
}

void ResponseRows::write(Index begin, Index count, double* out) const {
  const OutputId n_outputs = plan_.ensemble().n_outputs;
  for (Index i = 0; i < count; ++i) {
    for (OutputId k = 0; k < n_outputs; ++k) {
      out[(begin + i) * n_outputs + k] = margin(k, margins(k)[i]);
    }
  }
}

}  // namespace leafshap
