// The Python object of an ensemble: shares the immutable IR with the plans made from it.
#pragma once

#include <memory>
#include <string>

#include "error.hpp"
#include "ir/tree.hpp"

namespace leafshap {

struct EnsembleHandle {
  std::shared_ptr<const TreeEnsemble> ensemble;
};

// -1 means all trees.
inline Index checked_trees(const TreeEnsemble& e, Index n_trees) {
  if (n_trees == -1) return e.n_trees();
  if (n_trees < 0 || n_trees > e.n_trees()) {
    throw InvalidInput("n_trees is " + std::to_string(n_trees) + ", the ensemble has " +
                       std::to_string(e.n_trees()) + " trees");
  }
  return n_trees;
}

}  // namespace leafshap
