#include "engine/response_tile.hpp"

#include <algorithm>

namespace leafshap {

ResponseTile::ResponseTile(const ResponsePlan& plan, const Rows& rows)
    : plan_(plan),
      rows_(rows),
      ranks_(plan.quantizer().n_columns() * kResponseRows),
      places_(plan.n_levels() + 1),
      sets_((plan.n_levels() + 1) * (1 + plan.most_slots())),
      steps_(plan.n_levels()),
      slots_(plan.most_slots()),
      conditions_(plan.axes().size()),
      home_(static_cast<std::size_t>(plan.ensemble().leaf_width()) * kResponseRows),
      margins_(static_cast<std::size_t>(plan.ensemble().n_outputs) * kResponseRows) {
  walk_.nodes = plan.nodes().data();
  walk_.leaves = plan.leaves().data();
  walk_.runs = plan.runs().data();
  walk_.values = plan.values().data();
  walk_.width = plan.ensemble().leaf_width();
  walk_.category_bits = plan.quantizer().category_bits().data();
  walk_.ranks = ranks_.data();
  walk_.places = places_.data();
  walk_.sets = sets_.data();
  walk_.steps = steps_.data();
  walk_.slots = slots_.data();
  walk_.conditions = conditions_.data();
  walk_.sets_per_level = 1 + plan.most_slots();
  walk_.home = home_.data();
}

void ResponseTile::take(Index begin, Index count) {
  plan_.quantizer().quantize(rows_, begin, count, kResponseRows, ranks_.data());
  walk_.rows = {};
  for (Index i = 0; i < count; ++i) walk_.rows.words[i / 64] |= std::uint64_t{1} << (i % 64);
  home_.clear();  // also of lanes without a row
  margins_.clear();
}

void ResponseTile::add_homes(const ResponseTree& tree) {
  std::int64_t* margins = margins_.data() + static_cast<std::size_t>(tree.output) * kResponseRows;
  for (std::size_t i = 0; i < home_.size(); ++i) margins[i] += home_.data()[i];
}

}  // namespace leafshap
