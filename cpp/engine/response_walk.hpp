// A thread's memory for the walk with all values of every player.
#pragma once

#include "engine/aligned.hpp"
#include "plan/response_plan.hpp"

namespace leafshap {

class ResponseWalkMemory {
 public:
  explicit ResponseWalkMemory(const ResponsePlan& plan)
      : places_(plan.n_levels() + 1),
        steps_(plan.n_levels()),
        slots_(plan.most_slots()),
        sets_((plan.n_levels() + 1) * (1 + plan.most_slots())) {
    slots_.clear();
    walk_.runs = plan.runs().data();
    walk_.places = places_.data();
    walk_.steps = steps_.data();
    walk_.slots = slots_.data();
    walk_.sets = sets_.data();
    walk_.sets_per_level = 1 + plan.most_slots();
  }

  ResponseWalk walk(const ResponseTile& tile) const {
    ResponseWalk walk = walk_;
    walk.tile = tile;
    return walk;
  }

 private:
  AlignedBuffer<ResponsePlace> places_;
  AlignedBuffer<ResponseStep> steps_;
  AlignedBuffer<ResponseSlot> slots_;
  AlignedBuffer<ResponseSet> sets_;
  ResponseWalk walk_{};
};

}  // namespace leafshap
